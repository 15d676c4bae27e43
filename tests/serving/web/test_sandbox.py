"""Sound files are read in a process that may die without harm."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile

from speechx.errors import InputError
from speechx.serving.settings import Limits
from speechx.serving.web.sandbox import SandboxedDecoder


@pytest.fixture(scope="module")
def decoder() -> Iterator[SandboxedDecoder]:
    made = SandboxedDecoder(Limits(decoders=1, decode_seconds=20))
    yield made
    made.close()


def decode(decoder: SandboxedDecoder, data: bytes, seconds: float = 60) -> Any:
    return asyncio.run(decoder.decode(data, "audio", seconds))


def worker(decoder: SandboxedDecoder) -> Any:
    kept = decoder._idle.get()
    decoder._idle.put(kept)
    return kept


def wav(seconds: float, rate: int = 16000) -> bytes:
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    soundfile.write(file, rng.uniform(-0.5, 0.5, round(seconds * rate)), rate, format="WAV")
    return file.getvalue()


def test_reads_and_refuses(decoder: SandboxedDecoder) -> None:
    wav_T, rate = decode(decoder, wav(1.0, 44100))
    assert rate == 44100 and wav_T.shape == (44100,) and wav_T.dtype == np.float32
    first = worker(decoder)._process.pid
    for data, seconds, said in ((b"nothing", 60, "audio"), (b"", 60, "empty"), (wav(3.0), 2, "2 s")):
        with pytest.raises(InputError, match=said) as refused:
            decode(decoder, data, seconds)
        assert refused.value.field == "audio"
    assert worker(decoder)._process.pid == first
    assert decode(decoder, wav(0.5, 96000))[1] == 48000


def test_a_dead_worker_is_replaced(decoder: SandboxedDecoder) -> None:
    decode(decoder, wav(0.1))
    os.kill(worker(decoder)._process.pid, signal.SIGSTOP)  # hangs: the time limit ends it
    object.__setattr__(worker(decoder).limits, "decode_seconds", 0.3)
    with pytest.raises(InputError, match="memory or"):
        decode(decoder, wav(1.0))
    object.__setattr__(worker(decoder).limits, "decode_seconds", 20)
    assert len(decode(decoder, wav(0.1))[0]) == 1600


def test_memory_is_bounded() -> None:
    decoder = SandboxedDecoder(Limits(decoders=1, decode_bytes=300 << 20))
    try:
        with pytest.raises(InputError, match="memory"):
            decode(decoder, wav(3000.0, 8000) + b"", 3600)
        assert len(decode(decoder, wav(0.1))[0]) == 1600
    finally:
        decoder.close()
