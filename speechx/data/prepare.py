"""`speechx data prepare`: decodes corpora once, into one audio pack (see speechx.data.packs)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from speechx.data.packs import PACK_RATE, row_facts, write_rate
from speechx.data.source_rows import MAX_SECONDS, SourceRow, hold_out_speakers
from speechx.data.sources import read_source
from speechx.errors import InputError
from speechx.files import atomic_files

__all__ = ["PrepareReport", "prepare_pack", "prepare_rows"]

CHUNK = 32  # files given to a process at once


@dataclass
class PrepareReport:
    """Counts of files. damaged: decoded in part; unreadable, held_out: left out."""

    rows: int = 0
    hours: float = 0.0
    damaged: int = 0
    unreadable: int = 0
    held_out: int = 0


def prepare_pack(
    sources: Sequence[str | Path],
    out: str | Path,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
    language: str | None = None,
    keep_paths: bool = True,
    needs_language: bool = True,
    rate: int = PACK_RATE,
) -> PrepareReport:
    """Decodes every recording of the sources to int16 at `rate` in OUT/pcm.i16, with OUT/index.jsonl.

    Unreadable files are left out and counted. Raises InputError if a source is no corpus, if speech has no language
    (unless `needs_language` is false), or if OUT has a pack already. keep_paths: the index has the path of each recording,
    so that `speechx.data.transport` can take the file as it is.
    """
    _check_free(Path(out))
    found = [row for source in sources for row in read_source(source, language)]
    keys = {(row.corpus, row.id) for row in found}
    if len(keys) != len(found):
        raise InputError(
            "sources: two of them have the same name; rename one, so that rows can be told apart",
            field="sources",
        )
    if needs_language:
        _check_languages(found)
    rows, held_out = hold_out_speakers(found)
    made = prepare_rows(rows, out, workers, progress, keep_paths, rate)
    made.held_out = held_out
    return made


def _check_free(out: Path) -> None:
    if (out / "index.jsonl").exists():
        raise InputError(
            f"out: {out} holds a pack already; choose another folder, or give --resume to add the pitch or the features of "
            "--teacher that it lacks",
            field="out",
        )


def _check_languages(rows: Sequence[SourceRow]) -> None:
    if untold := [row for row in rows if row.kind is None and not row.language]:
        raise InputError(
            f"language: {len(untold)} recordings of speech name no language (the first is {untold[0].path}): give it with "
            "--language, or in a column `language`; noise has a column `kind`",
            field="language",
        )


def prepare_rows(
    rows: list[SourceRow],
    out: str | Path,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
    keep_paths: bool = True,
    rate: int = PACK_RATE,
) -> PrepareReport:
    """`prepare_pack` of rows that are known already. Raises InputError if OUT has a pack, or none of them can be read."""
    out = Path(out)
    _check_free(out)
    made = PrepareReport()
    out.mkdir(parents=True, exist_ok=True)
    offset = 0
    with (
        atomic_files(out / "pcm.i16", out / "index.jsonl") as (pcm, index),
        pcm.open("wb") as samples,
        index.open("w", encoding="utf-8") as lines,
    ):
        for done, (row, (wav_T, damaged)) in enumerate(
            zip(rows, _decode_all(rows, workers, rate), strict=True), 1
        ):
            if progress is not None:
                progress(done, len(rows))
            if not len(wav_T):
                made.unreadable += 1
                continue
            made.damaged += damaged
            samples.write(wav_T.tobytes())
            lines.write(json.dumps(_entry(row, offset, len(wav_T), keep_paths), ensure_ascii=False) + "\n")
            offset += len(wav_T)
            made.rows += 1
        if not made.rows:
            raise InputError(f"sources: none of {len(rows)} recordings can be read", field="sources")
        write_rate(out, rate)  # before the index: a pack without it would be read as 16 kHz
    made.hours = offset / rate / 3600
    return made


def _entry(row: SourceRow, offset: int, samples: int, keep_path: bool) -> dict[str, object]:
    """A row of the index. Whole files have their path; stretches of longer ones have none."""
    entry: dict[str, object] = {
        "id": row.id,
        "corpus": row.corpus,
        "split": row.split,
        "offset": offset,
        "samples": samples,
    }
    path = {"path": str(row.path.resolve())} if keep_path and row.start is None else {}
    return entry | row_facts(row) | path


def _decode_all(rows: list[SourceRow], workers: int, rate: int) -> Iterator[tuple[np.ndarray, bool]]:
    """The samples of each row, in order, decoded a few chunks ahead at most."""
    if workers <= 1:
        yield from _decoded(rows, rate)
        return
    with ProcessPoolExecutor(workers) as pool:
        ahead = workers * 2
        chunks = list(_chunks(rows))
        waiting = [pool.submit(_decode_chunk, chunk, rate) for chunk in chunks[:ahead]]
        for number in range(len(chunks)):
            yield from waiting.pop(0).result()
            if number + ahead < len(chunks):
                waiting.append(pool.submit(_decode_chunk, chunks[number + ahead], rate))


def _chunks(rows: list[SourceRow]) -> Iterator[list[SourceRow]]:
    """CHUNK rows at a time, or more: the parts of a file stay together."""
    chunk: list[SourceRow] = []
    for _, parts in groupby(rows, key=lambda row: row.path):
        chunk += parts
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _decode_chunk(rows: list[SourceRow], rate: int) -> list[tuple[np.ndarray, bool]]:
    return list(_decoded(rows, rate))


def _decoded(rows: list[SourceRow], rate: int) -> Iterator[tuple[np.ndarray, bool]]:
    """A file is decoded once for all of its parts that follow each other."""
    for path, parts in groupby(rows, key=lambda row: row.path):
        whole_T, damaged = _decode_file(path, rate)
        for row in parts:
            yield _cut(whole_T, row, rate), damaged
        del whole_T  # before the next file is decoded


def decode(row: SourceRow, rate: int) -> tuple[np.ndarray, bool]:
    """(samples (T,) int16 at `rate`, whether the file is damaged); T is 0 for an unreadable file."""
    return next(_decoded([row], rate))


def _decode_file(path: Path, rate: int) -> tuple[np.ndarray, bool]:
    """As `decode`, but float32 and the whole file."""
    from speechx.audio import reading

    try:
        return reading.read(path, max_seconds=MAX_SECONDS, rate=rate), False
    except InputError:
        pass
    try:
        return reading.read(path, max_seconds=MAX_SECONDS, rate=rate, whole=False), True
    except InputError:
        return np.zeros(0, np.float32), True


def _cut(wav_T: np.ndarray, row: SourceRow, rate: int) -> np.ndarray:
    if row.start is not None and row.stop is not None:
        wav_T = wav_T[round(row.start * rate) : round(row.stop * rate)]
    return np.clip(np.round(wav_T * 32768), -32768, 32767).astype(np.int16)
