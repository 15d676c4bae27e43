"""How far a job is, for people and for machines."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TypeAlias

from speechx.batch.rows import ResultRow

__all__ = ["BatchProgress", "Figures"]

Figures: TypeAlias = "dict[str, str | int | float | None]"


@dataclass
class BatchProgress:
    """rows: of the manifest. done, failed: rows so far, with those of earlier jobs. audio_seconds: made by this job."""

    rows: int
    done: int = 0
    failed: int = 0
    audio_seconds: float = 0.0
    _finished: int = 0
    _started: float = field(default_factory=time.monotonic)

    def add(self, row: ResultRow) -> None:
        """Counts a result of this job."""
        ok = row["status"] == "ok"
        self.done, self.failed = self.done + ok, self.failed + (not ok)
        self.audio_seconds += float(row.get("audio_seconds") or 0.0)
        self._finished += 1

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def rtf(self) -> float | None:
        """Wall seconds per second of audio, of the job as a whole."""
        return self.seconds / self.audio_seconds if self.audio_seconds else None

    @property
    def seconds_left(self) -> float | None:
        left = self.rows - self.done - self.failed
        return self.seconds * left / self._finished if self._finished else None

    def text(self) -> str:
        """For people."""
        parts = [f"{self.done + self.failed}/{self.rows} rows"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.rtf is not None:
            parts += [f"{self.audio_seconds / 3600:.2f} h of audio", f"RTF {self.rtf:.2f}"]
        if self.seconds_left is not None:
            parts.append(f"{_duration(self.seconds_left)} left")
        return ", ".join(parts)

    def figures(self) -> Figures:
        """For machines. seconds_left: null before the first result."""
        rounded = {"audio_seconds": self.audio_seconds, "seconds": self.seconds, "rtf": self.rtf,
                   "seconds_left": self.seconds_left}  # fmt: skip
        counts = {"rows": self.rows, "done": self.done, "failed": self.failed}
        return {**counts, **{k: None if v is None else round(v, 3) for k, v in rounded.items()}}


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
