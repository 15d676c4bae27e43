"""Jobs share one engine: prompts of many parts and jobs fill its batch, and its frames go back to their jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch

from speechx.engine.processors import Processors
from speechx.engine.threads import cpu_threads, usable_threads
from speechx.errors import InputError
from speechx.pipeline.background import Background, OneThread, at_once
from speechx.pipeline.candidates import Candidate
from speechx.pipeline.running_job import RunningJob
from speechx.task.plan import GeneratedPart

if TYPE_CHECKING:
    from speechx.engine.engine import Engine
    from speechx.models.lm.prompt import PackedPrompt, Prompt

__all__ = ["JobRunner"]


class JobRunner:
    """Runs jobs on one engine. Not thread-safe: one thread at a time calls it.

    pack: turns a prompt into the model's input rows. slots: sequences that the engine decodes at once. processors: counts
    those that other programs leave to this one.
    """

    def __init__(
        self,
        engine: Engine,
        pack: Callable[[Prompt], PackedPrompt],
        slots: int = 8,
        processors: Processors | None = None,
    ) -> None:
        self.engine, self.pack, self.slots = engine, pack, slots
        self.occupancy = 0.0  # share of the slots that the last step had sequences for
        self._jobs: list[RunningJob] = []
        self._candidates: dict[int, tuple[RunningJob, Candidate]] = {}  # by the engine's id
        self._background = OneThread()
        self.processors = processors or Processors(torch.get_num_threads())

    @property
    def has_work(self) -> bool:
        return bool(self._jobs)

    def warm_up(self) -> None:
        """See Engine.warm_up."""
        with cpu_threads(self._threads()):
            self.engine.warm_up()

    def settle(self) -> None:
        """Waits for what is decoded beside the steps, whose thread a fork does not copy."""
        self._background.settle()

    def add(self, job: RunningJob) -> None:
        self._jobs.append(job)

    def abort(self, job: RunningJob) -> None:
        """Takes a job out of the engine: its listener is gone, or it has failed."""
        for id in [id for id, (owner, _) in self._candidates.items() if owner is job]:
            self.engine.abort(id)
            del self._candidates[id]
        job.fail(InterruptedError(f"job {job.job.id} was aborted"))
        if job in self._jobs:
            self._jobs.remove(job)

    def step(self) -> list[RunningJob]:
        """One engine step: add prompts -> decode -> append frames -> render. Returns jobs with news (chunk, error, end).

        It takes no more threads than other programs leave processors.
        """
        threads = self._threads()
        with cpu_threads(threads):
            return self._step(self._background if threads > 1 else at_once)

    def _threads(self) -> int:
        return min(self.processors.free(), usable_threads())

    def _step(self, background: Background) -> list[RunningJob]:
        share = max(2, self.slots // max(1, len(self._jobs)))
        for job in self._jobs:
            # A streaming listener needs the next part only: later parts must not slow it down.
            ahead = share if not job.streams else 2 if job.has_begun else 1
            self._guarded(job, partial(self._add_candidates, job, ahead))
        self.occupancy = min(1.0, len(self._candidates) / self.slots)
        self._decode()
        for job in self._jobs:
            self._guarded(job, partial(self._choose, job, background))
        wait = not self.engine.has_work  # else the engine goes on meanwhile
        for job in self._jobs:
            # The first sound waits for nothing: its listener has none yet.
            self._guarded(job, partial(job.advance, background if job.has_begun else at_once, wait))
        touched = [j for j in self._jobs if j.outbox or j.done]
        for job in [j for j in self._jobs if j.done]:
            self.abort(job) if job.error else self._jobs.remove(job)
        return touched

    def _decode(self) -> None:
        for output in self.engine.step() if self.engine.has_work else ():
            if output.id not in self._candidates:
                continue  # aborted in the meantime
            job, candidate = self._candidates[output.id]
            candidate.append(output.codes_FK, output.pointer_F, output.waits)
            if output.finished:
                del self._candidates[output.id]
                job.finish(candidate, output.reason)

    def _choose(self, job: RunningJob, background: Background) -> None:
        """Lets candidates that wait at a phrase end go on, each from where the best one is."""
        for best, others in job.choose(background):
            for other in others:
                self.engine.fork(best.id, other.id)
                self.engine.resume(other.id)
            self.engine.resume(best.id)

    def _add_candidates(self, job: RunningJob, ahead: int) -> None:
        if job.job.deadline is not None and time.monotonic() > job.job.deadline:
            raise TimeoutError(f"job {job.job.id} was not done by its deadline")
        for candidate, params in job.next_candidates(ahead, self.slots):
            active = candidate.part
            assert isinstance(active.part, GeneratedPart)
            try:
                active.packed = active.packed or self.pack(active.part.prompt)
                candidate.id = self.engine.add(active.packed, params, active.stops)
            except ValueError as error:  # too long for the model, or nothing to generate
                raise InputError(str(error)) from error
            self._candidates[candidate.id] = job, candidate

    def _guarded(self, job: RunningJob, act: Callable[[], None]) -> None:
        """A fault in one job is that job's error and no other's."""
        if job.done:
            return
        try:
            act()
        except Exception as error:  # whatever it is, the job's listener gets it
            job.fail(error)
