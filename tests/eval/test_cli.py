"""The commands, on a small model and on an engine that echoes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from speechx.cli.main import main
from speechx.eval.judges.judges import Judges
from speechx.eval.report.markdown import BEGIN, END
from speechx.eval.report.write import load_report
from speechx.eval.sets.store import TestSet
from speechx.eval.systems.systems import ModelSystem
from speechx.pipeline.local_engine import LocalEngine
from tests.helpers.speech_server import stand_in_for_remotes


def test_a_model_folder_is_measured(
    test_set: TestSet, tiny_folder: Path, fakes: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr("speechx.eval.judges.judges.Judges", partial(Judges, models=fakes))
    tasks = ["--task", "tts", "--task", "speech-editing"]
    wanted = [
        "--set",
        str(test_set.folder),
        *tasks,
        "--items",
        "1",
        "--workers",
        "1",  # the fakes are known to this process alone
        "--model",
        str(tiny_folder),
        "-o",
        str(tmp_path),
    ]
    assert main(["eval", "run", *wanted]) == 0, capsys.readouterr().err
    report = load_report(tmp_path)
    assert set(report["abilities"]) == {"tts", "speech_editing", "speech_editing_background"}
    assert len(report["model"]) == 16
    for section in report["abilities"].values():
        told = section["systems"]["speechx"]
        assert told["failed"] == 0, told["failures"]
        assert all(
            told["metrics"][m]["n"] == 1 for m in ("wer", "rtf", "first_audio", "truncated", "speaker")
        )
    assert report["abilities"]["speech_editing"]["systems"]["speechx"]["metrics"]["untouched"]["mean"] > 0.8


def test_tts_of_another_server_is_measured(
    test_set: TestSet, tiny_folder: Path, fakes: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    from speechx.serving.cluster.replica import engine_of

    monkeypatch.setattr("speechx.eval.judges.judges.Judges", partial(Judges, models=fakes))
    monkeypatch.setattr("speechx.cli.remote.launcher", lambda name: engine_of)
    there = stand_in_for_remotes(monkeypatch)
    wanted = [
        "--set",
        str(test_set.folder),
        "--task",
        "tts",
        "--items",
        "1",
        "--workers",
        "1",
        "-o",
        str(tmp_path),
    ]
    remote = ["--model", str(tiny_folder), "--remote-tts", "http://voice/v1#kokoro"]
    assert main(["eval", "run", *wanted, *remote]) == 0, capsys.readouterr().err
    assert there.asked["model"] == "kokoro"
    report = load_report(tmp_path)
    assert "kokoro at http://voice/v1" in report["model"]
    assert report["abilities"]["tts"]["systems"]["speechx"]["failed"] == 0


def test_commands(
    test_set: TestSet,
    pipeline: Any,
    judges: Judges,
    fakes: Any,
    tmp_path: Path,
    monkeypatch: Any,
    capsys: Any,
) -> None:
    frontend = pipeline.frontend

    def loaded(folder: Any, slots: int, codec: Any, remote: Any) -> Any:
        return (
            ModelSystem(LocalEngine(pipeline), slots=slots),
            lambda w: frontend.decode(frontend.encode(w))[: len(w)],
            "echo",
        )

    monkeypatch.setattr("speechx.eval.run.session.load_model", loaded)
    monkeypatch.setattr("speechx.eval.judges.judges.Judges", partial(Judges, models=fakes))
    out = tmp_path / "run"
    wanted = [
        "--set",
        str(test_set.folder),
        "--task",
        "speech-removal",
        "--items",
        "1",
        "-o",
        str(out),
        "--system",
        "silence",
    ]
    assert main(["eval", "run", *wanted]) == 0, capsys.readouterr().err
    report = load_report(out)
    assert report["model"] == "echo" and list(report["abilities"]) == ["speech_removal"]
    assert report["abilities"]["speech_removal"]["systems"]["silence"]["kind"] == "control"
    assert main(["eval", "run", *wanted]) == 0, "a finished run is told again"
    assert load_report(out)["measures"] == report["measures"]
    assert main(["eval", "report", str(out), "--set", str(test_set.folder)]) == 0
    assert main(["eval", "compare", str(out), str(out), "--systems", "silence", "speechx"]) == 0
    assert "| spectrum (dB) |" in capsys.readouterr().out

    card = tmp_path / "CARD.md"
    card.write_text(f"# Card\n\nbefore\n{BEGIN}\nold\n{END}\nafter\n")
    assert main(["eval", "card", str(out), "-o", str(card)]) == 0
    text = card.read_text()
    assert (
        "before" in text
        and "after" in text
        and "old" not in text
        and "**speechx**" in text
        and "silence" not in text
    )
    assert main(["eval", "card", str(out), "-o", str(card)]) == 0 and card.read_text() == text
    assert main(["eval", "run", *wanted, "--system", "nonsense"]) == 2
    assert "'nonsense' is unknown" in capsys.readouterr().err
