"""`speechx batch`: manifests, resuming, failures by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speechx.api import SpeechX
from speechx.cli.main import main

GOOD = {"id": "a", "task": "tts", "text": "Hello.", "voice": "heart", "seed": 1}


@pytest.fixture
def sx(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> SpeechX:
    loaded = SpeechX(pipeline)
    monkeypatch.setattr(SpeechX, "load", classmethod(lambda cls, *_, **__: loaded))
    return loaded


def write(path: Path, rows: list[Any]) -> str:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return str(path)


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_rows_become_files(sx: SpeechX, wav_file: Path, tmp_path: Path) -> None:
    rows = [
        GOOD,
        {"id": "b", "task": "noise-suppression", "audio": "in.wav", "format": "flac"},
        {"id": "c", "task": "tts", "text": "Hello.", "voice": "in.wav", "timestamps": True},
    ]
    out = tmp_path / "out"
    assert main(["batch", write(tmp_path / "m.jsonl", rows), "--output", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["a.wav", "b.flac", "c.wav", "results.jsonl"]
    told = {row["id"]: row for row in results(out)}
    assert (
        told["a"]["seed"] == 1
        and told["b"]["output"] == "b.flac"
        and told["c"]["words"][0]["text"] == "Hello"
    )
    assert all(
        row["status"] == "ok" and row["model"] == "echo" and row["seconds"] > 0 for row in told.values()
    )


def test_a_bad_row_is_recorded_and_tried_again(
    sx: SpeechX, wav_file: Path, tmp_path: Path, capsys: Any
) -> None:
    rows = [GOOD, {"id": "b", "task": "noise_suppression", "audio": "later.wav"}, {**GOOD, "id": "c"}]
    manifest, out = write(tmp_path / "m.jsonl", rows), tmp_path / "out"
    assert main(["batch", manifest, "-o", str(out)]) == 1
    told = {row["id"]: row for row in results(out)}
    assert (
        told["b"]["status"] == "error"
        and "does not exist" in told["b"]["error"]
        and told["b"]["field"] == "audio"
    )
    assert (out / "a.wav").exists() and (out / "c.wav").exists() and not (out / "b.wav").exists()

    wav_file.rename(tmp_path / "later.wav")
    made = (out / "a.wav").stat().st_mtime_ns
    assert main(["batch", manifest, "-o", str(out)]) == 0
    assert "2 of 3 rows are done already" in capsys.readouterr().err
    assert (out / "a.wav").stat().st_mtime_ns == made
    assert [row["id"] for row in results(out)][-1] == "b" and len(results(out)) == 4
    assert main(["batch", manifest, "-o", str(out)]) == 0
    assert len(results(out)) == 4


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([GOOD] * 6 + ['{"id": "x", "task": '], "line 2: id 'a' is also on line 1"),
        (
            [{**GOOD, "id": str(i)} for i in range(6)] + ['{"id": "x", "task": '],
            "line 7: broken JSON at column",
        ),
        ([GOOD, {**GOOD, "id": "b", "task": "sing"}], "line 2: task 'sing' is unknown; choose one of"),
        ([{k: v for k, v in GOOD.items() if k != "voice"}], "line 1: voice is missing: tts needs it"),
        ([{k: v for k, v in GOOD.items() if k != "id"}], "line 1: id is missing"),
        ([{k: v for k, v in GOOD.items() if k != "task"}], "line 1: task is missing"),
        ([{**GOOD, "id": "../../etc/x"}], "line 1: id '../../etc/x' cannot name a file"),
        ([{**GOOD, "language": "xx"}], "line 1: language: 'xx' is not supported"),
        (["[1, 2]"], "line 1: a row must be a JSON object"),
        ([""], "has no rows"),
    ],
)
def test_bad_manifests_stop_before_anything_runs(
    sx: SpeechX, tmp_path: Path, rows: list[Any], says: str, capsys: Any
) -> None:
    out = tmp_path / "out"
    assert main(["batch", write(tmp_path / "m.jsonl", rows), "-o", str(out)]) == 2
    assert says in capsys.readouterr().err
    assert not out.exists() and not sx.pipeline.runner.engine.added  # type: ignore[attr-defined]


def test_missing_manifest(sx: SpeechX, tmp_path: Path, capsys: Any) -> None:
    assert main(["batch", str(tmp_path / "none.jsonl"), "-o", str(tmp_path / "out")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_ctrl_c_leaves_whole_files_only(
    sx: SpeechX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    engine: Any = sx.pipeline.runner.engine
    step, count = engine.step, 0

    def interrupted() -> list[Any]:
        nonlocal count
        count += 1
        if count == 12:
            raise KeyboardInterrupt
        return step()

    monkeypatch.setattr(engine, "step", interrupted)
    rows = [{**GOOD, "id": str(i), "text": "Hello there, my friend. " * (i + 1)} for i in range(6)]
    manifest, out = write(tmp_path / "m.jsonl", rows), tmp_path / "out"
    assert main(["batch", manifest, "-o", str(out), "--slots", "2"]) == 130
    done = {p.stem for p in out.glob("*.wav")}
    assert done == {row["id"] for row in results(out)} and 0 < len(done) < 6
    assert not list(out.glob(".*")) and not engine.has_work
    monkeypatch.undo()
