"""The whole chain on generated voices: pack, codec, codes, aligner, word times, pairs of the tasks, language model."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from speechx.cli.train import app
from speechx.training.loop import TrainingRun
from speechx.training.smoke import Outcome, outcome, run_smoke


@pytest.mark.slow
def test_every_loss_falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # So many questions about the time, not seconds: a busy machine takes longer, and learns the same.
    limits = {"codec": 50, "aligner": 60, "lm": 50}
    asked: dict[str, int] = {}

    def out_of_time(run: TrainingRun) -> bool:
        asked[run.folder.name] = asked.get(run.folder.name, 0) + 1
        return asked[run.folder.name] >= limits[run.folder.name]

    monkeypatch.setattr(TrainingRun, "out_of_time", out_of_time)
    said: list[str] = []
    results = run_smoke(tmp_path, minutes=1, utterances=32, pairs=6, say=said.append)
    assert [r.name for r in results] == ["codec", "aligner", "lm"]
    assert all(r.fallen for r in results), "\n".join(map(str, results))
    assert (tmp_path / "lm/model/model.safetensors").is_file()
    assert any(line.startswith("pairs of tts: 6 pairs") for line in said)


def test_a_loss_that_stays_is_told(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path, None)
    for step in range(10):
        run.log(step, {"mel": 2.0})
    result = outcome("codec", tmp_path, "mel")
    assert not result.fallen and "DOES NOT FALL" in str(result)
    assert not Outcome("codec", "mel", 2.0, float("nan"), 10).fallen
    with pytest.raises(ValueError, match="more minutes"):
        outcome("codec", tmp_path, "loss")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    result = CliRunner().invoke(app, ["smoke", "--out", str(tmp_path)])
    assert result.exit_code != 0 and (tmp_path / "precious.txt").exists()
