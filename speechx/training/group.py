"""The processes that train one network together (data parallel). Each takes its share of every batch.

All ranks draw the same random numbers, for the whole batch, and take the rows rank::world. A mean over the batch is a sum
over the ranks, since each rank divides by the count of the whole batch. N ranks follow the curve of one with the same
batch, but for rounding. Gradients are summed as one flat tensor. This also works for two optimizers in a step (GAN) and for
parameters that only some ranks have used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from speechx.errors import InputError

__all__ = ["Group"]

Metrics = TypeVar("Metrics", bound=dict[str, Tensor])


@dataclass(frozen=True)
class Group:
    """One process alone, unless `world` is above 1: then a member of torch.distributed's default process group."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @classmethod
    def joined(cls, device: str = "cpu") -> Group:
        """The rank that this process has in the default process group."""
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def first(self) -> bool:
        """Whether this rank writes logs and checkpoints."""
        return self.rank == 0

    @property
    def rows(self) -> slice:
        """The rows of the whole batch that are this rank's."""
        return slice(self.rank, None, self.world)

    def share(self, count: int) -> float:
        """The part of a batch of `count` rows that is this rank's: what a mean over its rows counts in the whole."""
        return len(range(self.rank, count, self.world)) / count

    def check_batch(self, count: int, field: str = "batch") -> None:
        """Raises InputError where some rank would have no row of any batch."""
        if count < self.world:
            raise InputError(
                f"workers: {self.world} workers cannot share a batch of {count} ({field} in the recipe)",
                field="workers",
            )

    @torch.no_grad()
    def sum(self, x: Tensor) -> Tensor:
        """The sum of all ranks' tensors, in a new tensor where there are several."""
        if self.world == 1:
            return x
        total = x.detach().clone()
        dist.all_reduce(total)
        return total

    @torch.no_grad()
    def gather(self, x_BX: Tensor) -> Tensor:
        """All ranks' rows (B, ...) in the order of the whole batch."""
        if self.world == 1:
            return x_BX
        count = int(self.sum(torch.tensor(float(len(x_BX)), device=x_BX.device)))
        padded = x_BX.new_zeros(-(-count // self.world), *x_BX.shape[1:])
        padded[: len(x_BX)] = x_BX.detach()
        parts = [torch.empty_like(padded) for _ in range(self.world)]
        dist.all_gather(parts, padded)
        return torch.stack(parts, 1).flatten(0, 1)[:count]

    def broadcast(self, value: float) -> float:
        """Rank 0's value: what a clock decides, it decides for all."""
        if self.world == 1:
            return value
        sent = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.broadcast(sent, 0)
        return float(sent)

    def sum_gradients(self, optimizers: Iterable[torch.optim.Optimizer], metrics: Metrics) -> Metrics:
        """Replaces the gradients by their sums over the ranks, in one exchange; returns the sums of the scalar metrics.

        A parameter that no rank has used keeps no gradient, so that the optimizer leaves it alone as in one process.
        """
        if self.world == 1:
            return metrics
        trained = [p for opt in optimizers for group in opt.param_groups for p in group["params"]]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        used = torch.tensor([float(p.grad is not None) for p in trained], device=self.device)
        values = [value.detach().float().reshape(1) for value in metrics.values()]
        flat = torch.cat([*(g.flatten() for g in grads), used, *values])
        dist.all_reduce(flat)
        *sums, counts, totals = flat.split([*(p.numel() for p in trained), len(trained), len(values)])
        for parameter, total, count in zip(trained, sums, counts.tolist(), strict=True):
            parameter.grad = total.view_as(parameter) if count else None
        return type(metrics)(zip(metrics, totals, strict=True))

    def check_equal(self, state: object) -> None:
        """Raises RuntimeError where the ranks' tensors have come apart: they would train different networks."""
        if self.world == 1:
            return
        own = sum(
            (tensor.detach().double().sum().cpu() for tensor in _tensors(state)), torch.zeros(()).double()
        )
        ends = torch.stack([own, -own]).to(self.device)
        dist.all_reduce(ends, dist.ReduceOp.MAX)
        if bool(torch.isfinite(ends).all()) and float(ends.sum()) != 0:
            raise RuntimeError(
                f"the weights of the {self.world} workers differ: sums from {-ends[1]} to {ends[0]}"
            )


def _tensors(state: object) -> Iterator[Tensor]:
    """The floating tensors in nested dicts and lists."""
    if isinstance(state, Tensor):
        if state.is_floating_point():
            yield state
    elif isinstance(state, dict | list | tuple):
        for value in state.values() if isinstance(state, dict) else state:
            yield from _tensors(value)


@dataclass(frozen=True)
class CropRanks:
    """The ranks of a batch of crops, for what sees all frames of a batch one after the other."""

    group: Group
    frames: int

    def sum(self, x: torch.Tensor) -> torch.Tensor:
        return self.group.sum(x)

    def gather(self, x_ND: torch.Tensor) -> torch.Tensor:
        return self.group.gather(x_ND.unflatten(0, (-1, self.frames))).flatten(0, 1)
