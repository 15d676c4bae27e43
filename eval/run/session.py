"""One run of `speechx eval run`, from a set and a model folder to the reports."""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechx.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from speechx.eval.report.schema import Report
    from speechx.eval.rows import Header
    from speechx.eval.systems.systems import System

__all__ = ["Session", "load_model", "measure"]


@dataclass(frozen=True)
class Session:
    """What to measure with what.

    tasks: names, all by default. items: at most so many of each ability, 0 is all. systems: NAME=FOLDER of outputs, or a
    built-in's name. slots: requests at once. speaks: whether the model takes part. mos: besides DistillMOS and DNSMOS.
    workers: processes that measure, 0 is one for each core. model: a folder, the shipped one by default.
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


def measure(session: Session, say: Callable[[str], None] = lambda text: None) -> Report:
    """Scores everything that has no score in the folder yet and writes the reports; returns report.json's content."""
    from speechx.eval.judges.judges import Judges
    from speechx.eval.report.write import machine, write_report
    from speechx.eval.run.score import score_items
    from speechx.eval.run.workers import Pool, Recipe, workers_for
    from speechx.eval.sets.store import load_set
    from speechx.eval.systems.systems import FolderSystem, built_in

    chosen_set = load_set(session.test_set)
    given: list[System] = []
    more: list[str] = []
    for name in session.systems:
        label, _, folder = name.partition("=")
        given.append(FolderSystem(label, Path(folder))) if folder else more.append(label)
    speaking, codec, model_hash = None, None, "none"
    if session.speaks:
        speaking, codec, model_hash = load_model(session.model, session.slots)
    recipe = Recipe(
        session.asr,
        session.speaker,
        ("distillmos", "dnsmos", *session.mos),
        session.model,
        codec=session.speaks,
    )
    judges = Judges(recipe.asr, recipe.speaker, recipe.mos, codec=codec)
    for label in more:
        built_in(label, judges)  # an unknown name is said before anything runs
    header: Header = {
        "set": {k: v for k, v in chosen_set.about.items() if k not in ("abilities", "items", "schema")},
        "model": model_hash,
        "measures": judges.identity(),
        "command": shlex.join(["speechx", *sys.argv[1:]]),
        "seed": chosen_set.about.get("seed"),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
    }
    wanted = chosen_set.chosen(session.tasks, session.items or None)
    if not wanted:
        asked = ", ".join(session.tasks or ["all"])
        raise InputError(f"task: the set {session.test_set} has no items of {asked}", field="task")
    count = workers_for(session.workers)
    pool = Pool(recipe, count) if count > 1 else None
    try:
        systems = [*given, *([speaking] if speaking else [])]
        score_items(
            session.output,
            wanted,
            systems,
            lambda n: built_in(n, judges),
            judges,
            header,
            more,
            say,
            pool,
        )
    finally:
        if pool is not None:
            pool.close()
        if speaking is not None:
            speaking.engine.close()
    # Rows that were there before were made with what the last report said; this call may have needed less.
    told = [*_stored_measures(session.output), *(judges if pool is None else pool).describe()]
    said = list({about["role"]: about for about in told}.values())
    report = write_report(session.output, {**header, "measures": said}, wanted)
    for ability, section in report["abilities"].items():
        failed = sum(s["failed"] for s in section["systems"].values() if s["kind"] == "model")
        say(f"{ability}: {section['items']} items, {failed} without output")
    say(f"report in {session.output / 'report.html'}")
    return report


def _stored_measures(folder: Path) -> list[dict[str, str]]:
    """The measuring models of the last report in this folder, if there is one."""
    from speechx.eval.report.write import load_report

    try:
        return list(load_report(folder)["measures"])
    except InputError:
        return []


def load_model(folder: Path | None, slots: int) -> tuple[Any, Callable[[np.ndarray], np.ndarray], str]:
    """(the system, its codec round trip, the hash of its weights)."""
    from speechx.eval.run.workers import round_trip
    from speechx.eval.systems.systems import ModelSystem
    from speechx.pipeline.loading import load_pipeline
    from speechx.pipeline.local_engine import LocalEngine

    pipeline = load_pipeline(folder, slots=max(1, slots))
    return (
        ModelSystem(LocalEngine(pipeline), slots=slots),
        partial(round_trip, pipeline.frontend),
        pipeline.model,
    )
