"""One run of `speechx eval run`, from a set and a model folder to the reports."""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from speechx.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from speechx.batch.job import Runner
    from speechx.batch.progress import BatchProgress
    from speechx.batch.rows import ResultRow
    from speechx.eval.items import Item
    from speechx.eval.judges.judges import Judges
    from speechx.eval.report.schema import Report
    from speechx.eval.rows import Header
    from speechx.eval.sets.store import TestSet
    from speechx.eval.systems.systems import FolderSystem, ModelSystem, System
    from speechx.models.config import JSONObject
    from speechx.pipeline.local_engine import LocalEngine

    RoundTrip: TypeAlias = Callable[[np.ndarray], np.ndarray]

__all__ = ["EvalOptions", "evaluate_outputs", "load_model", "run_evaluation"]


@dataclass(frozen=True)
class EvalOptions:
    """Options of `speechx eval run`.

    tasks: names, all by default. items: at most so many of each ability, 0 is all. systems: NAME=FOLDER of outputs, or a
    built-in's name. slots: requests at once. speaks: whether the model is evaluated. mos: besides DistillMOS and DNSMOS.
    workers: processes that score, 0 is one per core. model: a folder, the shipped one by default. runner: makes the outputs
    on a cluster, into the folder `outputs` of the run. outputs: a folder of a finished batch job, with the model's outputs.
    references: systems to compare with, those of the task where None. codec: where the model does not hold it. remote: a
    server that makes the speech of tts (speechx.cli.remote).
    """

    test_set: Path
    output: Path
    tasks: Sequence[str] | None = None
    items: int = 0
    systems: Sequence[str] = ()
    slots: int = 1
    speaks: bool = True
    asr: str = "whisper-base"
    speaker: str = "ge2e"
    mos: Sequence[str] = ()
    workers: int = 0
    model: Path | None = None
    runner: Runner | None = None
    outputs: Path | None = None
    codec: str | None = None
    remote: JSONObject | None = None
    references: Sequence[str] | None = None


def run_evaluation(options: EvalOptions, say: Callable[[str], None] = lambda text: None) -> Report:
    """Scores everything that has no score in the folder yet and writes the reports; returns report.json's content."""
    from speechx.batch.results import RESULTS, read_results
    from speechx.eval.report.write import write_report
    from speechx.eval.run.score import score_items
    from speechx.eval.run.workers import JudgesConfig, WorkerPool, worker_count
    from speechx.eval.sets.store import load_set
    from speechx.eval.systems.systems import ModelSystem, built_in

    test_set = load_set(options.test_set)
    given, built_in_names = _chosen_systems(options.systems)
    items = test_set.chosen(options.tasks, options.items or None)
    if options.outputs is not None:
        known = {row.get("id") for row in read_results((options.outputs / RESULTS).read_bytes())}
        items = [item for item in items if item.id in known]
    if not items:
        asked = ", ".join(options.tasks or ["all"]) if options.outputs is None else f"{options.outputs}"
        raise InputError(f"task: the set {options.test_set} has no items of {asked}", field="task")
    model, codec, model_hash = _model(options, items, say)
    mos = ("distillmos", "dnsmos", *options.mos)
    config = JudgesConfig(
        options.asr, options.speaker, mos, options.model, codec=options.speaks, codec_source=options.codec
    )
    judges = config.load(codec)
    for name in built_in_names:
        built_in(name, judges)  # an unknown name is an error before anything runs
    header = _header(test_set, model_hash, judges)
    count = worker_count(options.workers)
    pool = WorkerPool(config, count) if count > 1 else None
    systems: list[System] = [*given, *([model] if model else [])]
    try:
        score_items(
            options.output, items, systems, lambda n: built_in(n, judges), judges, header, built_in_names, say, pool,
            options.references,
        )  # fmt: skip
    finally:
        if pool is not None:
            pool.close()
        if isinstance(model, ModelSystem):
            model.engine.close()
    # Rows of an earlier call were scored by the judges of its report; this call may have needed fewer.
    used = [*_stored_judges(options.output), *(judges if pool is None else pool).describe()]
    header = {**header, "measures": list({row["role"]: row for row in used}.values())}
    report = write_report(options.output, header, items)
    for ability, section in report["abilities"].items():
        failed = sum(s["failed"] for s in section["systems"].values() if s["kind"] == "model")
        say(f"{ability}: {section['items']} items, {failed} without output")
    say(f"report in {options.output / 'report.html'}")
    return report


