"""What every task must keep, for each task there is; and that adding one takes its file and nothing else."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speechx.api import SpeechX
from speechx.cli.main import main
from speechx.models.lm.prompt import Text, pack
from speechx.models.vocab import NUM_TASKS
from speechx.task import registry

NAMES = registry.task_names()
FILL: dict[str, Any] = {
    "text": "Hello there.",
    "language": "en",
    "voice": "heart",
    "enrollment": "heart",
    "span": (0.8, 1.6),
}
"""A value for each kind of field that a task may require."""


def minimal(name: str, wav: Any) -> dict[str, Any]:
    """The least that a request of this task needs."""
    fields = registry.task(name).Request.model_fields
    given = {field: FILL.get(field, wav) for field, info in fields.items() if info.is_required()}
    return given | ({"span": FILL["span"]} if "span" in fields else {})


def test_the_seven_abilities_are_there() -> None:
    assert len(NAMES) >= 6
    slots = [t.slot for t in registry.tasks().values()]
    assert len(set(slots)) == len(slots) and all(0 <= s < NUM_TASKS for s in slots)


@pytest.mark.parametrize("name", NAMES)
def test_shape(name: str) -> None:
    task = registry.task(name)
    assert task.name == name and task.summary and task.summary[0].islower()
    assert type(task).__module__.rsplit(".", 1)[-1] == name
    source = Path(inspect.getfile(type(task)))
    assert len(source.read_text().splitlines()) < 350
    fields = task.Request.model_fields
    assert next(n for n, f in fields.items() if f.is_required()) in ("text", "audio")
    assert set(registry.shared_fields(task)) == {
        "seed", "temperature", "top_p", "best_of", "format", "stream", "timestamps",
    }  # fmt: skip
    assert all(f.description for f in fields.values()), "every field says what it is"
    task.Request.model_json_schema()


@pytest.mark.parametrize("name", NAMES)
def test_prompts_can_be_packed(name: str, pipeline: Any, speech: Any) -> None:
    job = pipeline.job(name, **minimal(name, (speech(3), 16000)))
    task: Any = registry.task(name)
    prompt = task.prompt(job.request, pipeline.frontend)
    packed = pack(prompt)
    assert len(packed) > 3
    params = task.params(job.request, prompt, pipeline.frontend.frame_rate)
    assert params.max_frames >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_reaches_the_model(name: str, pipeline: Any, speech: Any) -> None:
    """A text that the request takes and the prompt leaves out would be a silent loss."""
    task: Any = registry.task(name)
    if "text" not in task.Request.model_fields or not getattr(task, "uses_text", True):
        return
    fields = {**minimal(name, (speech(3), 16000)), "text": "The kettle is on the stove."}
    prompt = task.prompt(pipeline.job(name, **fields).request, pipeline.frontend)
    assert prompt.track is not None and any(isinstance(s, Text) for s in prompt.segments)


@pytest.mark.parametrize("name", NAMES)
def test_python_and_command_line(
    name: str, pipeline: Any, wav_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = minimal(name, str(wav_file))
    sx = SpeechX(pipeline)
    method = getattr(sx, name)
    first, *_ = list(inspect.signature(method).parameters)
    assert method(fields[first], **{k: v for k, v in fields.items() if k != first}, seed=1).seconds > 0.1
    assert registry.task(name).summary[1:] in method.__doc__

    monkeypatch.setattr("speechx.cli.task.load", lambda model: sx)
    out = wav_file.with_name("out.flac")
    options = [x for k, v in fields.items() if k != first for x in option(k, v)]
    assert main([name.replace("_", "-"), fields[first], *options, "-o", str(out), "--seed", "1"]) == 0
    assert out.stat().st_size > 1000


def option(name: str, value: Any) -> list[str]:
    values = value if isinstance(value, tuple) else (value,)
    return ["--" + name.replace("_", "-"), *map(str, values)]


def test_typed_stubs_name_what_is_there() -> None:
    tree = ast.parse(inspect.getsource(sys.modules[SpeechX.__module__]))
    stubs = [
        n for i in ast.walk(tree) if isinstance(i, ast.If) for n in i.body if isinstance(n, ast.FunctionDef)
    ]
    assert len(stubs) == 6
    for stub in stubs:
        task = registry.task(stub.name)
        named = {a.arg for a in [*stub.args.args[1:], *stub.args.kwonlyargs]}
        own = set(task.Request.model_fields) - set(registry.shared_fields(task))
        assert named == own, stub.name


TOY = '''
"""Backwards: a toy."""
import numpy as np
from pydantic import Field
from speechx.task.examples import Example
from speechx.models.lm.prompt import Frames, Prompt
from speechx.task import fields as _fields
from speechx.task.task import Task, TaskRequest

class BackwardsRequest(TaskRequest):
    audio: _fields.Audio = Field(description="the recording")

class Backwards(Task[BackwardsRequest]):
    name = "backwards"
    slot = 63
    summary = "say it backwards"
    Request = BackwardsRequest

    def prompt(self, req, front):
        codes_FK = front.encode(front.load_audio(req.audio))[::-1].copy()
        return Prompt(self.slot, (Frames(codes_FK),), track_codes_FK=codes_FK, frames=len(codes_FK))

    def example(self, cut, pool, rng):
        return Example(self.Request(audio=(cut.wav_T, 16000)), cut.wav_T[::-1].copy(), None, cut.language, cut.speaker)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with one task file, found as the package `tasks` is."""
    package = tmp_path / "toy_tasks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "backwards.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = registry.scan_package("toy_tasks")
    assert list(found) == ["backwards"]
    undo = registry.register("backwards", found["backwards"])
    yield
    undo()


@pytest.mark.usefixtures("toy")
def test_a_new_task_is_one_file(
    pipeline: Any, wav_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sx = SpeechX(pipeline)
    assert "backwards" in sx.tasks and "backwards" in dir(sx)
    made = sx.backwards(str(wav_file))
    assert made.seconds == 3.0
    monkeypatch.setattr("speechx.cli.task.load", lambda model: sx)
    monkeypatch.setattr("speechx.cli.batch.load", lambda *_: sx)
    assert main(["tasks"]) == 0
    assert "say it backwards" in capsys.readouterr().out
    out = wav_file.with_name("out.wav")
    assert main(["backwards", str(wav_file), "-o", str(out)]) == 0 and out.exists()
    manifest = wav_file.with_name("rows.jsonl")
    manifest.write_text('{"id": "x", "task": "backwards", "audio": "in.wav"}\n')
    assert main(["batch", str(manifest), "-o", str(wav_file.parent / "done")]) == 0
    assert (wav_file.parent / "done" / "x.wav").exists()


def test_a_removed_task_is_gone() -> None:
    assert "backwards" not in registry.task_names()
