"""Task and request -> audio chunks: front end -> engine -> codec -> output. One path for Python, CLI, batch and servers.

    job -> Pipeline.prepare -> Run: plan -> parts -> prompts
    Runner.step: add wanted prompts -> engine.step -> frames to their runs -> decoded chunks in each run's outbox

Tasks are known through the registry alone.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from speechx.errors import InputError
from speechx.pipeline.candidates import Candidate
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.result import Speech, collect
from speechx.pipeline.running_job import Rank, RunningJob
from speechx.task import registry
from speechx.task.plan import Generated

if TYPE_CHECKING:
    from speechx.engine.engine import Engine
    from speechx.models.lm.prompt import PackedPrompt, Prompt
    from speechx.task.frontend import Frontend

__all__ = ["Pipeline", "JobRunner"]


class JobRunner:
    """Runs share one engine. Not thread-safe: everything but `Pipeline.prepare` belongs on one thread at a time."""

    def __init__(self, engine: Engine, pack: Callable[[Prompt], PackedPrompt], slots: int = 8) -> None:
        self.engine, self.pack, self.slots = engine, pack, slots
        self._runs: list[RunningJob] = []
        self._tries: dict[int, Candidate] = {}

    @property
    def has_work(self) -> bool:
        return bool(self._runs)

    def warm_up(self) -> None:
        """See Engine.warm_up."""
        self.engine.warm_up()

    def add(self, run: RunningJob) -> None:
        self._runs.append(run)

    def abort(self, run: RunningJob) -> None:
        """Takes a run out of the engine: its listener is gone, or it has failed."""
        for key in [k for k, t in self._tries.items() if t.run is run]:
            self.engine.abort(key)
            del self._tries[key]
        run.fail(InterruptedError(f"job {run.job.id} was aborted"))
        if run in self._runs:
            self._runs.remove(run)

    def step(self) -> list[RunningJob]:
        """One step of the engine and what goes with it. Returns the runs that have chunks, have failed, or are done."""
        share = max(2, self.slots // max(1, len(self._runs)))
        for run in self._runs:
            # A listener waits for the next part alone: what comes later must not slow it down.
            self._guarded(run, partial(self._add_wanted, run, 2 if run.streams else share))
        for emission in self.engine.step() if self.engine.has_work else ():
            attempt = self._tries.get(emission.id)
            if attempt is None:
                continue  # aborted in the meantime
            attempt.feed(emission.codes_FK, emission.pointer_F, emission.waits)
            if emission.finished:
                del self._tries[emission.id]
                attempt.run.finish_try(attempt, emission.reason)
        for run in self._runs:
            self._guarded(run, partial(self._choose, run))
            self._guarded(run, run.advance)
        touched = [r for r in self._runs if r.outbox or r.done]
        for run in [r for r in self._runs if r.done]:
            self.abort(run) if run.error else self._runs.remove(run)
        return touched

    def _choose(self, run: RunningJob) -> None:
        """Lets tries that wait at the end of a phrase go on, each from where the best one is."""
        for best, others in run.choices():
            for other in others:
                self.engine.fork(best.id, other.id)
                self.engine.resume(other.id)
            self.engine.resume(best.id)

    def _add_wanted(self, run: RunningJob, ahead: int) -> None:
        if run.job.deadline is not None and time.monotonic() > run.job.deadline:
            raise TimeoutError(f"job {run.job.id} was not done by its deadline")
        for attempt, params in run.wanted(ahead, self.slots):
            busy = attempt.part
            assert isinstance(busy.part, Generated)
            try:
                busy.packed = busy.packed or self.pack(busy.part.prompt)
                attempt.id = self.engine.add(busy.packed, params, busy.stops)
                self._tries[attempt.id] = attempt
            except ValueError as error:  # too long for the model, or nothing to generate
                raise InputError(str(error)) from error

    def _guarded(self, run: RunningJob, act: Callable[[], None]) -> None:
        """What goes wrong in one run is that run's error and nobody else's."""
        if run.done:
            return
        try:
            act()
        except Exception as error:  # whatever it is, its listener must hear it
            run.fail(error)


class Pipeline:
    """One model, ready for jobs. `stream`, `speak` and `speak_many` share the engine; a lock keeps threads apart.

    model: hash of the weights, told with every result. rank: a measure added to the aligner's when best_of > 1.
    """

    def __init__(self, frontend: Frontend, runner: JobRunner, model: str = "", rank: Rank | None = None) -> None:
        self.frontend, self.runner, self.model, self.rank = frontend, runner, model, rank
        self._lock = threading.Lock()

    def job(self, task: str, /, **fields: Any) -> Job:
        """A validated job. Raises InputError that names the field at fault."""
        return Job(registry.task(task).name, registry.parse_request(task, fields))

    def prepare(self, job: Job) -> RunningJob:
        """Reads the request's audio and plans it. Touches no engine. Raises InputError."""
        started, task, request = time.monotonic(), registry.task(job.task), job.request
        seed = getattr(request, "seed", None)
        seed = random.SystemRandom().randrange(2**31) if seed is None else seed
        run = RunningJob(job, task, task.plan(request, self.frontend), self.frontend, seed, self.rank, started)
        run.note(model=self.model)
        return run

    def stream(self, job: Job) -> Iterator[Chunk]:
        """Chunks as they are made; the last one is final. Raises InputError, TimeoutError. Closing it aborts the job.

        With `stream` false in the request a part is decoded when it is complete, which is cheaper.
        """
        run = self.prepare(job)
        with self._lock:
            self.runner.add(run)
        try:
            while True:
                while run.outbox:
                    yield run.outbox.popleft()
                if run.done:
                    break
                with self._lock:
                    if not (run.outbox or run.done):
                        self.runner.step()
            if run.error is not None:
                raise run.error
        finally:
            with self._lock:
                self.runner.abort(run)

    def speak(self, job: Job) -> Speech:
        """The whole result of one job."""
        return collect(self.stream(job))

    def speak_many(
        self, jobs: Iterable[Job], at_once: int | None = None
    ) -> Iterator[tuple[Job, Speech | Exception]]:
        """Results as they are done, in any order, with up to `at_once` jobs in the engine's batch. Errors are results."""
        waiting, at_once = iter(jobs), at_once or self.runner.slots
        under_way: dict[int, tuple[RunningJob, list[Chunk]]] = {}
        try:
            while True:
                while len(under_way) < at_once and (job := next(waiting, None)) is not None:
                    try:
                        run = self.prepare(job)
                    except Exception as error:
                        yield job, error
                        continue
                    under_way[id(run)] = run, []
                    self.runner.add(run)
                if not under_way:
                    return
                with self._lock:
                    self.runner.step()
                for key, (run, chunks) in list(under_way.items()):
                    while run.outbox:
                        chunks.append(run.outbox.popleft())
                    if run.done:
                        del under_way[key]
                        yield run.job, _as_result(run, chunks)
        finally:
            with self._lock:
                for run, _ in under_way.values():
                    self.runner.abort(run)


def _as_result(run: RunningJob, chunks: list[Chunk]) -> Speech | Exception:
    if run.error is not None:
        return run.error
    return collect(chunks)
