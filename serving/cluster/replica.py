"""A replica: one model and one engine thread, which batches requests of all tasks. It knows no HTTP.

The router calls `stream`. Expected errors come back as items of the stream, since Ray would wrap an exception.
"""

from __future__ import annotations

import importlib
import os
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from speechx.errors import InputError
from speechx.pipeline.coalesce import coalesce
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.local_engine import LocalEngine, SpeechEngine
from speechx.serving.errors import ApiError
from speechx.serving.remote import RemoteEngine, RemoteOptions
from speechx.serving.types import JsonObject, Sound
from speechx.task import registry
from speechx.task.fields import TaskRequest

if TYPE_CHECKING:
    import numpy as np

    from speechx.pipeline.live_mask import LiveMask
    from speechx.pipeline.pipeline import Pipeline
    from speechx.text.types import WordTime

__all__ = ["RemoteError", "Replica", "ReplicaOptions", "ServedEngine"]

HEARTBEAT_SECONDS = 20.0
"""An engine thread that does not respond for this long counts as stuck. A step takes well under a second."""


class ReplicaOptions(BaseModel):
    """Settings of a replica."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str | None = Field(None, description="model folder; default: $SPEECHX_MODEL, else the package's")
    codec: str | None = Field(None, description="codec, where the model folder does not hold it")
    device: str = Field("cpu", description="torch device of the language model")
    slots: int = Field(8, ge=1, description="requests in the engine's batch at once")
    waiting: int = Field(8, ge=0, description="requests that may wait for a slot; more are refused")
    threads: int | None = Field(None, ge=1, description="torch threads; default: torch's own choice")
    voices: str | None = Field(None, description="folder or fsspec URL of voices")
    remote: RemoteOptions | None = Field(None, description="a server that makes the speech of tts")
    engine: str | None = Field(
        None, pattern=r"^[\w.]+:\w+$",
        description="module:function that makes another SpeechEngine out of these options; default: the model",
    )  # fmt: skip


@dataclass(frozen=True)
class RemoteError:
    """An expected error, as sent from a replica to the router."""

    kind: Literal["input", "timeout", "interrupted", "overloaded", "remote"]
    message: str
    field: str | None = None

    @classmethod
    def of(cls, error: Exception) -> RemoteError | None:
        """None for an unexpected error."""
        if isinstance(error, InputError):
            return cls("input", str(error), error.field)
        if isinstance(error, TimeoutError):
            return cls("timeout", str(error))
        if isinstance(error, InterruptedError):
            return cls("interrupted", str(error))
        if isinstance(error, ApiError) and error.status == 429:
            return cls("overloaded", error.message)
        if isinstance(error, ApiError) and error.code == "remote":
            return cls("remote", error.message)
        return None

    def error(self) -> Exception:
        """The exception on the router's side."""
        if self.kind == "input":
            return InputError(self.message, field=self.field)
        if self.kind == "timeout":
            return TimeoutError(self.message)
        if self.kind == "interrupted":
            return InterruptedError(self.message)
        if self.kind == "remote":
            return ApiError(502, self.message, code="remote")
        return ApiError(429, self.message, code="overloaded", retry_after=1)


class ServedEngine(LocalEngine):
    """LocalEngine with a heartbeat, a bounded queue and a `status`. The app also runs on it directly, without Ray."""

    def __init__(self, pipeline: Pipeline, waiting: int = 8, remote: RemoteEngine | None = None) -> None:
        """remote: makes the speech of its tasks in the pipeline's place."""
        super().__init__(pipeline)
        self.remote = remote
        self.waiting = waiting
        self.jobs = 0
        self._heartbeat: float | None = None  # when it was sent

    async def stream(self, job: Job) -> AsyncGenerator[Chunk, None]:
        """As LocalEngine. Raises ApiError 429 where the queue is full."""
        slots = self.pipeline.runner.slots
        if self.jobs >= slots + self.waiting:
            raise ApiError(
                429, f"{self.jobs} requests are under way or waiting, which is the limit: try again",
                code="overloaded", limit=slots + self.waiting, retry_after=1,
            )  # fmt: skip
        self.jobs += 1
        try:
            remote = self.remote if self.remote is not None and job.task in self.remote.tasks else None
            made = super().stream(job) if remote is None else remote.stream(job)
            async with aclosing(made) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    yield chunk
        finally:
            self.jobs -= 1

    def heartbeat_age(self) -> float:
        """Seconds since the oldest heartbeat that the engine thread has not answered; sends one if there is none."""
        if self._heartbeat is None:
            self._heartbeat = time.monotonic()
            self._order(self._answer_heartbeat)
        sent = self._heartbeat  # None again if it was answered in the meantime
        return 0.0 if sent is None else time.monotonic() - sent

    def _answer_heartbeat(self) -> None:
        self._heartbeat = None

    def alive(self) -> bool:
        """Whether the engine thread runs and answers heartbeats."""
        return self._thread.is_alive() and self.heartbeat_age() < HEARTBEAT_SECONDS

    async def status(self) -> JsonObject:
        """Raises ApiError 503 where the engine thread is stuck."""
        if not self.alive():
            raise ApiError(503, "the engine does not answer", code="not_ready", retry_after=5)
        slots = self.pipeline.runner.slots
        active = min(self.jobs, slots)
        return {"model": self.pipeline.model, "slots": slots, "active": active, "waiting": self.jobs - active}


