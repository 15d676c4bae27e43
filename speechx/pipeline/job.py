"""What crosses the `SpeechEngine` seam: jobs in, chunks of audio out. Imports no torch.

Shapes: T samples.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from speechx.task.fields import TaskRequest
from speechx.text.types import WordTime

Info: TypeAlias = dict[str, Any]
"""Facts about a result, as JSON: see `Chunk`."""

__all__ = ["Chunk", "Info", "Job"]


@dataclass(frozen=True)
class Job:
    """One request on its way: a task's name, its validated request, an id, and how long it may take.

    deadline: a moment of `time.monotonic()` after which the job fails with TimeoutError, or None.
    """

    task: str
    request: TaskRequest
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    deadline: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Chunk:
    """The next stretch of finished audio.

    wav_T: float32 in [-1, 1]. words: all words known so far, from the start of the output. final: nothing follows.
    info: task, seed and model (hash) from the first chunk on; the final one adds audio_seconds, seconds, rtf,
    first_audio_seconds, and truncated (true where the hard length limit ended a part).
    """

    wav_T: np.ndarray
    sample_rate: int
    words: tuple[WordTime, ...] = ()
    final: bool = False
    info: Info = field(default_factory=dict)

    def __repr__(self) -> str:
        end = ", final" if self.final else ""
        return f"<Chunk {len(self.wav_T) / self.sample_rate:.2f} s at {self.sample_rate} Hz{end}>"
