"""Systems that are bad on purpose come last by the metric that is there to see it, and the truth comes first."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from speechx.errors import InputError
from speechx.eval.evaluator import Evaluator, evaluator_class
from speechx.eval.judges.judges import Judges
from speechx.eval.report.summary import metric_summary
from speechx.eval.run.score import score_system
from speechx.eval.sets.store import TestSet
from speechx.eval.systems.systems import built_in
from speechx.task import registry

GOOD = ("ground_truth", "codec_round_trip")


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


def test_each_task_has_its_evaluator_and_each_evaluator_its_task() -> None:
    import pkgutil

    import speechx.eval

    found = set()
    for module in pkgutil.iter_modules(speechx.eval.__path__):
        try:
            found.add(evaluator_class(module.name).task)
        except Exception:  # a module that is no evaluator
            continue
    assert found == {
        n for n in registry.task_names() if type(registry.task(n)).__module__.startswith("speechx.tasks.")
    }


@pytest.mark.parametrize("name", registry.task_names())
def test_evaluators_are_whole(name: str) -> None:
    kind: type[Evaluator] = evaluator_class(name)
    names = [m.name for m in kind.all_metrics()]
    assert (
        len(set(names)) == len(names) and kind.worst_by in names and all(m.about for m in kind.all_metrics())
    )
    assert "ground_truth" in kind.references and "codec_round_trip" in kind.references
    for reference in kind.references:
        built_in(reference, Judges())


def test_a_new_evaluator_is_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"add eval/backwards\.py"):
        evaluator_class("backwards")
    module = ModuleType("speechx.eval.backwards")
    kind = type("Backwards", (evaluator_class("tts"),), {"task": "backwards"})
    module.Backwards = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "speechx.eval.backwards", module)
    assert evaluator_class("backwards") is kind
