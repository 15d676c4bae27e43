"""Rows of corpora: their splits, and speakers who are held out across corpora."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from speechx.errors import InputError

__all__ = ["MAX_SECONDS", "SourceRow", "hold_out_speakers", "known_split", "with_splits"]

MAX_SECONDS = 5 * 3600.0
"""Of a file, also where rows are parts of it."""

SPLITS = {
    "": {""},
    "train": {"train", "training"},
    "dev": {"dev", "development", "val", "valid", "validation"},
    "test": {"test", "testing", "eval", "evaluation"},
}
"""Names that corpora have for each split."""
DEV_PERCENT = TEST_PERCENT = 2
FEW_SPEAKERS = 20


@dataclass(frozen=True)
class SourceRow:
    """One recording, or [start, stop) seconds of one. split "": the corpus has none. synthetic: a synthesizer spoke it."""

    path: Path
    id: str
    corpus: str
    split: str = ""
    speaker: str | None = None
    language: str | None = None
    text: str | None = None
    kind: str | None = None
    start: float | None = None
    stop: float | None = None
    synthetic: bool = False


def known_split(name: str | None, table: Path, row: int) -> str:
    """train, dev, test, or "" for none. Raises InputError, which names the row of the table, for another name."""
    wanted = (name or "").strip().lower()
    for split, names in SPLITS.items():
        if wanted in names:
            return split
    raise InputError(
        f"sources: {table} row {row} has the split {name!r}; splits are train, dev (or validation) and test",
        field="sources",
    )


def with_splits(rows: list[SourceRow]) -> list[SourceRow]:
    """Fills in missing splits, by a hash of the speaker, or of the row if there are few speakers."""
    speakers = {row.speaker for row in rows if row.speaker is not None}

    def split(row: SourceRow) -> str:
        key = row.speaker if row.speaker is not None and len(speakers) >= FEW_SPEAKERS else row.id
        percent = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 100
        if percent < TEST_PERCENT:
            return "test"
        return "dev" if percent < TEST_PERCENT + DEV_PERCENT else "train"

    return [row if row.split else replace(row, split=split(row)) for row in rows]


def hold_out_speakers(rows: list[SourceRow]) -> tuple[list[SourceRow], int]:
    """Drops training rows whose speaker is in dev or test of another corpus; (kept rows, number dropped).

    A speaker in two splits of one corpus stays: a single voice with held-out sentences.
    """
    held: dict[str, set[str]] = {}
    for row in rows:
        if row.speaker is not None and row.split in ("dev", "test"):
            held.setdefault(row.speaker, set()).add(row.corpus)
    kept = [
        row for row in rows if row.split != "train" or not held.get(row.speaker or "", set()) - {row.corpus}
    ]
    return kept, len(rows) - len(kept)
