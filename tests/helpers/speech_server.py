"""A small speech server of another kind, in this process."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from speechx.serving.remote import RemoteEngine, RemoteOptions

RATE = 24000
TONE_T = (0.3 * np.sin(np.arange(RATE) * 0.1)).astype(np.float32)


def wav(wav_T: np.ndarray = TONE_T, rate: int = RATE, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wav_T, rate, format="WAV", subtype=subtype)
    return file.getvalue()


class StandIn:
    """What a server of another kind does with a request: as `answer` says."""

    def __init__(self, answer: Response | None = None) -> None:
        self.answer, self.asked, self.headers = answer, dict[str, Any](), dict[str, str]()
        self.app = FastAPI()
        self.app.post("/v1/audio/speech")(self.speech)

    async def speech(self, request: Request) -> Response:
        self.asked, self.headers = await request.json(), dict(request.headers)
        return self.answer or StreamingResponse(self._stream(), media_type="audio/wav")

    async def _stream(self) -> AsyncIterator[bytes]:
        """As Kokoro-FastAPI: a header that knows no length, then samples."""
        data = bytearray(wav())
        data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
        for at in range(0, len(data), 3001):  # an odd number: a sample may lie in two pieces
            yield bytes(data[at : at + 3001])

    def engine(self, **options: Any) -> RemoteEngine:
        given = RemoteOptions(url="http://voice/v1", **options)
        return RemoteEngine(given, httpx.ASGITransport(self.app))


def stand_in_for_remotes(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """What every RemoteEngine made from now on speaks to, whatever its address."""
    stand_in = StandIn()
    whole = RemoteEngine.__init__
    monkeypatch.setattr(
        RemoteEngine,
        "__init__",
        lambda self, options: whole(self, options, httpx.ASGITransport(stand_in.app)),
    )
    return stand_in
