"""scores.jsonl, one row per output, and run.json, the header that all its rows share. Light: no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from speechx.errors import InputError
from speechx.eval.items import Item, JsonObject, Output
from speechx.eval.scores import Scores

__all__ = ["Header", "Kind", "ScoreRow", "check_header", "read_header", "read_rows", "score_row", "to_json"]

Kind = Literal["model", "reference", "baseline", "control"]
"""Kinds of systems: the evaluated model, bounds, public packages, outputs that are bad on purpose."""


class Header(TypedDict):
    """What the scores of a folder depend on. set: facts of the test set. measures: the choice of judges."""

    set: JsonObject
    model: str
    measures: str | list[dict[str, str]]
    command: str
    seed: int | None
    date: str
    machine: dict[str, str | int | None]


class ScoreRow(TypedDict):
    """One output of one system. scores: metric to [value, weight]. missing: metric to reason. again: to be scored anew."""

    ability: str
    task: str
    system: str
    kind: Kind
    id: str
    status: Literal["ok", "error"]
    error: NotRequired[str]
    scores: dict[str, list[float]]
    missing: dict[str, str]
    notes: NotRequired[dict[str, str]]
    again: NotRequired[bool]
    info: NotRequired[dict[str, str | int | float | bool]]
    text: str | None
    meta: JsonObject


def score_row(
    system: str, kind: Kind, item: Item, result: Output | Exception, scores: Scores | None
) -> ScoreRow:
    """scores: None where the system gave no output; `result` is its error then."""
    row: JsonObject = {
        "ability": item.ability, "task": item.task, "system": system, "kind": kind, "id": item.id,
    }  # fmt: skip
    known = {**item.meta, "language": item.language, "speaker": item.speaker}
    if isinstance(result, Exception) or scores is None:
        error = str(result) or type(result).__name__
        row |= {"status": "error", "error": error, "scores": {}, "missing": {}, "again": True}
    else:
        row |= {
            "status": "ok",
            "scores": {n: [round(s.value, 6), s.weight] for n, s in scores.items() if s.value is not None},
            "missing": {n: s.reason or "?" for n, s in scores.items() if s.value is None},
            "notes": scores.notes,
            **({"again": True} if scores.missing_dependency else {}),
            "info": {k: v for k, v in result.info.items() if isinstance(v, str | int | float | bool)},
        }
    made: ScoreRow = {**row, "text": item.text, "meta": to_json(known)}  # type: ignore[typeddict-item]
    return made


def read_rows(folder: Path) -> list[ScoreRow]:
    """Rows of a run; a last line that was cut off is removed. Raises InputError for any other broken line."""
    path = folder / "scores.jsonl"
    if not path.is_file():
        return []
    lines, rows = path.read_text("utf-8").removesuffix("\n").split("\n"), []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise InputError(f"scores: {path} line {number} is broken", field="scores") from None
            # Cut off in the middle of writing: what is whole stays.
            path.write_text("".join(f"{whole}\n" for whole in lines[:-1]), "utf-8")
    return rows


def read_header(folder: Path) -> Header:
    header: Header = json.loads((folder / "run.json").read_text("utf-8"))
    return header


def check_header(folder: Path, header: Header) -> None:
    """Writes run.json, or compares it. Raises InputError where set, model or judges differ: scores must not mix."""
    path = folder / "run.json"
    wanted = json.loads(json.dumps(to_json(header)))
    if path.is_file():
        before = json.loads(path.read_text("utf-8"))
        for key in ("set", "model", "measures"):
            if before.get(key) != wanted.get(key):
                raise InputError(
                    f"output: {folder} holds scores with another {key} ({before.get(key)} there, {wanted.get(key)} now); "
                    "choose another folder",
                    field="output",
                )
        return
    path.write_text(json.dumps(wanted, indent=2, ensure_ascii=False) + "\n", "utf-8")


def to_json(value: object) -> Any:
    """A JSON value: arrays and tuples as lists, floats to six digits."""
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, tuple | list | np.ndarray):
        return [to_json(v) for v in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 6)
    return int(value) if isinstance(value, np.integer) else value
