"""CTC: the best path against all paths, greedy decoding, edit distance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechx.models.ctc import BLANK, CTCStates, edit_distance, greedy_decode
from speechx.text import PhoneSequence, Word

SOUNDS = "ptkbdgmnfsiu"


def sequence(ids: list[int], words: tuple[Word, ...] = (), language: str = "en") -> PhoneSequence:
    return PhoneSequence(
        language, tuple("_" if i == 1 else SOUNDS[i - 2] for i in ids), np.array(ids, np.int64), words
    )


def legal_paths(chain: CTCStates, steps: int) -> list[tuple[int, ...]]:
    """Every way through the chain, by brute force: stay, go on, or jump over one state that may be skipped."""
    states = len(chain.phones_S)
    starts = [0] + ([1] if chain.optional_S[0] and states > 1 else [])
    ends = {states - 1} | ({states - 2} if chain.optional_S[-1] else set())
    found = []
    for path in itertools.product(range(states), repeat=steps):
        moves = [b - a for a, b in itertools.pairwise(path)]
        legal = all(
            m in (0, 1) or (m == 2 and chain.optional_S[a + 1]) for a, m in zip(path, moves, strict=False)
        )
        if path[0] in starts and path[-1] in ends and legal:
            found.append(path)
    return found


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 4), min_size=1, max_size=2), st.integers(0, 999), st.integers(3, 6))
def test_the_best_path_is_the_best_of_all(ids: list[int], seed: int, steps: int) -> None:
    chain = CTCStates.of(sequence(ids))
    score_HS = np.random.default_rng(seed).standard_normal((steps, len(chain.phones_S)))
    totals = {path: score_HS[np.arange(steps), list(path)].sum() for path in legal_paths(chain, steps)}
    best = chain.best_path(score_HS)
    assert tuple(best) in totals
    assert totals[tuple(best)] == pytest.approx(max(totals.values()))


@pytest.mark.parametrize("ids", [[3], [3, 4], [3, 3], [3, 4, 4, 5]])
def test_the_paths_of_a_text_are_those_that_ctc_sums(ids: list[int]) -> None:
    steps, phones = 5, 6
    logp_HP = torch.randn(steps, phones, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    chain = CTCStates.of(sequence(ids))
    score_HS = logp_HP.numpy()[:, chain.phones_S]
    scores = [score_HS[np.arange(steps), list(path)].sum() for path in legal_paths(chain, steps)]
    loss = torch.nn.functional.ctc_loss(
        logp_HP[:, None],
        torch.tensor([ids]),
        torch.tensor([steps]),
        torch.tensor([len(ids)]),
        reduction="sum",
    )
    assert -float(loss) == pytest.approx(float(torch.tensor(np.array(scores)).logsumexp(0)), abs=1e-4)


def test_what_is_heard_freely() -> None:
    best = [BLANK, 5, 5, BLANK, 5, 7, 7, BLANK]
    assert greedy_decode(np.eye(9)[best]) == [5, 5, 7]


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_edit_distance(a: list[int], b: list[int]) -> None:
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    table[0], table[:, 0] = np.arange(len(b) + 1), np.arange(len(a) + 1)
    for i, j in itertools.product(range(len(a)), range(len(b))):
        change = table[i, j] + (a[i] != b[j])
        table[i + 1, j + 1] = min(change, table[i, j + 1] + 1, table[i + 1, j] + 1)
    assert edit_distance(a, b) == table[-1, -1]
