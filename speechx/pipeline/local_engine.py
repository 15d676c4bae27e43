"""The `SpeechEngine` seam: `stream(job)` yields chunks.

LocalEngine runs a pipeline in this process: one thread owns the engine, a small pool prepares requests, and
chunks go to each listener's event loop.
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from speechx.audio.types import AudioSource
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.live_mask import LiveMask, push_live
from speechx.pipeline.pipeline import Pipeline
from speechx.pipeline.running_job import RunningJob
from speechx.text.types import WordTime

__all__ = ["Chunk", "Job", "LocalEngine", "SpeechEngine"]


class SpeechEngine(Protocol):
    """Turns jobs into audio. HTTP and evaluation depend on this alone."""

    def stream(self, job: Job) -> AsyncIterator[Chunk]:
        """Chunks as they are made; the last one is final. Raises InputError, TimeoutError. Leaving early aborts."""
        ...


@dataclass(eq=False)
class _Listener:
    """Receives a job's chunks on its event loop. None ends the queue; an exception is raised at the listener."""

    job: RunningJob
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[Chunk | Exception | None] = field(default_factory=asyncio.Queue)

    def send(self, item: Chunk | Exception | None) -> bool:
        """Whether the listener's loop is still there."""
        try:
            self.loop.call_soon_threadsafe(self.queue.put_nowait, item)
        except RuntimeError:  # the loop was closed
            return False
        return True


class LocalEngine:
    """A pipeline behind one engine thread. It owns the pipeline's runner: nothing else may step it meanwhile.

    Close it, or use it as a context manager. May be used from several event loops, in the process that made it.
    """

    def __init__(self, pipeline: Pipeline, workers: int = 2) -> None:
        """workers: requests whose audio is read and planned at the same time."""
        self.pipeline = pipeline
        self._process = os.getpid()
        # One of torch's threads each: see Engine.warm_up.
        self._pool = ThreadPoolExecutor(workers, "speechx-prepare", torch.set_num_threads, (1,))
        self._live_pool = ThreadPoolExecutor(1, "speechx-live", torch.set_num_threads, (1,))
        self._wake = threading.Condition()
        self._orders: deque[Callable[[], None]] = deque()  # run on the engine thread
        self._listeners: dict[int, _Listener] = {}
        self._closed = False
        self._busy_seconds, self._first_job = 0.0, float("inf")
        warm = Future[None]()
        self._thread = threading.Thread(target=self._work, args=(warm,), name="speechx-engine", daemon=True)
        self._thread.start()
        warm.result()  # what went on meanwhile would be measured, too

    @property
    def active(self) -> int:
        """Jobs under way."""
        return len(self._listeners)

    @property
    def occupancy(self) -> float | None:
        """Mean share of the slots in use since the first job. Time without any job counts."""
        seconds = time.monotonic() - self._first_job
        return self._busy_seconds / seconds if seconds > 0 else None

    async def stream(self, job: Job) -> AsyncIterator[Chunk]:
        """See SpeechEngine. Closing the iterator, or cancelling the task that reads it, aborts the job."""
        if os.getpid() != self._process:
            raise RuntimeError(
                "this LocalEngine is of a parent process, whose threads a fork does not copy: make one here"
            )
        loop = asyncio.get_running_loop()
        running = await loop.run_in_executor(self._pool, self.pipeline.prepare, job)
        listener = _Listener(running, loop)
        self._order(lambda: self._join(listener))
        try:
            while True:
                item = await listener.queue.get()
                if item is None:
                    return
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._order(lambda: self._leave(listener))

    def close(self) -> None:
        """Stop the engine thread; jobs under way fail with InterruptedError."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()
        for pool in (self._pool, self._live_pool):
            pool.shutdown(cancel_futures=True)

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _order(self, act: Callable[[], None]) -> None:
        with self._wake:
            self._orders.append(act)
            self._wake.notify()

    # The engine thread

    def _work(self, warm: Future[None]) -> None:
        runner = self.pipeline.runner
        try:
            runner.warm_up()
        except BaseException as error:
            warm.set_exception(error)
            return
        warm.set_result(None)
        while True:
            with self._wake:
                while not (self._orders or self._closed or runner.has_work):
                    self._wake.wait()
                if self._closed:
                    break
                orders = list(self._orders)
                self._orders.clear()
            for act in orders:
                act()
            started = time.monotonic()
            try:
                touched = runner.step() if runner.has_work else []
                self._busy_seconds += (time.monotonic() - started) * runner.occupancy
            except Exception as error:  # a fault of ours: nobody must wait forever
                for listener in list(self._listeners.values()):
                    self._fail(listener, error)
                continue
            for job in touched:
                self._deliver(job)
        for act in self._orders:  # jobs that came late get the error, too
            act()
        for listener in list(self._listeners.values()):
            self._fail(listener, InterruptedError("the engine was closed"))

    def _join(self, listener: _Listener) -> None:
        self._first_job = min(self._first_job, time.monotonic())
        self._listeners[id(listener.job)] = listener
        self.pipeline.runner.add(listener.job)

    async def voice_warning(self, sound: AudioSource) -> str | None:
        """See `Frontend.voice_warning`: of a recording to enroll, whose field is `audio`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self.pipeline.frontend.voice_warning, sound, "audio")

    async def push_live(
        self, task: str, mask: LiveMask | None, wav_T: np.ndarray, last: bool
    ) -> tuple[np.ndarray, LiveMask]:
        """See `live_mask.push_live`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._live_pool, push_live, self.pipeline.frontend, task, mask, wav_T, last
        )

    async def align(self, sound: AudioSource, text: str, language: str) -> tuple[WordTime, ...]:
        """When each word of `text` is spoken in a recording. Raises InputError."""
        loop = asyncio.get_running_loop()
        align = self.pipeline.frontend.align_text
        return (await loop.run_in_executor(self._pool, align, sound, text, language)).words

    def _leave(self, listener: _Listener) -> None:
        if self._listeners.pop(id(listener.job), None) is not None:
            self.pipeline.runner.abort(listener.job)

    def _fail(self, listener: _Listener, error: Exception) -> None:
        self._leave(listener)
        listener.send(error)

    def _deliver(self, job: RunningJob) -> None:
        listener = self._listeners.get(id(job))
        if listener is None:
            return
        reached = True
        while job.outbox:
            reached = listener.send(job.outbox.popleft()) and reached
        if job.done:
            del self._listeners[id(job)]
            listener.send(job.error)
        elif not reached:
            self._leave(listener)
