"""Holes in the steady sound of a recording are filled; what is loud enough stays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from speechx.audio.noise_floor import NoiseFloor


def room(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Low-pass noise, -45 dBFS or so."""
    white_T = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return np.asarray(lfilter([0.005], [1, -0.7], white_T), np.float32)


def words(seconds: float, rate: int) -> np.ndarray:
    """Loud tones of 0.3 s with as long pauses."""
    t = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 440 * t) * (t % 0.6 < 0.3)).astype(np.float32)


def bands_db(wav_T: np.ndarray, rate: int) -> np.ndarray:
    """Power of eight equal bands, 0 Hz to half the rate."""
    power_F = np.abs(np.fft.rfft(wav_T)) ** 2 / len(wav_T)
    return np.array([10 * np.log10(part.mean()) for part in np.array_split(power_F, 8)])


@pytest.mark.parametrize("rate", [16000, 44100])
def test_silence_is_filled_with_the_sound_between_words(rate: int) -> None:
    floor = NoiseFloor(room(4, rate) + words(4, rate), rate)
    filled_T = floor.fill(np.zeros(rate, np.float32), np.random.default_rng(1))
    assert len(filled_T) == rate and filled_T.dtype == np.float32
    # The lowest band has the tones in it, but in the pauses they are silent.
    assert bands_db(filled_T, rate) == pytest.approx(bands_db(room(1, rate, seed=3), rate), abs=1.5)


def test_a_notch_is_filled_to_its_edges() -> None:
    rate = 16000
    noise_T = room(3, rate)
    hole_T = noise_T.copy()
    hole_T[rate : 2 * rate] *= 0.1  # 20 dB too low
    filled_T = NoiseFloor(noise_T + words(3, rate), rate).fill(hole_T, np.random.default_rng(1))
    level_db = [
        10 * np.log10(np.square(filled_T[i : i + 1600]).mean()) for i in range(0, len(filled_T), 1600)
    ]
    assert np.ptp(level_db) < 3


def test_what_has_the_noise_already_hardly_changes() -> None:
    rate = 16000
    wav_T = room(2, rate) + words(2, rate)
    added_T = NoiseFloor(wav_T, rate).fill(wav_T, np.random.default_rng(1)) - wav_T
    assert np.square(added_T).mean() < 0.2 * np.square(room(2, rate)).mean()


def test_a_recording_without_noise_adds_none() -> None:
    floor = NoiseFloor(words(2, 16000), 16000)
    assert np.abs(floor.fill(np.zeros(1600, np.float32), np.random.default_rng(1))).max() < 1e-4


def test_nothing_is_filled_in_nothing() -> None:
    assert not len(NoiseFloor(room(1, 16000), 16000).fill(np.zeros(0, np.float32), np.random.default_rng(1)))
