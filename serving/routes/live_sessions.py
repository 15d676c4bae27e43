"""What goes on over a live socket after its start: text to speech sentence by sentence, or a mask on arriving sound."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np

from speechx.pipeline.job import Job
from speechx.serving.errors import ApiError
from speechx.serving.service import AdmittedRequest, Service
from speechx.serving.types import JsonObject
from speechx.serving.web.live import LiveMessage, LiveSocket, samples_of
from speechx.serving.web.stream import StartedStream, StreamResampler
from speechx.task.fields import TaskRequest
from speechx.tasks._shared.sentences import PAUSE_SECONDS
from speechx.text.sentence_buffer import SentenceBuffer

if TYPE_CHECKING:
    from speechx.pipeline.live_mask import LiveMask

__all__ = ["BLOCK_SECONDS", "LiveMasking", "LiveSession", "LiveSpeech"]

POLL_SECONDS = 0.1
SETTLED_SECONDS = 0.4
"""A text that ends as a sentence does is said where no more of it comes for so long."""

BLOCK_SECONDS = 0.04
"""Shorter pieces of sound are joined: each costs a call of the engine."""

MODEL_RATE = 16000


class LiveSession(ABC):
    """A started socket. info: what the log and the metrics get, as in the final Chunk."""

    nothing_T = np.zeros(0, np.float32)

    def __init__(self, service: Service, socket: LiveSocket, admitted: AdmittedRequest) -> None:
        self._service, self._socket, self._admitted = service, socket, admitted
        self.info: JsonObject = {}

    @abstractmethod
    async def run(self) -> None:
        """Until the end that the client asks for. Raises Disconnected, ApiError, the engine's errors."""

    async def _sent(self, wav_T: np.ndarray, rate: int) -> None:
        if len(wav_T):
            self._admitted.note_first_audio()
            await self._socket.send_sound(wav_T)
            seconds = self.info.get("audio_seconds", 0.0) + len(wav_T) / rate
            self.info["audio_seconds"] = round(seconds, 6)

    async def _done(self) -> None:
        await self._socket.send({"type": "done", **self.info})


