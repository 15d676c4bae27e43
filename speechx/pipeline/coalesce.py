"""Joins short chunks: the cost of sending is per chunk. Shapes: T samples."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

import numpy as np

from speechx.pipeline.job import Chunk

__all__ = ["coalesce"]

FIRST_SECONDS, REST_SECONDS = 0.08, 0.32
"""Seconds of audio up to which chunks are joined: the first chunk, and later ones. The cost of sending is per chunk."""


async def coalesce(
    chunks: AsyncIterator[Chunk], first: float = FIRST_SECONDS, rest: float = REST_SECONDS
) -> AsyncGenerator[Chunk, None]:
    """Join chunks until they hold `first`, later `rest`, seconds of audio."""
    held: list[Chunk] = []
    wanted = first
    async for chunk in chunks:
        held.append(chunk)
        if chunk.final or sum(len(c.wav_T) for c in held) >= wanted * chunk.sample_rate:
            joined = np.concatenate([c.wav_T for c in held]) if len(held) > 1 else chunk.wav_T
            yield replace(chunk, wav_T=joined)
            held.clear()
            wanted = rest
