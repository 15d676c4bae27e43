"""Public packages as systems; skipped where a package is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from speechx.eval.items import read_recording
from speechx.eval.metrics.signal import si_sdr
from speechx.eval.scores import MissingDependency
from speechx.eval.systems.baselines import deepfilternet, espeak, opus, opus_file, rnnoise


@pytest.mark.parametrize("baseline", [rnnoise, deepfilternet])
def test_baselines_keep_the_time(baseline: Callable[[np.ndarray], np.ndarray]) -> None:
    wav_T = read_recording(Path(__file__).parents[3] / "speechx" / "assets" / "samples" / "noisy_clean.flac")
    try:
        out_T = baseline(wav_T)
    except MissingDependency as error:
        pytest.skip(str(error))
    assert len(out_T) == len(wav_T)
    assert si_sdr(out_T, wav_T) > 10, "its delay is taken out"


def test_opus_is_a_lossy_codec_of_the_same_length() -> None:
    wav_T = read_recording(Path(__file__).parents[3] / "speechx" / "assets" / "samples" / "noisy_clean.flac")
    out_T = opus(wav_T)
    assert len(out_T) == len(wav_T)
    assert si_sdr(out_T, wav_T) > 1
    assert 5000 < len(opus_file(wav_T).getvalue()) * 8 * 16000 / len(wav_T) < 9000  # 6 kbit/s, and pages


def test_espeak_says_the_text() -> None:
    try:
        short_T, long_T = espeak("Hello.", "en"), espeak("Hello, this is a longer sentence.", "en")
    except MissingDependency as error:
        pytest.skip(str(error))
    assert 0.2 < len(short_T) / 16000 < 1.5 < len(long_T) / 16000 < 4
    assert np.abs(short_T).max() > 0.05
    assert len(espeak("Buenos días.", "es")) and len(espeak("Bonjour.", "fr"))