def _chosen_systems(names: Sequence[str]) -> tuple[list[FolderSystem], list[str]]:
    """NAME=FOLDER as systems; all others are names of built-in systems."""
    from speechx.eval.systems.systems import FolderSystem

    given, built_in_names = list[FolderSystem](), list[str]()
    for text in names:
        name, _, folder = text.partition("=")
        given.append(FolderSystem(name, Path(folder))) if folder else built_in_names.append(name)
    return given, built_in_names


def _header(test_set: TestSet, model_hash: str, judges: Judges) -> Header:
    from speechx.eval.report.write import machine

    return {
        "set": {k: v for k, v in test_set.about.items() if k not in ("abilities", "items", "schema")},
        "model": model_hash,
        "measures": judges.identity(),
        "command": shlex.join(["speechx", *sys.argv[1:]]),
        "seed": test_set.about.get("seed"),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
    }


def _stored_judges(folder: Path) -> list[dict[str, str]]:
    """The judges of the last report in this folder, if there is one."""
    from speechx.eval.report.write import load_report

    try:
        return list(load_report(folder)["measures"])
    except InputError:
        return []


def _model(
    options: EvalOptions, items: Sequence[Item], say: Callable[[str], None]
) -> tuple[System | None, RoundTrip | None, str]:
    """(the system, its codec round trip, the hash of its weights), or (None, None, "none") where no model is evaluated."""
    if not options.speaks:
        return None, None, "none"
    if options.runner is None and options.outputs is None:
        return load_model(options.model, options.slots, options.codec, options.remote)
    from speechx.eval.run.workers import round_trip
    from speechx.eval.systems.systems import FolderSystem
    from speechx.pipeline.loading import load_front, model_folder, parts_of, weights_hash

    model_hash = weights_hash(model_folder(options.model, parts_of(options.codec)))
    if options.outputs is not None:
        system = FolderSystem("speechx", options.outputs, timed=False)
    else:
        assert options.runner is not None
        folder = options.output / "outputs"
        system = outputs_on_cluster(options.runner, options.test_set, items, model_hash, folder, say)
    return system, partial(round_trip, load_front(options.model, codec=options.codec)), model_hash


def evaluate_outputs(test_set: Path, outputs: Path, model: Path | None, say: Callable[[str], None]) -> None:
    """Scores what a batch job on the manifest of a set has made; the report is in `outputs`/evaluation."""
    run_evaluation(EvalOptions(test_set, outputs / "evaluation", model=model, outputs=outputs), say)


def outputs_on_cluster(
    runner: Runner,
    test_set: Path,
    items: Sequence[Item],
    model: str,
    folder: Path,
    say: Callable[[str], None],
) -> FolderSystem:
    """The outputs for items of a set, made by a batch job that continues where an earlier one stopped."""
    from speechx.batch.job import run_batch
    from speechx.batch.manifest import Manifest, read_manifest
    from speechx.eval.systems.systems import FolderSystem
    from speechx.files import Storage

    wanted = {item.id for item in items}
    rows = [row for row in read_manifest(test_set / "manifest.jsonl").rows if row.id in wanted]
    last = [0.0]

    def report(progress: BatchProgress, row: ResultRow | None) -> None:
        if progress.seconds - last[0] > 5:
            last[0] = progress.seconds
            say(f"outputs: {progress.text()}")

    run_batch(
        Manifest(rows), Storage(str(folder.absolute())), model, runner, retry_failed=True, report=report
    )
    return FolderSystem("speechx", folder, timed=False)


def load_model(
    folder: Path | None, slots: int, codec: str | None = None, remote: JSONObject | None = None
) -> tuple[ModelSystem[LocalEngine], RoundTrip, str]:
    """(the system, its codec round trip, the hash of its weights)."""
    from speechx.cli.remote import model_name, remote_engine
    from speechx.eval.run.workers import round_trip
    from speechx.eval.systems.systems import ModelSystem
    from speechx.pipeline.loading import load_pipeline
    from speechx.pipeline.local_engine import LocalEngine

    pipeline = load_pipeline(folder, codec=codec, slots=max(1, slots))
    return (
        ModelSystem(
            LocalEngine(pipeline) if remote is None else remote_engine(pipeline, remote), slots=slots
        ),
        partial(round_trip, pipeline.frontend),
        model_name(pipeline.model, remote),
    )
