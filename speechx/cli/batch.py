"""`speechx batch MANIFEST --output FOLDER`: many requests, in this process or on a cluster: docs/batch.md."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

from speechx.audio import writing
from speechx.batch.job import ClusterOptions, Runner, missing_inputs, run_batch, run_here
from speechx.batch.manifest import Manifest, read_manifest
from speechx.batch.progress import BatchProgress
from speechx.batch.results import Changed
from speechx.batch.rows import BadRow, ManifestRow, ResultRow, RowDefaults
from speechx.cli.cluster import (
    ActorsOption,
    AddressOption,
    CpusOption,
    DeviceOption,
    GpusOption,
    RayOption,
    cluster_options,
    cluster_runner,
    launcher,
)
from speechx.cli.console import CodecOption, Heartbeat, JsonOption, ModelOption, load, put_json, say
from speechx.cli.remote import RemoteOption, model_name, remote_engine, remote_facts
from speechx.errors import InputError
from speechx.files import Storage
from speechx.models.config import JSONObject
from speechx.pipeline import loading
from speechx.pipeline.local_engine import LocalEngine
from speechx.task import registry

SOME_FAILED = 3
JSON_SECONDS = 5.0
SHOWN = 20


ManifestArgument = Annotated[
    str, typer.Argument(help="JSON lines, CSV, Parquet or a lhotse cut set, or a folder; a path or URL")
]
OutputOption = Annotated[
    str | None, typer.Option("--output", "-o", help="folder or fsspec URL of the results")
]
TaskOption = Annotated[str | None, typer.Option(help="of rows that name none, and of the files of a folder")]
FieldOption = Annotated[list[str], typer.Option(help="NAME=VALUE, a field of rows that lack it")]
SeedOption = Annotated[
    int, typer.Option(min=0, help="of rows that name none: their seeds are derived from it")
]
CheckOption = Annotated[bool, typer.Option("--check", help="validate all rows, run none, load no model")]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="run rows again that failed in an earlier job")
]
EvaluateOption = Annotated[
    Path | None, typer.Option(help="folder of a test set: score the results with it, its manifest is the job")
]
ChangedOption = Annotated[
    Changed, typer.Option(help="what to do with finished rows whose fields, format or model changed")
]


def batch(
    manifest: ManifestArgument,
    output: OutputOption = None,
    task: TaskOption = None,
    field: FieldOption = [],  # noqa: B006
    format: Annotated[str, typer.Option(help="audio format where a row names none")] = "wav",
    seed: SeedOption = 0,
    slots: Annotated[int, typer.Option(min=1, help="requests in each engine at once")] = 8,
    check: CheckOption = False,
    retry_failed: RetryOption = False,
    changed: ChangedOption = "refuse",
    evaluate: EvaluateOption = None,
    ray: RayOption = False,
    address: AddressOption = None,
    actors: ActorsOption = "1",
    cpus: CpusOption = 1.0,
    gpus: GpusOption = 0.0,
    device: DeviceOption = "cpu",
    model: ModelOption = None,
    codec: CodecOption = None,
    remote_tts: RemoteOption = None,
    json: JsonOption = False,
) -> None:
    """Run every row of a manifest; start it again to continue where it stopped.

    Exit code 0: all rows are done. 3: some failed; results.jsonl has the reasons.
    """
    writing.check_format(format)
    rows = read_manifest(manifest, RowDefaults(format, seed, task, _fields(field)))
    if check:
        _check(rows, json)
        return
    if output is None:
        raise InputError("output is missing: name a folder with --output", field="output")
    store = Storage(output if "://" in output else str(Path(output).absolute()))
    folder = loading.model_folder(model, loading.parts_of(codec))
    if evaluate is not None and not (store.is_local and (evaluate / "set.json").is_file()):
        raise InputError("evaluate: it needs the folder of a test set, and a local output", field="evaluate")
    options = cluster_options(model, slots, address, actors, cpus, gpus, device, codec)
    remote = remote_facts(remote_tts)
    runner = _runner(options, bool(ray or address), remote)
    out = sys.stdout
    # Ray prints its errors on standard output, which is the events' alone.
    with Heartbeat("batch") as beat, contextlib.redirect_stdout(sys.stderr):
        report = JobReport(beat, out if json else None)
        progress = run_batch(
            rows,
            store,
            model_name(loading.weights_hash(folder), remote),
            runner,
            changed=changed,
            retry_failed=retry_failed,
            report=report,
        )
    report.end(progress, f"{store.root}/results.jsonl")
    if evaluate is not None:
        launcher("evaluate")(evaluate, Path(store.root), model, say)
    if progress.failed:
        raise typer.Exit(SOME_FAILED)


def _runner(options: ClusterOptions, on_cluster: bool, remote: JSONObject | None) -> Runner:
    """Raises InputError for a remote voice on a cluster."""
    if remote is None or not on_cluster:
        return cluster_runner(options) if on_cluster else local_runner(options, remote)
    raise InputError("remote_tts: a batch job with a remote voice runs in this process", field="remote_tts")


def local_runner(options: ClusterOptions, remote: JSONObject | None = None) -> Runner:
    """Runs rows in this process. remote: see speechx.cli.remote."""

    def run(rows: Sequence[ManifestRow], store: Storage, model: str) -> Iterator[ResultRow]:
        pipeline = load(options.model, options.slots, options.device, options.codec).pipeline
        with LocalEngine(pipeline) if remote is None else remote_engine(pipeline, remote) as engine:
            # Two more than slots, so that the next ones are ready when slots get free.
            yield from run_here(engine, rows, store, model, options.slots + 2)

    return run


def _fields(given: list[str]) -> dict[str, str]:
    known = {name for task in registry.tasks().values() for name in task.Request.model_fields}
    fields = dict[str, str]()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise InputError(f"field: {text!r} is not NAME=VALUE with a field of a task", field="field")
        fields[name] = value
    return fields


class JobReport:
    """Progress: a line for people every few seconds, and JSON lines if asked for."""

    def __init__(self, beat: Heartbeat, events: TextIO | None) -> None:
        self.beat, self.events = beat, events
        self._last = time.monotonic()

    def __call__(self, progress: BatchProgress, row: ResultRow | None) -> None:
        self.beat.status = progress.text()
        if row is None and progress.done + progress.failed:
            say(f"{progress.done} of {progress.rows} rows are done already, {progress.failed} failed")
        if row is not None and row["status"] == "error":
            name = f"line {row['line']}" if row["id"] is None else row["id"]
            say(f"{name}: {row['error']}")
        if self.events is None:
            return
        if row is not None:
            put_json({"event": "row", **row}, self.events)
        if row is None or time.monotonic() - self._last > JSON_SECONDS:
            self._last = time.monotonic()
            put_json({"event": "progress", **progress.figures()}, self.events)

    def end(self, progress: BatchProgress, where: str) -> None:
        if self.events is not None:
            put_json({"event": "end", **progress.figures()}, self.events)
        text = (
            f"{progress.done} of {progress.rows} rows are done, {progress.failed} failed; results in {where}"
        )
        if progress.failed:
            text += "; --retry-failed runs failed rows again"
        say(text)


def _check(manifest: Manifest, as_json: bool) -> None:
    """Raises typer.Exit where a row does not fit."""
    bad = sorted([*manifest.bad, *missing_inputs(manifest)], key=lambda row: row.line)
    if as_json:
        put_json({"rows": len(manifest), "bad": [_described(row) for row in bad]})
    for row in bad[:SHOWN]:
        say(f"line {row.line}: {row.error}")
    if len(bad) > SHOWN:
        say(f"and {len(bad) - SHOWN} more")
    say(f"{len(manifest) - len(bad)} of {len(manifest)} rows fit")
    if bad:
        raise typer.Exit(SOME_FAILED)


def _described(row: BadRow) -> dict[str, str | int | None]:
    return {"line": row.line, "id": row.id, "error": row.error, "field": row.field}
