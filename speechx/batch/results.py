"""The folder of results: sounds, and results.jsonl with a line per row. The last line of a row counts.

A row is done when its last line says so and its sound is there. A sound is renamed into place before its line is written,
so a job that dies leaves sounds without a line, which are made again. Only the job's driver writes lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from speechx.batch.lock import LEASE_FILE, OutputLock, locked
from speechx.batch.manifest import Manifest
from speechx.batch.rows import BadRow, ManifestRow, ResultRow
from speechx.errors import InputError
from speechx.files import Storage

__all__ = ["Changed", "ResultsFolder", "WorkPlan", "open_results", "read_results"]

Changed: TypeAlias = Literal["refuse", "redo", "keep"]
"""What happens to a finished row whose fields or model are others now."""

RESULTS = "results.jsonl"
REMOTE_SECONDS = 10.0
"""Least time between two writes of results.jsonl to a storage that cannot append. A killed job loses lines in between."""


@dataclass
class WorkPlan:
    """What is left to do. done, failed: rows that are kept as they are. bad: bad rows without a line yet."""

    todo: list[ManifestRow] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    done: int = 0
    failed: int = 0


class ResultsFolder:
    """A locked folder of results: see `open_results`."""

    def __init__(self, store: Storage, lock: OutputLock) -> None:
        self.store, self.lock = store, lock
        with contextlib.suppress(FileNotFoundError):
            self._text = store.read(RESULTS)
        self._pending, self._written, self._cost = list[bytes](), time.monotonic(), 0.0
        if self._text and not self._text.endswith(b"\n"):  # the line of a job that was killed
            self._append(b"\n")

    _text: bytes = b""

    def rows(self) -> list[ResultRow]:
        """All lines that were there at the start, in order."""
        return read_results(self._text)

    def plan(self, manifest: Manifest, model: str, changed: Changed, retry_failed: bool) -> WorkPlan:
        """Compares a manifest with what is there.

        Raises InputError where finished rows have changed and `changed` is "refuse".
        """
        last = {_key(row): row for row in self.rows()}
        names, plan = self.store.names(), WorkPlan()
        others = list[tuple[ManifestRow, ResultRow]]()
        for row in manifest.rows:
            known = last.get(row.id)
            if known is None:
                plan.todo.append(row)
            elif known.get("status") == "ok" and known.get("output") in names:
                if _is_same(known, row, model) or changed == "keep":
                    plan.done += 1
                else:
                    others.append((row, known))
            elif known.get("status") == "error" and _is_same(known, row, model) and not retry_failed:
                plan.failed += 1
            else:
                plan.todo.append(row)
        if others and changed == "refuse":
            raise _changed(others, model)
        for row, known in others:
            plan.todo.append(row)
            if known["output"] != row.file:
                self.store.remove(known["output"])
        for bad in manifest.bad:
            known = last.get(bad.id if bad.id is not None else bad.line)
            plan.failed += 1
            if known is None or known.get("error") != bad.error:
                plan.bad.append(bad)
        return plan

    def clean(self) -> None:
        """Removes temporary files of jobs that died: on disks alone, object stores have none. Ours is that of the lease."""
        lease = f".{LEASE_FILE}."
        for name in self.store.names() if self.store.is_local else ():
            ours = name == f"{lease}{os.getpid()}.tmp"
            if (name.startswith(".") and name.endswith(".tmp") and not ours) or (
                name.startswith(lease) and not name.endswith(".tmp")
            ):
                with contextlib.suppress(FileNotFoundError):
                    self.store.remove(name)

    def add(self, rows: Iterable[ResultRow]) -> None:
        """Appends lines. Raises InputError, field "output": the disk is full, or another job has taken the folder over."""
        self.lock.check()
        self._append("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())

    def close(self) -> None:
        """Everything is on the storage afterwards."""
        if self.lock.file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self.lock.file.fileno())
            self.clean()
        elif self._pending and not self.lock.lost.is_set():
            self._write_all()

    def _append(self, data: bytes) -> None:
        if self.lock.file is None:
            self._pending.append(data)
            if time.monotonic() - self._written > max(REMOTE_SECONDS, 20 * self._cost):
                self._write_all()
            return
        try:
            while data:
                data = data[self.lock.file.write(data) :]
        except OSError as error:
            raise InputError(
                f"output: {self.store.root}/{RESULTS} cannot be written: {error.strerror}", field="output"
            ) from error

    def _write_all(self) -> None:
        started = time.monotonic()
        self._text += b"".join(self._pending)
        self.store.write(RESULTS, self._text)
        self._pending.clear()
        self._written = time.monotonic()
        self._cost = self._written - started


def read_results(data: bytes) -> list[ResultRow]:
    """The lines of results.jsonl, in order. A torn line is left out."""
    rows = []
    for line in data.split(b"\n"):
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                rows.append(row)
    return rows


@contextlib.contextmanager
def open_results(store: Storage) -> Iterator[ResultsFolder]:
    """The folder, made if it is not there and locked until the end of the block.

    Raises InputError, field "output": it cannot be made, or another job uses it.
    """
    with contextlib.ExitStack() as stack:
        try:
            store.make()
            folder = ResultsFolder(store, stack.enter_context(locked(store, RESULTS)))
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"output: {store.root} cannot be used: {reason}", field="output") from error
        stack.callback(folder.close)
        folder.clean()
        yield folder


def _key(row: ResultRow) -> str | int | None:
    """The id; of a row that has none its line."""
    return row.get("id") if row.get("id") is not None else row.get("line")


def _is_same(known: ResultRow, row: ManifestRow, model: str) -> bool:
    """Whether a result is of the row as it is now. Results of earlier releases know less of themselves."""
    return known.get("request") in (None, row.fingerprint) and known.get("model") in (None, model)


def _changed(others: list[tuple[ManifestRow, ResultRow]], model: str) -> InputError:
    row, known = others[0]
    other_model = known.get("model") not in (None, model)
    why = f"model {known['model']}, now it is {model}" if other_model else "other fields or another format"
    return InputError(
        f"output: {len(others)} finished rows (the first is {row.id!r}) were made with {why}: choose another folder, "
        "or say --changed redo or --changed keep",
        field="output",
    )
