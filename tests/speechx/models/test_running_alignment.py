"""Aligning a recording window by window against aligning it as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from speechx.models.ctc import BLANK, CTCStates, ViterbiSearch, pointer_of_peaks
from speechx.models.running_alignment import LOOKAHEAD_SECONDS, RunningAlignment
from speechx.text import PhoneSequence


def spoken(seconds: float, seed: int = 0) -> tuple[PhoneSequence, np.ndarray, np.ndarray]:
    """(a text, the steps (N,) at which its phones are heard, log-probabilities (H, P)): 8 phones a second and pauses."""
    rng = np.random.default_rng(seed)
    gap_N = rng.integers(3, 9, int(seconds * 8))
    gap_N[rng.random(len(gap_N)) < 0.05] += 40
    step_N = np.cumsum(gap_N)
    step_N = step_N[step_N < seconds * 50 - 5]
    ids_N = rng.integers(2, 30, len(step_N))
    score_HP = rng.normal(-7, 1, (int(seconds * 50), 30))
    score_HP[:, BLANK] = -0.1
    score_HP[step_N, ids_N], score_HP[step_N, BLANK] = -0.5, -3
    return PhoneSequence("en", tuple("t" * len(ids_N)), ids_N, ()), step_N, score_HP


def test_pieces_give_the_path_of_the_whole() -> None:
    text, _, score_HP = spoken(4)
    states = CTCStates.of(text)
    score_HS = score_HP[:, states.phones_S]
    search = ViterbiSearch(states)
    for start in range(0, len(score_HS), 33):
        search.extend(score_HS[start : start + 33])
    assert (search.path() == states.best_path(score_HS)).all()


def test_windows_of_a_long_recording_are_placed_without_reading_all_of_it() -> None:
    text, step_N, score_HP = spoken(120)
    frames, read = len(score_HP) // 2, [0]

    def posteriors(start: int, stop: int) -> np.ndarray:
        read.append(stop)
        return score_HP[2 * start : 2 * stop]

    alignment = RunningAlignment(text, frames, posteriors, 25, 2)
    truth_F = pointer_of_peaks(step_N.astype(float), frames, 2)
    for start in range(0, frames, 200):
        stop = min(frames, start + 200)
        assert np.abs(alignment.pointer(start, stop) - truth_F[start:stop]).max() <= 1
        assert read[-1] <= stop + 25 * LOOKAHEAD_SECONDS


def test_what_is_heard_badly_does_not_lose_its_place() -> None:
    """Over loud noise the aligner hears next to nothing: the path must not wait at the start until the text runs out."""
    text, step_N, score_HP = spoken(60, seed=1)
    score_HP[step_N, text.ids], score_HP[step_N, BLANK] = -4.5, -0.1  # no phone is likelier than none
    frames = len(score_HP) // 2
    alignment = RunningAlignment(text, frames, lambda start, stop: score_HP[2 * start : 2 * stop], 25, 2)
    truth_F = pointer_of_peaks(step_N.astype(float), frames, 2)
    for start in range(0, frames, 200):
        stop = min(frames, start + 200)
        assert np.abs(alignment.pointer(start, stop) - truth_F[start:stop]).max() <= 25  # about 3 s


def test_a_text_too_long_is_refused_before_anything_is_read() -> None:
    text, *_ = spoken(60)
    with pytest.raises(ValueError, match="don't belong together"):
        RunningAlignment(text, 100, lambda start, stop: np.zeros((0, 30)), 25, 2)