class LiveSpeech(LiveSession):
    """Says text as it arrives. One sentence is made at a time, each by a job of its own, all in one voice."""

    def __init__(
        self, service: Service, socket: LiveSocket, admitted: AdmittedRequest, request: TaskRequest
    ) -> None:
        """request: of the task, with any text; its language is that of all texts."""
        super().__init__(service, socket, admitted)
        self.seed = random.SystemRandom().randrange(2**31) if request.seed is None else request.seed
        self._request, self._wants_words = request, request.timestamps
        self._text = SentenceBuffer(getattr(request, "language", "en"))
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()  # None: the end
        self._saying: asyncio.Task[None] | None = None
        self._sentences = self._queued = 0  # said, or begun; and characters of those that wait
        self._text_at = time.monotonic()  # when the last piece came
        self._ended = False
        self._pauses = False  # before the next sentence: one was said to its end
        self.info = {"seed": self.seed, "audio_seconds": 0.0}

    async def run(self) -> None:
        await _first_of(self._speak(), self._listen())
        await self._done()

    # What the client sends

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive(POLL_SECONDS)
            if message is None:
                self._wait_for_more()
            else:
                await self._take(message)

    def _wait_for_more(self) -> None:
        now = time.monotonic()
        if self._text.has_ended and now - self._text_at > SETTLED_SECONDS:
            self._say(self._text.flush())
        if self._saying is not None and not self._saying.done():
            self._socket.used_at = now
        if self._service.limiter.draining:
            self._end()

    async def _take(self, message: LiveMessage) -> None:
        kind = "sound" if isinstance(message, bytes) else message["type"]
        if kind == "text" and not isinstance(message, bytes):
            self._push(message.get("text"))
        elif kind == "flush":
            self._say(self._text.flush())
        elif kind == "cancel":
            await self._cancel()
        elif kind == "end":
            self._end()
        else:
            raise ApiError(
                400, f"a message of type {str(kind)[:40]!r} is not known here: send text, flush, cancel or end", field="type"
            )  # fmt: skip

    def _push(self, text: object) -> None:
        if not isinstance(text, str):
            raise ApiError(422, "text must be a string", code="invalid_field", field="text")
        if self._ended:
            raise ApiError(400, "text came after the end", field="text")
        most = self._service.limits.text_chars
        unsaid = len(self._text.text) + self._queued + len(text)
        if unsaid > most:
            raise ApiError(
                422, f"text waits to be said: {unsaid:,} characters of it; the limit is {most:,}",
                code="too_long", field="text", limit=most,
            )  # fmt: skip
        self._text_at = time.monotonic()
        self._say(self._text.push(text))

    def _say(self, sentences: list[str]) -> None:
        for sentence in sentences:
            self._queued += len(sentence)
            self._waiting.put_nowait(sentence)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._say(self._text.flush())
            self._waiting.put_nowait(None)

    async def _cancel(self) -> None:
        """Barge-in: what is being said stops, and what was to be said is forgotten. No sound follows the answer."""
        self._text.clear()
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._queued = 0
        if self._saying is not None and not self._saying.done():
            self._saying.cancel()
            await asyncio.wait({self._saying})
        if self._ended:
            self._waiting.put_nowait(None)
        await self._socket.send({"type": "cancelled", "audio_seconds": self.info["audio_seconds"]})

    # What it hears

    async def _speak(self) -> None:
        while (sentence := await self._waiting.get()) is not None:
            self._queued -= len(sentence)
            self._saying = asyncio.create_task(self._speak_one(sentence))
            try:
                await self._saying
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():  # the session ends, and not this sentence alone
                    raise

    async def _speak_one(self, sentence: str) -> None:
        limit, number = self._service.limits.request_seconds, self._sentences
        update = {"text": sentence, "seed": (self.seed + number) % 2**31}
        job = Job(
            self._admitted.task, self._request.model_copy(update=update), f"{self._admitted.id}-{number}",
            time.monotonic() + limit,
        )  # fmt: skip
        pauses, self._pauses = self._pauses, False
        stream = await StartedStream.start(self._service.engine, job, limit)
        self._sentences += 1
        rate, sent_words = stream.first.sample_rate, 0
        async with aclosing(stream.chunks()) as chunks:
            if pauses:
                await self._sent(np.zeros(round(PAUSE_SECONDS * rate), np.float32), rate)
            start = self.info["audio_seconds"]
            await self._socket.send(
                {"type": "sentence", "index": number, "text": sentence, "start": start, "sample_rate": rate}
            )
            async for chunk in chunks:
                await self._sent(chunk.wav_T, rate)
                if self._wants_words and len(chunk.words) > sent_words:
                    words = [word.shifted(start).as_dict() for word in chunk.words[sent_words:]]
                    await self._socket.send({"type": "words", "words": words})
                    sent_words = len(chunk.words)
                if "model" in chunk.info:
                    self.info["model"] = chunk.info["model"]
        self._pauses = True


class LiveMasking(LiveSession):
    """Masks sound as it arrives. The next piece is read when the one before has been sent, so that a fast client waits."""

    def __init__(self, service: Service, socket: LiveSocket, admitted: AdmittedRequest, rate: int) -> None:
        """rate: of the sound in both directions."""
        super().__init__(service, socket, admitted)
        self.rate = rate
        self._in, self._out = StreamResampler(rate, MODEL_RATE), StreamResampler(MODEL_RATE, rate)
        self._mask: LiveMask | None = None
        self._held: list[np.ndarray] = []
        self.info = {"audio_seconds": 0.0}

    async def run(self) -> None:
        while True:
            message = await self._socket.receive(POLL_SECONDS)
            if isinstance(message, bytes):
                self._held.append(samples_of(message))
                if sum(map(len, self._held)) >= BLOCK_SECONDS * self.rate:
                    await self._push()
            elif message is not None and message["type"] != "end":
                kind = str(message["type"])[:40]
                raise ApiError(
                    400, f"a message of type {kind!r} is not known here: send sound or end", field="type"
                )
            elif message is not None or self._service.limiter.draining:
                await self._push(last=True)
                await self._done()
                return

    async def _push(self, last: bool = False) -> None:
        heard_T = self._in.push(np.concatenate([self.nothing_T, *self._held]), last)
        self._held.clear()
        masked_T, self._mask = await self._service.push_live(self._admitted.task, self._mask, heard_T, last)
        await self._sent(self._out.push(masked_T, last), self.rate)


async def _first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Ends with the first of several coroutines, the rest cancelled. Raises what it raises."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # wait for their `finally`
