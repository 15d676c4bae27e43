"""Speech at another speed."""

from __future__ import annotations

import numpy as np
import pytest

from speechx.audio.stretch import TimeStretch
from tests.conftest import voice

SPEEDS = [0.5, 0.75, 1.1, 1.5, 2.0]


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("samples", [0, 1, 300, 5_000, 48_000])
def test_length_and_cuts(speed: float, samples: int) -> None:
    """A stream gives the same samples, however it is cut, and as many as it must."""
    wav_T = voice(3.0)[:samples]
    whole_T = TimeStretch(16000, speed).push(wav_T, last=True)
    assert len(whole_T) == round(samples / speed)
    rng, stretch, parts, at = np.random.default_rng(0), TimeStretch(16000, speed), [], 0
    while True:
        upto = at + int(rng.integers(1, 4000))
        parts.append(stretch.push(wav_T[at:upto], last=upto >= samples))
        if upto >= samples:
            break
        at = upto
    assert np.array_equal(np.concatenate(parts), whole_T)


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("rate", [16000, 44100])
def test_the_pitch_and_the_level_stay(speed: float, rate: int) -> None:
    tone_T = (0.5 * np.sin(2 * np.pi * 150 * np.arange(2 * rate) / rate)).astype(np.float32)
    out_T = TimeStretch(rate, speed).push(tone_T, last=True)
    middle_T = out_T[len(out_T) // 8 : -len(out_T) // 8]
    spectrum = np.abs(np.fft.rfft(middle_T * np.hanning(len(middle_T)), 4 * rate))
    assert np.argmax(spectrum) / 4 == pytest.approx(150, abs=0.5)
    assert middle_T.std() == pytest.approx(tone_T.std(), rel=0.02)


@pytest.mark.parametrize("speed", SPEEDS)
def test_things_happen_when_they_should(speed: float) -> None:
    """A word that begins at 1 s begins at 1 s / speed."""
    wav_T = np.concatenate([np.zeros(16000, np.float32), voice(1.0), np.zeros(16000, np.float32)])
    out_T = TimeStretch(16000, speed).push(wav_T, last=True)
    loud = np.flatnonzero(np.abs(out_T) > 0.02) / 16000
    assert loud[0] == pytest.approx(1 / speed, abs=0.02) and loud[-1] == pytest.approx(2 / speed, abs=0.03)


def test_speed_1_changes_nothing() -> None:
    wav_T = voice(1.0)
    assert TimeStretch(16000, 1.0).push(wav_T) is wav_T
