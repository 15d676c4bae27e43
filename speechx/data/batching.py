"""Length-bucketed batches, reproducible from a seed. A batch of B examples costs B times its longest example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def epoch_batches(lengths: Sequence[int] | np.ndarray, budget: int, seed: int, epoch: int) -> list[list[int]]:
    """Every index once, in batches whose padded size stays within `budget`, in random order.

    A single example longer than the budget makes a batch of its own. Depends on its arguments alone, so a
    resumed run continues exactly.
    """
    rng = np.random.default_rng((seed, epoch))
    sizes = np.asarray(lengths)
    # A little noise on the length keeps the same neighbors from always meeting.
    order = np.argsort(sizes * rng.uniform(0.95, 1.05, len(sizes)))
    batches: list[list[int]] = []
    current: list[int] = []
    longest = 0
    for index in order.tolist():
        longest = max(longest, int(sizes[index]))
        if current and longest * (len(current) + 1) > budget:
            batches.append(current)
            current, longest = [], int(sizes[index])
        current.append(index)
    if current:
        batches.append(current)
    return [batches[i] for i in rng.permutation(len(batches))]


class BatchStream:
    """The batch of any step, epoch after epoch. shares: sampling weight of each example; None: each once per epoch."""

    def __init__(
        self,
        lengths: Sequence[int] | np.ndarray,
        budget: int,
        seed: int,
        shares: np.ndarray | None = None,
    ) -> None:
        self.lengths, self.budget, self.seed = np.asarray(lengths), budget, seed
        assert len(self.lengths), "a stream of no examples"
        # shares: how often each example is seen in an epoch, relative to the others.
        self.shares = shares
        self._epoch, self._first, self._batches = -1, 0, list[list[int]]()

    def _open(self, epoch: int) -> None:
        chosen = np.arange(len(self.lengths))
        if self.shares is not None:
            rng = np.random.default_rng((self.seed, epoch, 1))
            weights = self.shares / self.shares.sum()
            chosen = np.sort(rng.choice(len(chosen), size=len(chosen), p=weights))
        batches = epoch_batches(self.lengths[chosen], self.budget, self.seed, epoch)
        self._first = self._first + len(self._batches) if epoch == self._epoch + 1 else 0
        self._epoch, self._batches = epoch, [chosen[batch].tolist() for batch in batches]

    def batch(self, step: int) -> list[int]:
        """Indices of the examples of a step. Steps must not go back."""
        if self._epoch < 0:
            self._open(0)
        while step >= self._first + len(self._batches):
            self._open(self._epoch + 1)
        assert step >= self._first, "steps of a batch stream go forward"
        return self._batches[step - self._first]

    @property
    def epoch(self) -> int:
        return max(0, self._epoch)
