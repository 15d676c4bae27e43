"""A replica: one model, one engine thread, requests of all tasks in one batch. Knows no HTTP.

The router calls `stream`; what is wrong with a request comes back as an item, so that it means the same over there.
"""

from __future__ import annotations

import importlib
import os
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from speechx.errors import InputError
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.local_engine import LocalEngine, SpeechEngine
from speechx.serving.errors import ApiError
from speechx.serving.web.stream import coalesce
from speechx.task import registry
from speechx.task.fields import TaskRequest

__all__ = ["RemoteError", "Replica", "ReplicaOptions", "ServedEngine"]

HEARTBEAT_SECONDS = 20.0
"""An engine thread that does not answer for so long is stuck; a step takes well under a second."""


class ReplicaOptions(BaseModel):
    """What a replica is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str | None = Field(None, description="model folder; default: $SPEECHX_MODEL, else the package's")
    device: str = Field("cpu", description="torch device of the language model")
    slots: int = Field(8, ge=1, description="requests in the engine's batch at once")
    waiting: int = Field(8, ge=0, description="requests that may wait for a slot; more are refused")
    threads: int | None = Field(None, ge=1, description="torch threads; default: torch's own choice")
    voices: str | None = Field(None, description="folder or fsspec URL of voices")
    engine: str | None = Field(
        None, pattern=r"^[\w.]+:\w+$",
        description="module:function that makes another SpeechEngine out of these options; default: the model",
    )  # fmt: skip


@dataclass(frozen=True)
class RemoteError:
    """An expected error on its way to the router."""

    kind: Literal["input", "timeout", "interrupted", "overloaded"]
    message: str
    field: str | None = None

    @classmethod
    def of(cls, error: Exception) -> RemoteError | None:
        """None for an error that nobody expects."""
        if isinstance(error, InputError):
            return cls("input", str(error), error.field)
        if isinstance(error, TimeoutError):
            return cls("timeout", str(error))
        if isinstance(error, InterruptedError):
            return cls("interrupted", str(error))
        if isinstance(error, ApiError) and error.status == 429:
            return cls("overloaded", error.message)
        return None

    def error(self) -> Exception:
        """The error again."""
        if self.kind == "input":
            return InputError(self.message, field=self.field)
        if self.kind == "timeout":
            return TimeoutError(self.message)
        if self.kind == "interrupted":
            return InterruptedError(self.message)
        return ApiError(429, self.message, code="overloaded", retry_after=1)


class ServedEngine(LocalEngine):
    """LocalEngine with a heartbeat and a waiting room. A SpeechEngine with `status`, so the app runs on it without Ray."""

    def __init__(self, pipeline: Any, waiting: int = 8) -> None:
        super().__init__(pipeline)
        self.waiting = waiting
        self.jobs = 0
        self._asked: float | None = None

    async def stream(self, job: Job) -> AsyncGenerator[Chunk, None]:
        """As LocalEngine. Raises ApiError 429 where the waiting room is full."""
        slots = self.pipeline.runner.slots
        if self.jobs >= slots + self.waiting:
            raise ApiError(
                429, f"{self.jobs} requests are under way or waiting, which is the limit: try again",
                code="overloaded", limit=slots + self.waiting, retry_after=1,
            )  # fmt: skip
        self.jobs += 1
        try:
            async with aclosing(super().stream(job)) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    yield chunk
        finally:
            self.jobs -= 1

    def beat(self) -> float:
        """Seconds for which the engine thread has owed an answer; asks it for one."""
        if self._asked is None:
            self._asked = time.monotonic()
            self._order(self._answer)
        asked = self._asked  # None again where it has answered in the meantime
        return 0.0 if asked is None else time.monotonic() - asked

    def _answer(self) -> None:
        self._asked = None

    def alive(self) -> bool:
        """Whether the engine thread works, and steps in time."""
        return self._thread.is_alive() and self.beat() < HEARTBEAT_SECONDS

    async def status(self) -> dict[str, Any]:
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
        options.model, device=options.device, slots=options.slots, voices=voices, paths=False
    )
    if (
        "tts" in registry.task_names()
    ):  # so that the first request does not wait for word lists and first-time work
        pipeline.speak(pipeline.job("tts", text="Hello.", voice=voices.ids()[0], seed=0))
    return ServedEngine(pipeline, options.waiting)


class Replica:
    """The Ray deployment. Ray calls its methods; `router.build` makes it one."""

    def __init__(self, options: ReplicaOptions) -> None:
        self.options = options
        self.engine = make_engine(options)
        self.jobs = 0

    async def stream(
        self, task: str, request: TaskRequest, job_id: str, seconds: float
    ) -> AsyncGenerator[Chunk | RemoteError, None]:
        """Chunks of a job that may take so many seconds, or a Failure. Leaving it early aborts the job."""
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

    async def status(self) -> dict[str, Any]:
        """See ServedEngine.status. replica: a name that no other one has."""
        ask = getattr(self.engine, "status", None)
        known = await ask() if ask else {"slots": self.options.slots, "active": self.jobs}
        return {**known, "pid": os.getpid(), "replica": f"{socket.gethostname()}:{os.getpid()}"}

    def check_health(self) -> None:
        """Ray asks every few seconds; an error restarts the replica."""
        if isinstance(self.engine, ServedEngine) and not self.engine.alive():
            raise RuntimeError("the engine thread does not answer")

    def __del__(self) -> None:
        engine = getattr(self, "engine", None)
        if isinstance(engine, LocalEngine):
            engine.close()
