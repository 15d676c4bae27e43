"""Classifier-free guidance of a batch: some sequences have an unconditional twin, from whose logits theirs are pushed away.

(Ho and Salimans, 2022; logits of both sequences at every code.) The rows of twins lie behind those of the
sequences, in the same order.

Shape suffixes: N sequences, M guided ones, V code values.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from speechx.engine.sampling import SamplingParams


class BatchGuidance:
    """Which sequences of a batch are guided, and how far. Rebuilt when the batch changes.

    deep: whether the twins go on through the local transformer, as they do only where its codes are guided, too.
    """

    def __init__(
        self, params: Sequence[SamplingParams], guided: list[int], device: torch.device | str = "cpu"
    ) -> None:
        def column(name: str) -> Tensor:
            return torch.tensor([[float(getattr(params[i], name))] for i in guided], device=device)

        self.rows = guided
        self.deep = any(params[i].fine_guidance != 1 for i in guided)
        self._every = len(guided) == len(params)
        self._rows_M = torch.tensor(guided, dtype=torch.int64, device=device)
        self._first_M1, self._fine_M1 = column("guidance"), column("fine_guidance")

    def push(self, logits_NV: Tensor, away_MV: Tensor, first: bool) -> Tensor:
        """Logits (N, V), those of guided sequences pushed away from those of their twins."""
        scale_M1 = self._first_M1 if first else self._fine_M1
        pushed_MV = away_MV.lerp(self.of_guided(logits_NV), scale_M1)
        return pushed_MV if self._every else logits_NV.index_copy(0, self._rows_M, pushed_MV)

    def of_guided(self, rows: Tensor) -> Tensor:
        """The rows of guided sequences, of those of all."""
        return rows if self._every else rows[self._rows_M]
