"""A task's run on the page: from the values of its form to what the player shows, step by step."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from speechx.pipeline.coalesce import coalesce
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.result import Speech, collect
from speechx.serving.errors import as_api_error
from speechx.serving.page.forms import TaskForm
from speechx.serving.page.results import PageResults
from speechx.serving.page.sounds import pcm, shown_inputs, shown_sounds
from speechx.serving.routes.request import to_request
from speechx.serving.service import AdmittedRequest, Service
from speechx.serving.types import JsonObject, Sound
from speechx.serving.web.stream import StartedStream
from speechx.task.fields import TaskRequest

__all__ = ["PagePlace", "TaskRun", "progress_of"]

SECONDS_PER_LETTER = 0.065
"""Of speech, for the progress bar."""


class PagePlace:
    """A visitor's place under the limits, as a request over HTTP has it: `with PagePlace(service, "tts", request) as place`.

    last: the last chunk that was shown. Entering raises ApiError 429, 503.
    """

    def __init__(self, service: Service, task: str, request: gr.Request) -> None:
        # With API keys, visitors sign in with the name of one.
        caller = request.username or (request.client.host if request.client else "")
        service.limited(lambda: service.limiter.check(caller))
        self.admitted = AdmittedRequest(service, task, uuid.uuid4().hex, caller)
        self.last: Chunk | None = None

    def __enter__(self) -> PagePlace:
        self.admitted.begin()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.admitted.finish(self.last, error)


def failed(error: BaseException) -> JsonObject:
    """What the player shows of an error: the sentence that HTTP would give."""
    told = as_api_error(error)
    return {"run": uuid.uuid4().hex, "state": "error", "message": told.message, "field": told.field}


@dataclass
class TaskRun:
    """Runs the form's task. `run` is the handler; each value that it yields is all that the player shows."""

    service: Service
    results: PageResults
    form: TaskForm
    plays: Any  # the checkbox: play while it is made

    async def run(self, values: Mapping[Any, Any], request: gr.Request) -> AsyncGenerator[JsonObject, None]:
        task = self.form.task
        try:
            with PagePlace(self.service, task.name, request) as place:
                yield {"run": place.admitted.id, "state": "working", "message": "reading ..."}
                fields = await asyncio.to_thread(self.form.fields, values)
                asked = await to_request(self.service, task, fields)
                asked = asked.model_copy(update={"stream": True, "timestamps": True})
                plays = bool(values[self.plays])
                async with aclosing(self._steps(place.admitted, asked, fields, plays)) as steps:
                    async for shown, place.last in steps:
                        yield shown
        except Exception as error:
            yield failed(error)

    async def _steps(
        self, admitted: AdmittedRequest, asked: TaskRequest, fields: JsonObject, plays: bool
    ) -> AsyncGenerator[tuple[JsonObject, Chunk | None], None]:
        """What to show, and the last chunk."""
        task, limit = self.form.task, self.service.limits.request_seconds
        drawn = asyncio.create_task(
            asyncio.to_thread(self._drawn_inputs, asked)
        )  # the sound does not wait for it
        try:
            started = time.monotonic()
            job = Job(task.name, asked, admitted.id, started + limit)
            shown: JsonObject = {"run": admitted.id, "state": "working", "chunks": []}
            yield {**shown, "message": "working ..."}, None
            stream = await StartedStream.start(self.service.engine, job, limit)
            admitted.note_first_audio()
            made: list[Chunk] = []
            seconds, expected = 0.0, _expected_seconds(asked)
            async with aclosing(stream.chunks()) as each, aclosing(coalesce(each, 0.1, 0.4)) as chunks:
                async for chunk in chunks:
                    made.append(chunk)
                    seconds += len(chunk.wav_T) / chunk.sample_rate
                    shown = {
                        **shown, "rate": chunk.sample_rate, "words": [word.as_dict() for word in chunk.words],
                        "message": progress_of(seconds, _recorded_seconds(asked), time.monotonic() - started),
                    "progress": min(0.98, seconds / expected),
                        "sounds": drawn.result()[1] if drawn.done() else [],
                    }  # fmt: skip
                    if plays:
                        shown["chunks"] = [*shown["chunks"], pcm(chunk.wav_T, chunk.sample_rate)]
                    yield shown, chunk
            inputs, _ = await drawn
        finally:
            drawn.cancel()
        speech = collect(made)
        sounds = await asyncio.to_thread(shown_sounds, self.results, inputs, speech, asked.format or "wav")
        yield {**shown, **self._finished(speech, fields), "sounds": sounds}, made[-1]

    def _drawn_inputs(self, asked: TaskRequest) -> tuple[dict[str, Sound], list[JsonObject]]:
        """The sounds of a request, and what the player shows of them."""
        inputs = shown_inputs(self.service, self.form.task, asked)
        return inputs, shown_sounds(self.results, inputs, None, "wav") if inputs else []

    def _finished(self, speech: Speech, fields: JsonObject) -> JsonObject:
        info = speech.info
        facts = [
            f"{speech.seconds:.1f} s of sound made in {info.get('seconds', 0):.1f} s",
            f"first sound after {info.get('first_audio_seconds', 0):.1f} s",
            f"seed {speech.seed}",
            f"model {info.get('model', '')}",
        ]
        return {
            "state": "done",
            "message": "; ".join(facts),
            "warning": info.get("warning"),
            "words": [word.as_dict() for word in speech.words],
            "repeat": self.form.python(fields, speech.seed),
        }


def _recorded_seconds(asked: TaskRequest) -> float | None:
    """Length of the recording that the output is as long as; None where there is none."""
    recording: Sound | None = getattr(asked, "audio", None)
    return None if recording is None else len(recording[0]) / recording[1]


def _expected_seconds(asked: TaskRequest) -> float:
    """Length of the output: that of the recording, or what the text may take."""
    recorded = _recorded_seconds(asked)
    if recorded is not None:
        return max(0.1, recorded)
    return max(0.5, SECONDS_PER_LETTER * len(str(getattr(asked, "text", "") or "")))


def progress_of(seconds: float, whole: float | None, elapsed: float) -> str:
    """How far a run is, of `whole` seconds of sound where that is known, and from 10 s on what is left."""
    if whole is None:
        return f"{seconds:.1f} s made ..."
    left = elapsed * (whole / seconds - 1) if seconds else 0.0
    about = (
        ""
        if left < 10
        else f"; about {left:.0f} s left"
        if left < 90
        else f"; about {left / 60:.0f} min left"
    )
    return f"{seconds:.1f} of {whole:.1f} s made{about} ..."
