"""Each task has one evaluator, found by name."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from speechx.errors import InputError
from speechx.eval.evaluator import Evaluator, evaluator_class
from speechx.eval.judges.judges import Judges
from speechx.eval.systems.systems import built_in
from speechx.task import registry


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
