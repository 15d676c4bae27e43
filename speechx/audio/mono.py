"""Mixes channels to one and resamples, in blocks: memory grows with the result. Shapes: T samples, C channels.

The result is the mean of the channels. Where they cancel each other, as with one cable in opposite phase, the mean is
silence or a rest of noise: then the result is the loudest channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from speechx.audio.types import Samples
from speechx.errors import InputError

__all__ = ["Limit", "fit", "to_mono"]

CANCELLED = 0.25
"""Energy of the mean, where the mean of independent channels has 1, of C equal channels C, of opposite channels 0."""


@dataclass(frozen=True)
class Limit:
    """Seconds that are left of `seconds`, and the name of the source, for the message."""

    left: float
    seconds: float
    name: str


def to_mono(blocks: Callable[[], Iterator[Samples]], rate: int, to: int, limit: Limit) -> tuple[Samples, int]:
    """Blocks (T, C) at `rate` -> (mono (T,) at `to`, samples per channel decoded).

    blocks: called again where channels cancel.
    Raises InputError: longer than the limit, NaN.
    """
    mixer = _Mixer(rate, to, limit)
    wav_T = mixer.mix(blocks(), None)
    if (channel := mixer.loudest_of_cancelling()) is not None:
        wav_T = mixer.mix(blocks(), channel)
    return wav_T, mixer.total


def fit(wav_T: Samples, length: int) -> Samples:
    """Cut or padded with zeros to the length."""
    return wav_T[:length] if len(wav_T) >= length else np.pad(wav_T, (0, length - len(wav_T)))


class _Mixer:
    def __init__(self, rate: int, to: int, limit: Limit) -> None:
        self._rate, self._to, self._limit = rate, to, limit
        self.total = 0
        self._mean_power = 0.0
        self._power_C: NDArray[np.float64] | None = None

    def mix(self, blocks: Iterator[Samples], channel: int | None) -> Samples:
        """The mean of the channels, or one of them."""
        stream = (
            None if self._rate == self._to else soxr.ResampleStream(self._rate, self._to, 1, dtype="float32")
        )
        parts: list[Samples] = []
        self.total = 0
        for block_TC in blocks:
            self.total += len(block_TC)
            if self.total > (self._limit.left + 1) * self._rate:  # the header has no length, or a wrong one
                raise InputError(f"{self._limit.name} is longer than the limit of {self._limit.seconds:g} s")
            mono_T = block_TC.mean(axis=1, dtype=np.float32) if channel is None else block_TC[:, channel]
            mono_T = np.ascontiguousarray(mono_T, np.float32)
            if not np.isfinite(mono_T).all():
                raise InputError(f"{self._limit.name} holds NaN or infinite samples")
            if channel is None and block_TC.shape[1] > 1:
                self._measure(block_TC, mono_T)
            parts.append(stream.resample_chunk(mono_T) if stream else mono_T)
        if stream:
            parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
        wav_T = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return fit(wav_T, round(self.total * self._to / self._rate))

    def loudest_of_cancelling(self) -> int | None:
        """The loudest channel where the channels cancel, else None."""
        if self._power_C is None:
            return None
        independent = float(self._power_C.sum()) / len(self._power_C) ** 2
        return int(self._power_C.argmax()) if self._mean_power < CANCELLED * independent else None

    def _measure(self, block_TC: Samples, mono_T: Samples) -> None:
        power_C = np.einsum("tc,tc->c", block_TC, block_TC, dtype=np.float64)
        self._power_C = power_C if self._power_C is None else self._power_C + power_C
        self._mean_power += float(np.dot(mono_T, mono_T))
