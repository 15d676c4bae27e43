"""Metrics against values that are known: from the definition, from the libraries' own examples, or by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechx.audio.mel import slaney_filters
from speechx.eval.items import Output, check_output
from speechx.eval.metrics import signal, words
from speechx.eval.metrics.mel import cepstra, mel_power
from speechx.eval.scores import Metric, Scores, Unmeasurable

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


@pytest.mark.parametrize(
    ("reference", "heard", "wer"),
    [
        ("The cat sat.", "the cat sat", 0),
        ("the cat sat on the mat", "the cat sat on mat", 1 / 6),
        ("the cat sat on the mat", "a cat sat on the big mat", 2 / 6),
        ("twenty one colours", "21 colors", 0),
        ("hello", "", 1),
        ("big cat", "big cat sat on a mat", 4 / 2),
    ],
)
def test_wer(reference: str, heard: str, wer: float) -> None:
    errors = words.wer_counts(reference, heard, "en")
    assert errors.wer.value == pytest.approx(wer) and errors.wer.weight == errors.words


def test_wer_of_other_languages_keeps_accents() -> None:
    assert words.wer_counts("él está aquí", "el esta aqui", "es").wer.value > 0
    assert words.wer_counts("¿Dónde está?", "dónde está", "es").wer.value == 0
    with pytest.raises(Unmeasurable):
        words.wer_counts("...", "hello", "en")


def test_cer() -> None:
    assert words.cer("abcd efgh", "abcd efgx", "en").value == pytest.approx(1 / 8)
    assert words.cer("abcd", "", "en").value == 1


def test_hallucination_is_three_words_in_a_row() -> None:
    assert words.wer_counts("the cat sat", "the cat sat and then it slept", "en").hallucinated
    assert not words.wer_counts("the cat sat on the mat", "a cat stood on a mat", "en").hallucinated
    assert not words.wer_counts("the cat sat on the mat", "", "en").hallucinated


def test_loops() -> None:
    assert words.has_loop("the cat sat", "the cat the cat the cat sat", "en")
    assert not words.has_loop("no no no stop", "no no no stop", "en")
    assert not words.has_loop("the cat sat", "the the cat sat", "en")


def test_errors_of_a_span() -> None:
    errors = words.wer_counts("a b c d e f g h i j", "a b c x y f g h i j", "fr")
    assert errors.part(0.3, 0.5).value == 1 and errors.part(0.3, 0.5).weight == 2
    assert errors.part(0.6, 1.0).value == 0


def test_scores_keep_reasons() -> None:
    scores = Scores()
    scores.add(("a", "b"), lambda: {"a": 1.0, "b": float("nan")})
    scores.add(("c",), lambda: {"c": 1 / 0})
    assert (
        scores["a"].value == 1
        and scores["b"].value is None
        and "ZeroDivisionError" in str(scores["c"].reason)
    )


@pytest.mark.parametrize(
    ("wav_T", "says"),
    [(np.zeros(0), "empty"), (np.full(16000, np.nan), "not finite"), (np.zeros((2, 16000)), "2 dimensions")],
)
def test_outputs_that_are_no_sound(wav_T: np.ndarray, says: str) -> None:
    with pytest.raises(Unmeasurable, match=says):
        check_output(Output(wav_T))


def test_outputs_of_other_rates_are_resampled() -> None:
    assert len(check_output(Output(np.zeros(24000, np.float32), 24000))) == 16000


def test_metrics_show_their_unit() -> None:
    assert Metric("wer", "", "lower", "%").show(0.0512) == "5.1" and Metric("x", "", None).show(None) == "–"
