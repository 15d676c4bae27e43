"""From a job to chunks of audio. One path for Python, CLI, batch and servers.

    job -> Pipeline.prepare -> RunningJob: plan -> parts -> prompts
    JobRunner.step: prompts -> engine.step -> frames to their jobs -> chunks in each job's outbox

The registry alone knows the tasks.
"""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from speechx.audio.sources import materialized
from speechx.errors import InputError
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.job_runner import JobRunner
from speechx.pipeline.languages import check_languages, in_language_of_voice
from speechx.pipeline.result import Speech, collect
from speechx.pipeline.running_job import RunningJob
from speechx.task import registry

if TYPE_CHECKING:
    from speechx.audio.types import AudioSource
    from speechx.task.fields import TaskRequest
    from speechx.task.frontend import Frontend

__all__ = ["Pipeline"]


class Pipeline:
    """One model, ready for jobs. `stream`, `speak` and `speak_many` share the engine; a lock keeps threads apart.

    A forked child may use it, too, on one CPU thread.

    model: hash of the weights, part of every result's info.
    """

    def __init__(self, frontend: Frontend, runner: JobRunner, model: str = "") -> None:
        self.frontend, self.runner, self.model = frontend, runner, model
        self._lock = threading.Lock()
        _pipelines.add(self)

    def job(self, task: str, /, **fields: Any) -> Job:
        """A validated job. Pipes among its audio fields are read. Raises InputError that names the field at fault."""
        chosen, request = registry.task(task), registry.parse_request(task, fields)
        return Job(chosen.name, _with_pipes_read(request, registry.audio_fields(chosen)))

    def prepare(self, job: Job) -> RunningJob:
        """Reads the request's audio and plans it. Touches no engine. Raises InputError."""
        started, task, asked = time.monotonic(), registry.task(job.task), job.request
        request = in_language_of_voice(asked, self.frontend.voice_adapter)
        seed = random.SystemRandom().randrange(2**31) if request.seed is None else request.seed
        check_languages(request, self.frontend)
        plan = task.plan(request, self.frontend)
        running = RunningJob(replace(job, request=request), task, plan, self.frontend, seed, started)
        running.add_info(model=self.model)
        if request is not asked:
            running.add_info(language=getattr(request, "language", None))
        return running

    def stream(self, job: Job) -> Iterator[Chunk]:
        """Chunks as they are made; the last one is final. Raises InputError, TimeoutError. Closing it aborts the job.

        With `stream` false in the request a part is decoded when it is complete, which is cheaper.
        """
        running = self.prepare(job)
        with self._lock:
            self.runner.add(running)
        try:
            while True:
                while running.outbox:
                    yield running.outbox.popleft()
                if running.done:
                    break
                with self._lock:
                    if not (running.outbox or running.done):
                        self.runner.step()
            if running.error is not None:
                raise running.error
        finally:
            with self._lock:
                self.runner.abort(running)

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
                        running = self.prepare(job)
                    except Exception as error:
                        yield job, error
                        continue
                    under_way[id(running)] = running, []
                    with self._lock:
                        self.runner.add(running)
                if not under_way:
                    return
                with self._lock:
                    self.runner.step()
                for key, (running, chunks) in list(under_way.items()):
                    while running.outbox:
                        chunks.append(running.outbox.popleft())
                    if running.done:
                        del under_way[key]
                        yield running.job, _as_result(running, chunks)
        finally:
            with self._lock:
                for running, _ in under_way.values():
                    self.runner.abort(running)


def _with_pipes_read(request: TaskRequest, names: Iterable[str]) -> TaskRequest:
    """The request with the bytes of its pipes: tasks read a recording more than once."""
    read: dict[str, AudioSource] = {}
    for name in names:
        source: AudioSource | None = getattr(request, name)
        if isinstance(source, str | os.PathLike):
            try:
                given = materialized(source)
            except InputError as error:
                raise error.located(name) from error
            if given is not source:
                read[name] = given
    return request.model_copy(update=read) if read else request


_pipelines: weakref.WeakSet[Pipeline] = weakref.WeakSet()
_held: list[Pipeline] = []


def _before_fork() -> None:
    """A fork waits for the end of a step, so that the child gets a whole engine, finished sound and free locks."""
    _held[:] = _pipelines
    for pipeline in _held:
        pipeline._lock.acquire()
        pipeline.runner.settle()  # a child has no background


def _after_fork() -> None:
    for pipeline in _held:
        pipeline._lock.release()
    _held.clear()


def _in_child() -> None:
    for pipeline in _held:
        pipeline.frontend.after_fork()
    _after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)


def _as_result(running: RunningJob, chunks: list[Chunk]) -> Speech | Exception:
    if running.error is not None:
        return running.error
    return collect(chunks)
