"""`speechx eval run --ray`: outputs by a batch job, then scored from its folder. The cluster is this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from speechx.batch.job import ClusterOptions, Runner, run_here
from speechx.batch.rows import ManifestRow, ResultRow
from speechx.cli.main import main
from speechx.eval.judges.judges import Judges
from speechx.eval.report.write import load_report
from speechx.eval.sets.store import TestSet
from speechx.files import Storage
from speechx.pipeline.loading import load_pipeline
from speechx.pipeline.local_engine import LocalEngine


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the rows that ran."""
    ids = list[str]()

    def launcher(options: ClusterOptions) -> Runner:
        def run(rows: Sequence[ManifestRow], store: Storage, model: str) -> Iterator[ResultRow]:
            ids.extend(row.id for row in rows)
            with LocalEngine(load_pipeline(options.model, slots=options.slots)) as engine:
                yield from run_here(engine, rows, store, model, options.slots)

        return run

    monkeypatch.setattr("speechx.eval.cli.cluster_runner", launcher)
    return ids


def test_a_batch_job_ends_with_the_reports(
    test_set: TestSet, tiny_folder: Path, fakes: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr("speechx.eval.judges.judges.Judges", partial(Judges, models=fakes))
    monkeypatch.setattr(
        "speechx.eval.run.workers.worker_count", lambda asked: 1
    )  # the fakes are this process's
    wanted = [item for item in test_set.items if item.ability == "speech_editing"][:1]
    manifest = test_set.folder / "one.jsonl"
    lines = (test_set.folder / "manifest.jsonl").read_text().splitlines()
    manifest.write_text("\n".join(line for line in lines if f'"{wanted[0].id}"' in line))
    command = ["batch", str(manifest), "-o", str(tmp_path), "--model", str(tiny_folder)]
    assert main([*command, "--evaluate", str(test_set.folder)]) == 0, capsys.readouterr().err
    (section,) = load_report(tmp_path / "evaluation")["abilities"].values()  # of the rows of the job alone
    told = section["systems"]["speechx"]
    assert section["items"] == 1 and told["failed"] == 0 and told["metrics"]["untouched"]["n"] == 1
    assert main([*command, "--evaluate", str(tmp_path)]) == 2
    assert "it needs the folder of a test set" in capsys.readouterr().err


def test_outputs_are_made_once_and_scored(
    test_set: TestSet,
    tiny_folder: Path,
    fakes: Any,
    made: list[str],
    tmp_path: Path,
    monkeypatch: Any,
    capsys: Any,
) -> None:
    monkeypatch.setattr("speechx.eval.judges.judges.Judges", partial(Judges, models=fakes))
    command = [
        "eval",
        "run",
        "--set",
        str(test_set.folder),
        "--task",
        "speech-editing",
        "--items",
        "1",
        "--ray",
    ]
    command += ["--workers", "1", "--model", str(tiny_folder), "-o", str(tmp_path)]
    assert main(command) == 0, capsys.readouterr().err
    section = load_report(tmp_path)["abilities"]["speech_editing"]
    told = section["systems"]["speechx"]
    assert told["failed"] == 0, told["failures"]
    assert told["metrics"]["untouched"]["mean"] > 0.8
    assert (
        "rtf" not in told["metrics"] or not told["metrics"]["rtf"]["n"]
    )  # many requests at once are not timed
    assert sorted(path.stem for path in (tmp_path / "outputs").glob("*.wav")) == sorted(made)
    count = len(made)
    assert main(command) == 0 and len(made) == count
