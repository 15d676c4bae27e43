"""`speechx batch`: manifests, resuming, failures by row, exit codes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import fsspec
import pytest

from speechx.api import SpeechX
from speechx.cli.main import main
from speechx.pipeline import loading

GOOD = {"id": "a", "task": "tts", "text": "Hello.", "voice": "heart", "seed": 1}


@pytest.fixture
def sx(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> SpeechX:
    loaded = SpeechX(pipeline)
    monkeypatch.setattr(SpeechX, "load", classmethod(lambda cls, *_, **__: loaded))
    monkeypatch.setattr(loading, "weights_hash", lambda folder: "echo")
    return loaded


def write(path: Path, rows: list[Any], bom: bool = False) -> str:
    text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows)
    path.write_text(text, encoding="utf-8-sig" if bom else "utf-8")
    return str(path)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """The last line of each row."""
    return {row["id"]: row for row in lines(folder)}


def test_rows_become_files(sx: SpeechX, wav_file: Path, tmp_path: Path) -> None:
    rows = [
        GOOD,
        {"id": "b", "task": "noise-suppression", "audio": "in.wav", "format": "flac"},
        {"id": "c", "task": "tts", "text": "Hello.", "voice": "in.wav", "timestamps": True},
        {"id": "d", "task": "noise-suppression", "audio": {"path": "in.wav", "start": 1, "duration": 1.5}},
    ]
    out = tmp_path / "out"
    assert main(["batch", write(tmp_path / "m.jsonl", rows), "--output", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["a.wav", "b.flac", "c.wav", "d.wav", "results.jsonl"]
    told = results(out)
    assert told["a"]["seed"] == 1 and told["b"]["output"] == "b.flac" and told["d"]["audio_seconds"] == 1.5
    assert told["c"]["words"][0]["text"] == "Hello"
    for row in told.values():
        assert row["status"] == "ok" and row["model"] == "echo" and row["seconds"] > 0 and row["node"]


def test_a_failed_row_costs_itself_alone(sx: SpeechX, wav_file: Path, tmp_path: Path, capsys: Any) -> None:
    rows = [GOOD, {"id": "b", "task": "noise_suppression", "audio": "later.wav"}, {**GOOD, "id": "c"}]
    manifest, out = write(tmp_path / "m.jsonl", rows), tmp_path / "out"
    assert main(["batch", manifest, "-o", str(out)]) == 3
    assert (out / "a.wav").exists() and (out / "c.wav").exists() and not (out / "b.wav").exists()
    failed = results(out)["b"]
    assert failed["status"] == "error" and "does not exist" in failed["error"] and failed["field"] == "audio"

    wav_file.rename(tmp_path / "later.wav")
    made = (out / "a.wav").stat().st_mtime_ns
    assert main(["batch", manifest, "-o", str(out)]) == 3  # failed rows stay failed
    assert "2 of 3 rows are done already, 1 failed" in capsys.readouterr().err
    assert main(["batch", manifest, "-o", str(out), "--retry-failed"]) == 0
    assert (out / "a.wav").stat().st_mtime_ns == made
    assert [row["id"] for row in lines(out)].count("b") == 2 and results(out)["b"]["status"] == "ok"
    assert main(["batch", manifest, "-o", str(out)]) == 0
    assert len(lines(out)) == 4


BAD_ROWS: list[tuple[Any, str, bool]] = [
    # row, error, whether it has an id of its own
    ({"id": "x", "task": "tts", "text": "No voice."}, "voice is missing: tts needs it", True),
    ({**GOOD, "id": "x", "task": "sing"}, "task 'sing' is unknown; choose one of", True),
    ({**GOOD, "id": "x", "language": "xx"}, "language: 'xx' is not supported", True),
    ({**GOOD, "id": "x", "task": None}, "task is missing", True),
    ({**GOOD, "id": "x", "voice": {"path": "v.wav", "from": 1}}, "voice: a part of a file is {path,", True),
    ({k: v for k, v in GOOD.items() if k != "id"}, "id is missing", False),
    ({**GOOD, "id": "../../etc/x"}, "id '../../etc/x' cannot name a file", False),
    ({**GOOD, "id": ".hidden"}, "id '.hidden' cannot name a file", False),
    ({**GOOD, "id": "x" * 201}, "has 201 bytes; the limit is 200", False),
    ({**GOOD, "id": ["x"]}, "id ['x'] is neither a text nor a number", False),
    ({**GOOD, "id": True}, "id True is neither a text nor a number", False),
    (
        '{"id": "x", "task": "tts", "text": "Hi.", "voice": {"path": "v.wav", "start": NaN}}',
        "in seconds",
        True,
    ),
    (
        '{"id": "x", "task": "tts", "text": "Hi.", "voice": {"path": "v.wav", "start": 1e999}}',
        "in seconds",
        True,
    ),
    ({**GOOD, "id": "x", "voice": {"path": "v.wav", "duration": True}}, "in seconds", True),
    (GOOD, "id 'a' is also on line 1", False),
    ([1, 2], "a row must be a JSON object", False),
]


@pytest.mark.parametrize(("bad", "says", "named"), BAD_ROWS)
def test_a_bad_row_costs_itself_alone(
    sx: SpeechX, tmp_path: Path, bad: Any, says: str, named: bool, capsys: Any
) -> None:
    manifest, out = write(tmp_path / "m.jsonl", [GOOD, bad, {**GOOD, "id": "b"}]), tmp_path / "out"
    for already in ("", "2 of 3 rows are done already, 1 failed"):  # a second job adds no second line
        assert main(["batch", manifest, "-o", str(out), "--json"]) == 3
        told = capsys.readouterr()
        rows = [row for row in map(json.loads, told.out.splitlines()) if row["event"] == "row"]
        assert [row["line"] for row in rows if row["status"] == "error"] == ([] if already else [2])
        name = "x" if named else "line 2"
        assert already in told.err if already else f"{name}: " in told.err and "already" not in told.err
        told = {row.get("line"): row for row in lines(out)}
        assert len(lines(out)) == 3 and told[2]["status"] == "error" and says in told[2]["error"]
        assert told[2]["id"] == ("x" if named else None)
        assert (out / "a.wav").exists() and (out / "b.wav").exists()


@pytest.mark.parametrize("actors", ["0", "3:1", "x", ":2", "1:", "1:2:3", "1.5"])
def test_actors_are_a_number_or_a_range(sx: SpeechX, tmp_path: Path, actors: str, capsys: Any) -> None:
    manifest = write(tmp_path / "m.jsonl", [GOOD])
    assert main(["batch", manifest, "-o", str(tmp_path / "out"), "--ray", "--actors", actors]) == 2
    assert f"actors: '{actors}' is neither N nor MIN:MAX" in capsys.readouterr().err


def test_broken_json_stops_before_anything_runs(sx: SpeechX, tmp_path: Path, capsys: Any) -> None:
    for rows, says in [
        ([GOOD, '{"id": "x", "task": '], "line 2: broken JSON at column"),
        (["{", '"id": "x"}'], "a manifest has one JSON object per line"),
        ([""], "has no rows"),
    ]:
        out = tmp_path / "out"
        assert main(["batch", write(tmp_path / "m.jsonl", rows), "-o", str(out)]) == 2
        assert says in capsys.readouterr().err and not out.exists()
    assert main(["batch", str(tmp_path / "none.jsonl"), "-o", str(tmp_path / "out")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_text_of_other_programs_and_scripts(sx: SpeechX, tmp_path: Path) -> None:
    """A byte order mark, Windows line ends, a line separator within a text; ids with combining marks."""
    ids = ["søster", "नमस्ते", "สวัสดี", "日本語_1", "می\u200cروم"]
    rows = [json.dumps({**GOOD, "id": i, "text": "One.\u2028Two."}, ensure_ascii=False) + "\r" for i in ids]
    manifest, out = write(tmp_path / "m.jsonl", rows, bom=True), tmp_path / "out"
    assert main(["batch", manifest, "-o", str(out)]) == 0
    assert sorted(p.stem for p in out.glob("*.wav")) == sorted(ids)


def test_a_sound_without_a_line_is_made_again(sx: SpeechX, tmp_path: Path) -> None:
    """What a driver leaves that was killed: sounds ahead of lines, half a line, temporary files."""
    rows = [{k: v for k, v in GOOD.items() if k != "seed"} | {"id": i} for i in "abc"]
    manifest, out = write(tmp_path / "m.jsonl", rows), tmp_path / "out"
    assert main(["batch", manifest, "-o", str(out)]) == 0
    sounds = {p.name: p.read_bytes() for p in out.glob("*.wav")}
    first, second, _ = (out / "results.jsonl").read_bytes().splitlines(keepends=True)
    (out / "results.jsonl").write_bytes(first + second[:30])
    (out / ".c.wav.4711.tmp").write_bytes(b"half")
    assert main(["batch", manifest, "-o", str(out)]) == 0
    whole = [
        json.loads(line) for line in (out / "results.jsonl").read_bytes().splitlines() if b'"ok"' in line
    ]
    assert sorted(row["id"] for row in whole) == ["a", "b", "c"]
    assert {p.name: p.read_bytes() for p in out.glob("*.wav")} == sounds  # seeds come from ids
    assert not list(out.glob(".*"))
    (out / "b.wav").unlink()  # a line without a sound
    assert main(["batch", manifest, "-o", str(out)]) == 0
    assert {p.name: p.read_bytes() for p in out.glob("*.wav")} == sounds


def test_changes_are_refused_unless_told(
    sx: SpeechX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    out = tmp_path / "out"
    run = ["batch", write(tmp_path / "m.jsonl", [GOOD, {**GOOD, "id": "b"}]), "-o", str(out)]
    assert main(run) == 0
    write(tmp_path / "m.jsonl", [{**GOOD, "text": "Goodbye now."}, {**GOOD, "id": "b"}])
    old = (out / "a.wav").read_bytes()
    assert main(run) == 2
    assert "1 finished rows (the first is 'a') were made with other fields" in capsys.readouterr().err
    assert main([*run, "--changed", "keep"]) == 0 and (out / "a.wav").read_bytes() == old
    assert main([*run, "--changed", "redo"]) == 0 and (out / "a.wav").read_bytes() != old
    assert main([*run, "--format", "flac"]) == 2
    assert main([*run, "--format", "flac", "--changed", "redo"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["a.flac", "b.flac", "results.jsonl"]

    monkeypatch.setattr(loading, "weights_hash", lambda folder: "another")
    assert main([*run, "--format", "flac"]) == 2
    assert "were made with model echo, now it is another" in capsys.readouterr().err


def test_check_validates_without_a_model(wav_file: Path, tmp_path: Path, capsys: Any) -> None:
    rows = [
        GOOD,
        {**GOOD, "id": "b", "voice": "in.wav"},
        {"id": "c", "task": "noise_suppression", "audio": "gone.wav"},
        {**GOOD, "id": "d", "voice": "nobody"},
        {"id": "e", "task": "tts", "text": "No voice."},
    ]
    manifest = write(tmp_path / "m.jsonl", rows)
    assert main(["batch", manifest, "--check", "--json"]) == 3
    told = capsys.readouterr()
    bad = json.loads(told.out)
    assert bad["rows"] == 5 and [row["id"] for row in bad["bad"]] == ["c", "d", "e"]
    assert "line 4: voice: nobody is neither a file nor a known voice" in told.err
    assert "2 of 5 rows fit" in told.err
    assert main(["batch", write(tmp_path / "m.jsonl", rows[:2]), "--check"]) == 0
    assert main(["batch", manifest]) == 2
    assert "output is missing" in capsys.readouterr().err


def test_json_lines(sx: SpeechX, tmp_path: Path, capsys: Any) -> None:
    rows = [GOOD, {**GOOD, "id": "b", "voice": "nobody"}]
    assert main(["batch", write(tmp_path / "m.jsonl", rows), "-o", str(tmp_path / "out"), "--json"]) == 3
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["progress", "row", "row", "end"]
    assert {event["id"]: event["status"] for event in events[1:3]} == {"a": "ok", "b": "error"}
    assert events[3].items() >= {"rows": 2, "done": 1, "failed": 1}.items() and events[3]["rtf"] > 0


def test_ctrl_c_leaves_whole_files_only(sx: SpeechX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine: Any = sx.pipeline.runner.engine
    step, count = engine.step, 0

    def interrupted() -> list[Any]:
        nonlocal count
        count += 1
        if count == 60:
            os.kill(os.getpid(), signal.SIGINT)
        return step()

    monkeypatch.setattr(engine, "step", interrupted)
    rows = [{**GOOD, "id": str(i), "text": "Hello there, my friend. " * (i + 1)} for i in range(12)]
    manifest, out = write(tmp_path / "m.jsonl", rows), tmp_path / "out"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        assert main(["batch", manifest, "-o", str(out), "--slots", "1"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(results(out)) < 12 and not list(out.glob(".*")) and not engine.has_work
    monkeypatch.undo()
    for sound in out.glob("*.wav"):
        assert sound.read_bytes()[:4] == b"RIFF"


def test_a_full_disk_stops_the_job(
    sx: SpeechX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """One sentence and no error row for each of the rows: they are done when there is room again."""
    from speechx import files

    out = tmp_path / "out"
    run = ["batch", write(tmp_path / "m.jsonl", [{**GOOD, "id": str(i)} for i in range(5)]), "-o", str(out)]

    def full(descriptor: int) -> None:
        if ".wav" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    assert main(run) == 2
    assert "the disk is full" in capsys.readouterr().err
    monkeypatch.undo()
    assert not (out / "results.jsonl").read_text()


def test_everything_behind_urls(
    sx: SpeechX, wav_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files on a storage that cannot append. A killed job loses lines, which a second one makes again."""
    files, base = fsspec.filesystem("memory"), f"/batch-{os.getpid()}"
    part = {"path": "sounds/in.wav", "start": 0.5, "duration": 1}
    rows = [
        {"id": "a", "task": "noise_suppression", "audio": part},
        {"id": "b", "task": "tts", "text": "Hello.", "voice": "sounds/in.wav"},
        {"id": "c", "task": "noise_suppression", "audio": "sounds/gone.wav"},
        {**GOOD, "id": "d"},
    ]
    files.pipe(f"{base}/sounds/in.wav", wav_file.read_bytes())
    files.pipe(f"{base}/m.jsonl", "\n".join(map(json.dumps, rows)).encode())
    command = ["batch", f"memory:/{base}/m.jsonl", "-o", f"memory:/{base}/out"]

    def told() -> dict[str, str]:
        text = files.cat_file(f"{base}/out/results.jsonl").decode()
        return {row["id"]: row["status"] for row in map(json.loads, text.splitlines())}

    assert main(command) == 3
    assert told() == {"a": "ok", "b": "ok", "c": "error", "d": "ok"}
    assert len(files.cat_file(f"{base}/out/a.wav")) == 44 + 2 * 16000
    sounds = {n: files.cat_file(f"{base}/out/{n}.wav") for n in "abd"}
    first, *_ = files.cat_file(f"{base}/out/results.jsonl").splitlines(keepends=True)
    files.pipe(f"{base}/out/results.jsonl", first)  # as a job that was killed leaves it
    assert main(["batch", f"memory:/{base}/m.jsonl", "--check"]) == 3
    assert main(command) == 3 and told() == {"a": "ok", "b": "ok", "c": "error", "d": "ok"}
    assert {n: files.cat_file(f"{base}/out/{n}.wav") for n in "abd"} == sounds
    assert not [f for f in files.ls(f"{base}/out", detail=False) if "/." in f]
