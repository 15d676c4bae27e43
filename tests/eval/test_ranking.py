"""Systems that are bad on purpose come last by the metric that is there to see it, and the truth comes first."""

from __future__ import annotations

from typing import Any

import pytest

from speechx.eval.evaluator import evaluator_class
from speechx.eval.judges.judges import Judges
from speechx.eval.report.summary import metric_summary
from speechx.eval.run.score import score_system
from speechx.eval.sets.store import TestSet
from speechx.eval.systems.systems import built_in


@pytest.fixture
def mean(test_set: TestSet, judges: Judges, tmp_path: Any) -> Any:
    """mean(ability, system, metric) over the items of the set; larger is better."""
    kept: dict[tuple[str, str], Any] = {}

    def of(ability: str, system: str, metric: str) -> float:
        items = [i for i in test_set.items if i.ability == ability]
        evaluator = evaluator_class(items[0].task)(judges)
        if (ability, system) not in kept:
            made = score_system(built_in(system, judges), items, evaluator, tmp_path / system, print)
            kept[ability, system] = list(made)
        told = metric_summary(kept[ability, system], metric)
        assert told["mean"] is not None, told["reasons"]
        better = next(m.better for m in evaluator.all_metrics() if m.name == metric)
        return told["mean"] if better == "higher" else -told["mean"]

    return of


@pytest.mark.parametrize(
    ("ability", "bad", "metric"),
    [
        ("tts", "noise", "wer"),
        ("tts", "silence", "wer"),
        ("tts", "silence", "mos"),
        ("tts", "noise", "speaker"),
        ("tts", "wrong_speaker", "speaker"),
        ("tts", "leaked", "wer"),
        ("tts", "leaked", "hallucination"),
        ("noise_suppression", "noise", "dnsmos"),
        ("noise_suppression", "noise", "stoi"),
        ("noise_suppression", "silence", "wer"),
        ("noise_suppression", "silence", "si_sdr"),
        ("noise_suppression", "leaked", "si_sdr"),
        ("noise_suppression", "wrong_speaker", "speaker"),
        ("target_speaker_extraction", "wrong_speaker", "wrong_speaker"),
        ("target_speaker_extraction", "wrong_speaker", "si_sdr_gain"),
        ("target_speaker_extraction", "silence", "wrong_speaker"),
        ("target_speaker_extraction", "leaked", "wer"),
        ("speech_removal", "no_processing", "words_left"),
        ("speech_removal", "silence", "spectrum"),
        ("speech_removal", "noise", "mcd"),
        ("speech_editing", "noise", "untouched"),
        ("speech_editing", "codec_round_trip", "untouched"),
        ("speech_editing", "silence", "wer_span"),
        ("speech_editing_background", "silence", "background"),
        ("speech_editing_background", "noise", "wer"),
    ],
)
def test_bad_is_last(ability: str, bad: str, metric: str, mean: Any) -> None:
    assert mean(ability, "ground_truth", metric) > mean(ability, bad, metric)


def test_the_truth_is_perfect_where_it_must_be(mean: Any) -> None:
    assert mean("tts", "ground_truth", "wer") == 0
    assert mean("speech_removal", "ground_truth", "spectrum") == 0
    assert mean("speech_editing", "ground_truth", "untouched") == pytest.approx(1, abs=0.02)
    assert mean("target_speaker_extraction", "ground_truth", "wrong_speaker") == 0
