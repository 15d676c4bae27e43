"""Runs rows on a `SpeechEngine`: the same code in this process and in each actor on a cluster."""

from __future__ import annotations

import asyncio
import socket
from contextlib import aclosing
from typing import TYPE_CHECKING

from speechx.batch.rows import ManifestRow, ResultRow
from speechx.errors import InputError
from speechx.files import Storage
from speechx.pipeline.job import Job
from speechx.pipeline.result import Speech, collect

if TYPE_CHECKING:
    from speechx.audio.types import AudioSource
    from speechx.pipeline.local_engine import LocalEngine
    from speechx.task.fields import TaskRequest

__all__ = ["BatchWorker", "error_row"]


class BatchWorker:
    """Writes a sound per row and says how it went. model: hash of the weights."""

    def __init__(self, engine: LocalEngine, store: Storage, model: str) -> None:
        self.engine, self.store, self.model = engine, store, model

    async def perform(self, row: ManifestRow) -> ResultRow:
        """The row's result, once its sound is stored. Whatever fails is in the result, not raised."""
        try:
            request = await asyncio.to_thread(_with_inputs, row)
            async with aclosing(self.engine.stream(Job(row.task, request))) as stream:  # type: ignore[type-var]
                chunks = [chunk async for chunk in stream]
            speech = await asyncio.to_thread(collect, chunks)
            await asyncio.to_thread(self._store, row, speech)
        except Exception as error:
            return error_row(row, error, self.model)
        result = _row_of(row) | {"status": "ok", "output": row.file, **speech.info}
        result |= {"seed": row.seed, "model": self.model, "node": socket.gethostname()}
        if (busy := self.engine.occupancy) is not None:
            result["slots_busy"] = round(busy, 3)
        if request.timestamps:
            result["words"] = [word.as_dict() for word in speech.words]
        return result

    def _store(self, row: ManifestRow, speech: Speech) -> None:
        self.store.write(row.file, speech.encode(row.format))


def error_row(row: ManifestRow, error: Exception, model: str) -> ResultRow:
    """The result of a row that failed."""
    why = {"error": str(error) or type(error).__name__, "field": getattr(error, "field", None)}
    about = {"seed": row.seed, "model": model, "node": socket.gethostname()}
    return _row_of(row) | {"status": "error", **why, **about}


def _row_of(row: ManifestRow) -> ResultRow:
    return {"id": row.id, "task": row.task, "request": row.fingerprint}


def _with_inputs(row: ManifestRow) -> TaskRequest:
    """The request with audio of URLs and parts of files in the place of their names. Raises InputError."""
    from speechx.task import registry

    found, request = {}, row.request
    for name in registry.audio_fields(registry.task(row.task)):
        value = getattr(request, name)
        if isinstance(value, str) and (name in row.segments or "://" in value):
            found[name] = _input(name, value, row.segments.get(name))
    return request.model_copy(update=found)


def _input(field: str, source: str, segment: tuple[float, float | None] | None) -> AudioSource:
    """The bytes of a URL, or (samples, rate) of a part of a file."""
    from speechx.audio import reading

    data: AudioSource = source
    if "://" in source:
        folder, _, name = source.rpartition("/")
        try:
            data = Storage(folder, field).read(name)
        except OSError as error:
            reason = "does not exist" if isinstance(error, FileNotFoundError) else error.strerror or error
            raise InputError(f"{field}: {source} {reason}", field=field) from error
    if segment is None:
        return data
    rate = reading.SAMPLE_RATE
    start, duration = segment
    wav_T = reading.read(data, field=field)
    first = round(start * rate)
    last = len(wav_T) if duration is None else first + round(duration * rate)
    # Times of a manifest are rounded: a tenth of a second more than there is will do.
    if first >= len(wav_T) or last > len(wav_T) + rate // 10:
        raise InputError(
            f"{field}: {source} is {len(wav_T) / rate:.2f} s long, the part ends at {last / rate:.2f} s",
            field=field,
        )
    return wav_T[first:last], rate
