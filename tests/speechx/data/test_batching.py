"""Batches: every example once, within the budget, the same again after a resume."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speechx.data.batching import BatchStream, epoch_batches

LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=120)


@given(LENGTHS, st.integers(50, 1000), st.integers(0, 9), st.integers(0, 3))
def test_an_epoch_has_every_example_once_within_the_budget(
    lengths: list[int], budget: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches(lengths, budget, seed, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget


@given(LENGTHS, st.integers(0, 40), st.booleans())
def test_a_new_stream_goes_on_where_the_old_one_was(lengths: list[int], step: int, shared: bool) -> None:
    shares = np.arange(1, len(lengths) + 1, dtype=float) if shared else None
    old, new = BatchStream(lengths, 500, 3, shares), BatchStream(lengths, 500, 3, shares)
    for earlier in range(step):
        old.batch(earlier)
    assert [old.batch(s) for s in range(step, step + 5)] == [new.batch(s) for s in range(step, step + 5)]


def test_epochs_differ_and_are_counted() -> None:
    stream = BatchStream([10] * 50, 100, 1)
    first = [stream.batch(s) for s in range(5)]
    assert stream.epoch == 0
    second = [stream.batch(s) for s in range(5, 10)]
    assert stream.epoch == 1 and first != second
    for epoch in (first, second):
        assert sorted(i for batch in epoch for i in batch) == list(range(50))


def test_neighbors_in_length_share_a_batch() -> None:
    lengths = np.random.default_rng(1).integers(10, 400, 500)
    batches = epoch_batches(lengths, 3000, 1, 0)
    padded = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    assert padded < 1.15 * int(lengths.sum())


def test_shares_say_how_often_an_example_is_seen() -> None:
    shares = np.array([0.0, 1.0, 3.0])
    stream = BatchStream([10, 10, 10], 10, 1, shares)
    seen = np.bincount([i for s in range(3000) for i in stream.batch(s)], minlength=3)
    assert seen[0] == 0 and 2.5 < seen[2] / seen[1] < 3.5
