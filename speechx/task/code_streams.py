"""Codes of a recording on demand, and sound of codes as they come.

Shapes: B runs side by side, T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from speechx.models.codec.base import StreamDecoder

__all__ = ["CodeReader", "WaveStream"]


class CodeReader:
    """Codes of a recording, encoded in blocks with sound on both sides, more than the encoder of our own codec sees."""

    BLOCK_SECONDS, CONTEXT_SECONDS, ONE_GO_SECONDS = 8.0, 1.6, 15.0

    def __init__(
        self, encode: Callable[[np.ndarray], np.ndarray], wav_T: np.ndarray, hop: int, frame_rate: float
    ) -> None:
        self._encode, self._wav_T, self._hop = encode, wav_T, hop
        self.frames = -(-len(wav_T) // hop)
        self._blocks: dict[int, np.ndarray] = {}
        whole = self.frames <= self.ONE_GO_SECONDS * frame_rate
        self._size = self.frames if whole else round(self.BLOCK_SECONDS * frame_rate)
        self._context = round(self.CONTEXT_SECONDS * frame_rate)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Codes (stop - start, K) of the frames [start, stop)."""
        assert 0 <= start < stop <= self.frames, (start, stop, self.frames)
        first, last = start // self._size, (stop - 1) // self._size
        codes_FK = np.concatenate([self._block(i) for i in range(first, last + 1)])
        return codes_FK[start - first * self._size : stop - first * self._size]

    def _block(self, index: int) -> np.ndarray:
        if index not in self._blocks:
            start, stop = index * self._size, min((index + 1) * self._size, self.frames)
            early, late = max(0, start - self._context), min(self.frames, stop + self._context)
            codes_FK = self._encode(self._wav_T[early * self._hop : late * self._hop])
            self._blocks[index] = codes_FK[start - early : stop - early]
        return self._blocks[index]


class WaveStream:
    """A codec's stream decoder that speaks numpy and frames first."""

    def __init__(self, decoder: StreamDecoder) -> None:
        self._decoder = decoder

    def push(self, codes_BFK: np.ndarray) -> np.ndarray:
        """(B, F, K) -> the samples (B, T) that are final now."""
        codes_BKF = np.ascontiguousarray(codes_BFK.transpose(0, 2, 1), np.int64)
        return self._decoder.push(torch.from_numpy(codes_BKF)).float().numpy()

    def flush(self) -> np.ndarray:
        """The samples (B, T) held back."""
        return self._decoder.flush().float().numpy()
