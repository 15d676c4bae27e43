"""Joining parts, mixing, assembling."""

from __future__ import annotations

import numpy as np
import pytest

from speechx.audio import levels, mixing
from speechx.audio.joining import Joiner


def join(parts: list[np.ndarray], overlap: int, step: int) -> np.ndarray:
    joiner, out = Joiner(overlap), []
    for part_T in parts:
        joiner.begin()
        out += [joiner.push(part_T[i : i + step]) for i in range(0, len(part_T), step)]
    return np.concatenate([*out, joiner.close()])


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("overlap", [0, 5, 20])
def test_only_the_overlap_changes(overlap: int, step: int) -> None:
    rng = np.random.default_rng(0)
    a_T, b_T, c_T = (rng.standard_normal(n).astype(np.float32) for n in (100, 60, 80))
    out_T = join([a_T, b_T, c_T], overlap, step)
    assert len(out_T) == 240 - 2 * overlap
    assert np.array_equal(out_T[: 100 - overlap], a_T[: 100 - overlap])
    assert np.array_equal(out_T[100 : 160 - 2 * overlap], b_T[overlap : 60 - overlap])
    assert np.array_equal(out_T[160 - overlap :], c_T[overlap:])
    assert np.allclose(out_T[100 - overlap : 100], mixing.crossfade(a_T[100 - overlap :], b_T[:overlap]))


def test_a_part_shorter_than_the_overlap() -> None:
    out_T = join([np.ones(50, np.float32), np.ones(3, np.float32), np.ones(50, np.float32)], 10, 50)
    assert np.allclose(out_T, 1, atol=1e-5)


def test_equal_sounds_pass_through_a_cross_fade() -> None:
    tone_T = np.sin(np.arange(240) / 5).astype(np.float32)
    assert np.allclose(mixing.crossfade(tone_T, tone_T), tone_T, atol=1e-5)


def test_unrelated_sounds_keep_their_power() -> None:
    rng = np.random.default_rng(0)
    power = [
        float(np.mean(mixing.crossfade(*rng.standard_normal((2, 4800)).astype(np.float32)) ** 2))
        for _ in range(20)
    ]
    assert np.mean(power) == pytest.approx(1, abs=0.05)
    rising_T, falling_T = np.ones(480, np.float32), -np.ones(480, np.float32)
    assert np.abs(mixing.crossfade(rising_T, falling_T)).max() < 1.5


@pytest.mark.parametrize("ratio", [-5.0, 0.0, 20.0])
def test_ratios_are_of_the_active_parts(ratio: float) -> None:
    rng = np.random.default_rng(1)
    speech_T = np.concatenate([rng.standard_normal(16000), np.zeros(32000)]).astype(np.float32)
    noise_T = mixing.scaled_to_ratio(speech_T, rng.standard_normal(9000).astype(np.float32) * 7, ratio)
    assert len(noise_T) == len(speech_T)
    measured = levels.db(levels.active_rms(speech_T) / levels.active_rms(noise_T))
    assert measured == pytest.approx(ratio, abs=0.1)


@pytest.mark.parametrize("level", [1e-3, 0.05, 1.0])
def test_the_standard_level(level: float, speech: object) -> None:
    wav_T = level * np.random.default_rng(0).standard_normal(32000).astype(np.float32) * 0.2
    gain = levels.standard_gain(wav_T)
    assert levels.active_rms(wav_T * gain) == pytest.approx(levels.STANDARD_RMS, rel=0.01)
    assert levels.standard_gain(np.zeros(16000, np.float32)) == 1.0
    spike_T = np.zeros(16000, np.float32)
    spike_T[::4000] = 1.0
    assert np.abs(spike_T * levels.standard_gain(spike_T)).max() <= 1.0


def test_lengths() -> None:
    wav_T = np.arange(1000, dtype=np.float32)
    assert len(mixing.fit_length(wav_T, 300)) == 300
    assert len(mixing.fit_length(wav_T, 5001)) == 5001
    assert not mixing.fit_length(wav_T[:0], 5).any()
    assert len(mixing.random_crop(wav_T, 2000, np.random.default_rng(0))) == 1000