def make_engine(options: ReplicaOptions) -> SpeechEngine:
    """The engine that the options name, else the model's. Raises InputError where the model cannot be used."""
    if options.engine is not None:
        module, _, function = options.engine.partition(":")
        engine: SpeechEngine = getattr(importlib.import_module(module), function)(options)
        return engine
    return make_served_engine(options)


def make_served_engine(options: ReplicaOptions) -> ServedEngine:
    """The model behind one engine thread. Raises InputError where the model cannot be used."""
    import torch

    from speechx.pipeline.loading import load_pipeline
    from speechx.task.voices import VoiceStore

    if options.threads:
        torch.set_num_threads(options.threads)
    voices = VoiceStore(options.voices)
    pipeline = load_pipeline(
        options.model,
        codec=options.codec,
        device=options.device,
        slots=options.slots,
        voices=voices,
        paths=False,
    )
    if "tts" in registry.task_names():  # load word lists and warm up before the first request
        pipeline.speak(pipeline.job("tts", text="Hello.", voice=voices.ids()[0], seed=0))
    remote = None if options.remote is None else RemoteEngine(options.remote)
    return ServedEngine(pipeline, options.waiting, remote)


def engine_of(pipeline: Pipeline, facts: JsonObject) -> ServedEngine:
    """An engine for batch jobs and evaluation: the pipeline, and the remote voice for its tasks. facts: RemoteOptions."""
    return ServedEngine(pipeline, waiting=10_000, remote=RemoteEngine(RemoteOptions.model_validate(facts)))


class Replica:
    """The Ray deployment. Ray calls its methods; `router.build` makes it one."""

    def __init__(self, options: ReplicaOptions) -> None:
        self.options = options
        self.engine = make_engine(options)
        self.jobs = 0

    async def stream(
        self, task: str, request: TaskRequest, job_id: str, seconds: float
    ) -> AsyncGenerator[Chunk | RemoteError, None]:
        """Chunks of a job that may take `seconds`, or a RemoteError. Closing the stream early aborts the job."""
        job = Job(task, request, job_id, time.monotonic() + seconds)
        self.jobs += 1
        try:
            async with aclosing(self.engine.stream(job)) as made, aclosing(coalesce(made)) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    yield chunk
        except Exception as error:
            failure = RemoteError.of(error)
            if failure is None:
                raise
            yield failure
        finally:
            self.jobs -= 1

    async def status(self) -> JsonObject:
        """See ServedEngine.status. replica: a unique name."""
        method = getattr(self.engine, "status", None)
        known = await method() if method else {"slots": self.options.slots, "active": self.jobs}
        return {**known, "pid": os.getpid(), "replica": f"{socket.gethostname()}:{os.getpid()}"}

    async def voice_warning(self, sound: Sound) -> str | None:
        """See Frontend.voice_warning. Raises InputError."""
        method = getattr(self.engine, "voice_warning", None)
        return await method(sound) if method else None

    async def push_live(
        self, task: str, mask: LiveMask | None, wav_T: np.ndarray, last: bool
    ) -> tuple[np.ndarray, LiveMask] | RemoteError:
        """See `live_mask.push_live`. Nothing is kept here: the mask is all that the next call needs."""
        return await self._answer("push_live", task, mask, wav_T, last)

    async def align(self, sound: Sound, text: str, language: str) -> tuple[WordTime, ...] | RemoteError:
        """See LocalEngine.align."""
        return await self._answer("align", sound, text, language)

    async def _answer(self, method: str, *arguments: Any) -> Any:
        """What the engine's method returns; an expected error as a RemoteError."""
        try:
            if not hasattr(self.engine, method):
                raise InputError(f"this engine has no {method}")
            return await getattr(self.engine, method)(*arguments)
        except Exception as error:
            failure = RemoteError.of(error)
            if failure is None:
                raise
            return failure

    def check_health(self) -> None:
        """Called by Ray every few seconds; an error restarts the replica."""
        if isinstance(self.engine, ServedEngine) and not self.engine.alive():
            raise RuntimeError("the engine thread does not answer")

    def __del__(self) -> None:
        engine = getattr(self, "engine", None)
        if isinstance(engine, LocalEngine):
            engine.close()
