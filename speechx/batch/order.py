"""The order in which rows run: long ones are spread evenly, so that they neither hold all places nor come last."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from speechx.batch.rows import ManifestRow
from speechx.task import registry

__all__ = ["estimated_seconds", "fair_order"]

CHARACTERS_PER_SECOND = 15.0
WAV_BYTES_PER_SECOND, OTHER_BYTES_PER_SECOND = 32_000, 16_000
LONG = 4.0  # times the median


def fair_order(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """Rows of more than four times the median length evenly between the others, the first one in front.

    Else a few long recordings at the head of a manifest would hold all places for hours, and one at its end would keep a
    cluster waiting.
    """
    if len(rows) < 3:
        return list(rows)
    lengths = [estimated_seconds(row) for row in rows]
    limit = LONG * statistics.median(lengths)
    long = [row for row, length in zip(rows, lengths, strict=True) if length > limit]
    short = [row for row, length in zip(rows, lengths, strict=True) if length <= limit]
    if not long:
        return short
    ordered, every = list[ManifestRow](), len(short) / len(long)
    for index, row in enumerate(long):
        ordered += [row, *short[round(index * every) : round((index + 1) * every)]]
    return ordered


def estimated_seconds(row: ManifestRow) -> float:
    """Rough length of a row's audio and texts, from sizes alone. A URL counts as nothing."""
    seconds = 0.0
    audio = registry.audio_fields(registry.task(row.task))
    for name, value in row.fields.items():
        if not isinstance(value, str):
            continue
        if name not in audio:
            seconds = max(seconds, len(value) / CHARACTERS_PER_SECOND)
        elif name in row.segments and row.segments[name][1] is not None:
            seconds = max(seconds, row.segments[name][1] or 0.0)
        elif audio[name] == "audio":
            seconds = max(seconds, _file_seconds(value))
    return seconds


def _file_seconds(path: str) -> float:
    rate = WAV_BYTES_PER_SECOND if path.endswith(".wav") else OTHER_BYTES_PER_SECOND
    try:
        return Path(path).stat().st_size / rate
    except OSError:
        return 0.0
