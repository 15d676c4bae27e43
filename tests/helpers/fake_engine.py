"""An engine without a model, for tests of servers and tools; and factories of it for `ReplicaOptions.engine`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from speechx.errors import InputError
from speechx.pipeline.job import Chunk, Job
from speechx.serving.cluster.replica import ReplicaOptions
from speechx.text.types import WordTime


class FakeEngine:
    """A SpeechEngine: every job gives `chunks` chunks of 0.2 s of a tone, `delay` seconds apart, or raises `error`.

    jobs: all jobs it was given. aborted: ids of those whose stream was closed early. late_error: raised after the first
    chunk. notes: added to the info of each chunk.
    """

    late_error: Exception | None = None

    def __init__(
        self, chunks: int = 3, delay: float = 0.0, error: Exception | None = None, rate: int = 16000
    ) -> None:
        self.chunks, self.delay, self.error, self.rate = chunks, delay, error, rate
        self.jobs: list[Job] = []
        self.aborted: list[str] = []
        self.notes: dict[str, Any] = {}

    async def stream(self, job: Job) -> AsyncIterator[Chunk]:
        self.jobs.append(job)
        tone_T = 0.1 * np.sin(2 * np.pi * 220 * np.arange(self.rate // 5) / self.rate).astype(np.float32)
        finished = False
        try:
            if self.error is not None:
                finished = True
                raise self.error
            for index in range(self.chunks):
                await asyncio.sleep(self.delay)
                final = index == self.chunks - 1
                if index and self.late_error is not None:
                    finished = True
                    raise self.late_error
                info = {"task": job.task, "seed": getattr(job.request, "seed", None) or 0, "model": "fake"}
                info |= self.notes
                if final:
                    seconds = self.chunks * len(tone_T) / self.rate
                    info |= {"audio_seconds": seconds, "seconds": 0.0, "rtf": 0.0, "first_audio_seconds": 0.0}
                    finished = True
                yield Chunk(tone_T, self.rate, (), final, info)
        finally:
            if not finished:
                self.aborted.append(job.id)


class ServedFakeEngine(FakeEngine):
    """A FakeEngine of a replica: its status has the number of jobs whose stream was closed early.

    It finds no speech in a constant sound.
    """

    def __init__(self, options: ReplicaOptions, chunks: int, delay: float) -> None:
        super().__init__(chunks, delay)
        self.slots = options.slots

    async def status(self) -> dict[str, Any]:
        return {"model": "fake", "slots": self.slots, "aborted": len(self.aborted)}

    async def push_live(
        self, task: str, mask: Any, wav_T: np.ndarray, last: bool
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Half as loud. The mask is a count of calls."""
        return wav_T / 2, {"calls": (mask["calls"] if mask else 0) + 1}

    async def align(self, sound: Any, text: str, language: str) -> tuple[WordTime, ...]:
        """A word a second; it knows no word of one letter."""
        if any(len(word) == 1 for word in text.split()):
            raise InputError("text has a word that is not heard", field="text")
        return tuple(WordTime(word, float(i), i + 1.0) for i, word in enumerate(text.split()))

    async def voice_warning(self, sound: tuple[np.ndarray, int]) -> str | None:
        return None if np.ptp(sound[0]) else "no speech"


def quick(options: ReplicaOptions) -> FakeEngine:
    return ServedFakeEngine(options, chunks=5, delay=0.02)


def slow(options: ReplicaOptions) -> FakeEngine:
    return ServedFakeEngine(options, chunks=6, delay=0.3)
