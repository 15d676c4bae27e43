"""What a network in training needs of the other processes that share its batch."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["ONE_RANK", "OneRank", "Ranks"]


class Ranks(Protocol):
    """The processes of a training (speechx.training.group), each with some rows of every batch."""

    def sum(self, x: Tensor) -> Tensor:
        """The sum of all ranks' tensors. All ranks call it, with the same shape. No gradient passes."""
        ...

    def gather(self, x_BX: Tensor) -> Tensor:
        """All ranks' rows (B, ...) in the order of the whole batch. No gradient passes."""
        ...


class OneRank:
    """A process that has the whole batch."""

    def sum(self, x: Tensor) -> Tensor:
        return x

    def gather(self, x_BX: Tensor) -> Tensor:
        return x_BX


ONE_RANK = OneRank()
