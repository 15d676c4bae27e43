"""Chunks on their way: joined, resampled, given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest

from speechx.audio.writing import supported_rate
from speechx.pipeline.coalesce import coalesce
from speechx.pipeline.job import Chunk, Job
from speechx.serving.web.stream import (
    StartedStream,
    StreamAborted,
    StreamedResponse,
    encoded,
)
from speechx.task import registry
from tests.helpers.fake_engine import FakeEngine


def job() -> Job:
    return Job("tts", registry.parse_request("tts", {"text": "Hello.", "voice": "heart"}))


async def chunks(*lengths: int) -> AsyncGenerator[Chunk, None]:
    for index, length in enumerate(lengths):
        yield Chunk(np.full(length, index, np.float32), 1000, (), index == len(lengths) - 1)


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        ((20, 20, 40, 100, 100, 100, 20, 5), (80, 320, 5)),
        ((500,), (500,)),
        ((100, 10, 10), (100, 20)),
        ((0,), (0,)),
    ],
)
def test_short_chunks_are_joined(given: tuple[int, ...], joined: tuple[int, ...]) -> None:
    async def run() -> list[Chunk]:
        return [chunk async for chunk in coalesce(chunks(*given))]

    made = asyncio.run(run())
    assert tuple(len(chunk.wav_T) for chunk in made) == joined and made[-1].final


def test_formats_have_their_rates() -> None:
    assert supported_rate(44100, "wav") == 44100
    assert supported_rate(44100, "opus") == 48000
    assert supported_rate(96000, "mp3") == 48000


def test_resampling_a_stream_loses_nothing() -> None:
    async def run() -> bytes:
        opened = await StartedStream.start(FakeEngine(chunks=5), job(), 5)
        return b"".join([data async for _, data in encoded(opened, "pcm", 24_000)])

    assert len(asyncio.run(run())) == pytest.approx(2 * 24_000, abs=8)


def test_a_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechx.serving.web.stream.SEND_SECONDS", 0.1)
    engine, ends = FakeEngine(chunks=50, delay=0.02), []

    async def receive() -> Any:
        await asyncio.sleep(10)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(10)

    async def run() -> None:
        opened = await StartedStream.start(engine, job(), 5)
        response = StreamedResponse(encoded(opened, "wav"), {}, "audio/wav", lambda *end: ends.append(end))
        with pytest.raises(StreamAborted):
            await response({"type": "http"}, receive, send)

    asyncio.run(run())
    assert len(engine.aborted) == 1 and isinstance(ends[0][1], TimeoutError) and len(ends) == 1


def test_opening_fails_before_anything_is_sent() -> None:
    async def run() -> None:
        engine = FakeEngine(delay=5)
        with pytest.raises(TimeoutError):
            await StartedStream.start(engine, job(), 0.05)
        assert len(engine.aborted) == 1

    asyncio.run(run())
