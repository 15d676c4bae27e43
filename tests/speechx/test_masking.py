"""A generated estimate as a mask on the recording it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eval.metrics import si_sdr
from speechx import audio
from speechx.masking import FLOOR_IN_SILENCE, Mask
from speechx.mel import htk_filters

SAMPLES = Path(__file__).parents[2] / "speechx" / "assets" / "samples"


def masked(recording_T: np.ndarray, estimate_T: np.ndarray) -> np.ndarray:
    mask = Mask(recording_T)
    return np.concatenate([mask.push(estimate_T), mask.close()])


@pytest.fixture(scope="module")
def noisy_T() -> np.ndarray:
    return audio.read(SAMPLES / "noisy.flac")


def test_an_estimate_of_everything_changes_nothing(noisy_T: np.ndarray) -> None:
    assert np.abs(masked(noisy_T, noisy_T) - noisy_T).max() < 1e-5


def test_where_the_estimate_is_silent_so_is_the_output(noisy_T: np.ndarray) -> None:
    out_T = masked(noisy_T, 0 * noisy_T)
    assert np.abs(out_T - FLOOR_IN_SILENCE * noisy_T).max() < 1e-5
    assert not masked(0 * noisy_T, noisy_T).any(), "nothing is added"


def test_the_truth_takes_the_noise_away(noisy_T: np.ndarray) -> None:
    clean_T = audio.read(SAMPLES / "noisy_clean.flac")
    # Only its level in each band counts: with the sign turned it is the same mask.
    gained = si_sdr(masked(noisy_T, -clean_T), clean_T) - si_sdr(noisy_T, clean_T)
    assert gained > 4


@pytest.mark.parametrize("seed", range(4))
def test_pieces_give_what_the_whole_gives(noisy_T: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    recording_T = noisy_T[: int(rng.integers(1, 20000))]
    # The last frame of a codec reaches beyond the recording.
    estimate_T = 0.1 * rng.standard_normal(len(recording_T) + int(rng.integers(0, 640))).astype(np.float32)
    mask, pieces, at = Mask(recording_T), [], 0
    while at < len(estimate_T):
        size = int(rng.integers(1, 3000))
        pieces.append(mask.push(estimate_T[at : at + size]))
        at += size
        assert sum(map(len, pieces)) >= min(at, len(estimate_T)) - 1152, "it may lag by 72 ms"
    pieces.append(mask.close())
    assert (np.concatenate(pieces) == masked(recording_T, estimate_T)).all()
    assert sum(map(len, pieces)) == len(estimate_T)


def test_bands_cover_all_frequencies() -> None:
    bands_BF = htk_filters(16000, 512, 24)
    assert bands_BF.shape == (24, 257) and (bands_BF.sum(0)[1:-1] > 0).all() and bands_BF.max() <= 1
