"""The worked example of tasks/README.md: its two files give a task that runs everywhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechx.api import SpeechX
from speechx.cli.main import main
from speechx.data.synthetic import synthetic_pack
from speechx.eval.evaluator import evaluator_class
from speechx.eval.judges.base import JudgeInfo, Transcript
from speechx.eval.judges.judges import Judges
from speechx.eval.sets.build import BuildOptions, build_set
from speechx.eval.sets.store import load_set
from speechx.task import registry
from tests.house.test_layout import ROOT

README = (ROOT / "tasks" / "README.md").read_text("utf-8")
TASK, EVALUATOR = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The two files in place: the evaluator as a module of speechx.eval, the task found as those of tasks/ are."""
    import speechx.eval as evaluators

    package = tmp_path / "more_tasks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "dereverberation.py").write_text(TASK)
    (tmp_path / "more_eval").mkdir()
    (tmp_path / "more_eval" / "dereverberation.py").write_text(EVALUATOR)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(evaluators, "__path__", [*evaluators.__path__, str(tmp_path / "more_eval")])
    undo = registry.register("dereverberation", registry.scan_package("more_tasks")["dereverberation"])
    yield
    undo()
    for name in ("more_tasks", "more_tasks.dereverberation", "speechx.eval.dereverberation"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("added")
def test_it_is_a_method_and_a_command(
    pipeline: Any, wav_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sx = SpeechX(pipeline)
    request = registry.parse_request("dereverberation", {"audio": str(wav_file)})
    plan = registry.task("dereverberation").plan(request, pipeline.frontend)
    assert plan.recording is None, "its output is generated, not the recording attenuated"
    assert sx.dereverberation(str(wav_file), seed=1).seconds == 3.0
    monkeypatch.setattr("speechx.cli.task.load", lambda model: sx)
    assert main(["dereverberation", str(wav_file), "-o", str(tmp_path / "out.wav")]) == 0
    assert (tmp_path / "out.wav").exists()


@pytest.mark.usefixtures("added")
def test_its_examples_can_be_listened_to(
    frontend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechx.pipeline.loading.load_front", lambda model, **_: frontend)
    assert main(["data", "example", "dereverberation", "--out", str(tmp_path), "--count", "2"]) == 0
    for number in ("0", "1"):
        folder = tmp_path / "dereverberation" / number
        facts = json.loads((folder / "example.json").read_text())
        assert facts["prompt"][:2] == ["task 7", "marker 9"] and facts["target_frames"] > 10
        assert {"request-audio.wav", "target.wav"} <= {path.name for path in folder.iterdir()}


class Silent:
    """A recognizer that never recognizes a word."""

    info = JudgeInfo("silent", "tests", "1", "0" * 16)

    def transcribe(self, wavs: Sequence[np.ndarray], languages: Sequence[str]) -> list[Transcript]:
        return [Transcript("") for _ in wavs]


@pytest.mark.usefixtures("added")
def test_its_evaluator_ranks_the_dry_recording_above_the_room(tmp_path: Path) -> None:
    pack = synthetic_pack(tmp_path / "pack", utterances=16, speakers=4, noises=4, words=9)
    build_set(
        [pack], tmp_path / "set", ("dereverberation",), BuildOptions("train", count=2, seconds=(1.0, 10.0))
    )
    evaluator = evaluator_class("dereverberation")(Judges(models={"asr": Silent()}))
    for item in load_set(tmp_path / "set").items:
        dry, room = (evaluator.score(item, wav_T) for wav_T in (item.target_T, item.recording("audio")))
        assert dry["wer"].value == room["wer"].value == 1.0
        if dry["stoi"].value is not None:  # pystoi is an extra
            assert dry["stoi"].value > 0.99 > room["stoi"].value


def test_its_slot_and_marker_are_free() -> None:
    taken = registry.tasks().values()
    assert "dereverberation" not in registry.task_names()
    assert 7 not in {task.slot for task in taken} | {getattr(task, "slot_background", 0) for task in taken}
    assert 9 not in {getattr(task, "marker", 0) for task in taken}
