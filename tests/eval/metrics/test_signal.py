"""Signal metrics against known values: from the definition, from the libraries' own examples, or by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechx.audio.mel import slaney_filters
from speechx.eval.metrics import signal
from speechx.eval.metrics.mel import cepstra, mel_power
from speechx.eval.scores import Unmeasurable

T = np.arange(48000) / 16000


def tone(hertz: float = 440.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * T)).astype(np.float32)


def test_si_sdr_is_the_power_ratio() -> None:
    target, noise = tone(), tone(1000)  # orthogonal over 3 s
    for ratio_db in (-5, 0, 10, 20):
        made = signal.si_sdr(target + noise * 10 ** (-ratio_db / 20), target)
        assert made == pytest.approx(ratio_db, abs=0.01)
    assert signal.si_sdr(0.01 * (target + noise), target) == pytest.approx(0, abs=0.01), (
        "the scale does not count"
    )
    assert signal.si_sdr(target, target) > 80


def test_si_sdr_published_example() -> None:
    # The example in the documentation of torchmetrics' ScaleInvariantSignalDistortionRatio, which keeps the mean: 18.403.
    target, estimate = np.array([3.0, -0.5, 2.0, 7.0]), np.array([2.5, 0.0, 2.0, 8.0])
    wanted = estimate @ target / (target @ target) * target
    kept = 10 * np.log10(wanted @ wanted / ((estimate - wanted) @ (estimate - wanted)))
    assert kept == pytest.approx(18.403, abs=1e-3)
    centered = signal.si_sdr(estimate, target)
    assert centered == pytest.approx(15.0918, abs=1e-3), (
        "zero-mean as in Le Roux 2019; torchmetrics zero_mean=True"
    )


def test_pesq(speech: Any) -> None:
    pytest.importorskip("pesq", reason="pesq is not installed")
    clean = speech(3.0)
    assert signal.pesq_wb(clean, clean) == pytest.approx(4.644, abs=0.001), "the scale's end, ITU-T P.862.2"
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    values = [signal.pesq_wb(clean + level * noise, clean) for level in (0.003, 0.03, 0.3)]
    assert values == sorted(values, reverse=True) and 1.0 <= values[-1] < 1.5


def test_stoi(speech: Any) -> None:
    pytest.importorskip("pystoi", reason="pystoi is not installed")
    clean = speech(3.0)
    assert signal.stoi(clean, clean) == pytest.approx(1.0, abs=1e-6)
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    values = [signal.stoi(clean + level * noise, clean) for level in (0.01, 0.1, 1.0)]
    assert values == sorted(values, reverse=True) and values[-1] < 0.5


def test_mismatch_and_silence_are_reasons() -> None:
    with pytest.raises(Unmeasurable, match=r"length mismatch: 2\.00 s against 3\.00 s"):
        signal.si_sdr(tone()[:32000], tone())
    with pytest.raises(Unmeasurable, match="reference is silent"):
        signal.si_sdr(tone(), np.zeros(48000, np.float32))
    with pytest.raises(Unmeasurable, match="output is silent"):
        signal.si_sdr(np.zeros(48000, np.float32), tone())


def test_mel_filters_are_slaneys() -> None:
    # Centers below 1 kHz are equally far apart, above they grow by one factor; each triangle has area 1.
    bank = slaney_filters(16000, 4096, 40)
    centers = bank.argmax(1) * 16000 / 4096
    steps = np.diff(centers)
    assert np.ptp(steps[:8]) < 8 and steps[-1] / steps[-2] == pytest.approx(steps[-3] / steps[-4], rel=0.1)
    assert (bank.sum(1) * 16000 / 4096)[5:] == pytest.approx(1.0, rel=0.05)
    assert mel_power(tone(1000), window=400)[100].argmax() == slaney_filters(16000, 400, 40)[:, 25].argmax()


def test_cepstral_and_spectral_distances() -> None:
    noise = np.random.default_rng(0).standard_normal(48000).astype(np.float32) * 0.1
    assert signal.mcd(noise, noise) == 0 and signal.log_spectral_distance(noise, noise) == 0
    assert signal.mcd(0.5 * noise, noise) == pytest.approx(0, abs=1e-3), "level is no matter to c1..c13"
    assert signal.log_spectral_distance(0.5 * noise, noise) == pytest.approx(20 * np.log10(2), abs=0.01)
    assert cepstra(noise).shape[1] == 13
    assert signal.mcd(tone(), noise) > 10


def test_identity_counts_both_ends() -> None:
    source = tone()
    edited = np.concatenate([source[:10000], np.zeros(7000, np.float32), source[20000:]])
    head, tail = signal.shared_ends(edited, source)
    assert abs(head - 10000) < 40 and abs(tail - 28000) < 40
    assert signal.shared_ends(source, source) == (48000, 0)
    assert signal.shared_ends(-source, source)[0] < 40


def test_seams_that_click_are_heard(speech: Any) -> None:
    smooth = speech(3.0)
    click = smooth.copy()
    click[24000:24003] = 0.9, -0.9, 0.9
    at = (24000, len(smooth) - 24000)
    assert signal.seam_jump(click, *at) > 1.5 * signal.seam_jump(smooth, *at)
    with pytest.raises(Unmeasurable, match="no seam"):
        signal.seam_jump(smooth, len(smooth), 0)


def test_background_level() -> None:
    noise = np.random.default_rng(0).standard_normal(32000) * 0.1
    assert signal.background_difference(0.1 * noise, noise) == pytest.approx(20, abs=0.1)
