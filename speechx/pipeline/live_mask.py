"""A mask on sound that is still arriving: the refiner alone, whose estimate is silent, since the model has heard no end yet.

    mask = None
    for block_T in microphone:                     # (T,) at 16 kHz
        out_T, mask = push_live(frontend, "noise_suppression", mask, block_T)

The mask is all that is kept from block to block: it can be pickled and continued in another process that has the same
weights. The output follows `LATENCY_SECONDS` later. Shapes: T samples at 16 kHz, M STFT frames of 16 ms, F bins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from speechx.audio import levels, reading
from speechx.errors import InputError
from speechx.models.refiner import HOP_SECONDS, RefinerConfig
from speechx.pipeline.masking import RefinerMask
from speechx.task import registry

if TYPE_CHECKING:
    from speechx.models.refiner import Refiner
    from speechx.task.frontend import Frontend

__all__ = ["LATENCY_SECONDS", "LiveMask", "push_live"]

LIVE_RATE = reading.SAMPLE_RATE
LATENCY_SECONDS = (RefinerConfig().ahead + 2) * HOP_SECONDS
"""What the net must have heard after a sample: 288 ms. A block of the input and its computation come on top."""

LEVEL_SECONDS = 10.0
"""The sound's level is that of so many last seconds."""


class LiveMask(RefinerMask):
    """`feed` gives the masked samples that are final now, `end` the rest; all together as many as were fed."""

    def __init__(self, net: Refiner, slot: int) -> None:
        super().__init__(np.zeros(0, np.float32), net, slot)
        self._level = levels.RunningLevel(round(LEVEL_SECONDS * 50))
        self._dropped = 0  # samples at the start of the recording that are no longer kept

    def feed(self, wav_T: np.ndarray) -> np.ndarray:
        """(T,) more samples of the recording."""
        self._pushed += len(wav_T)
        self._hear(wav_T)
        return self._advance()

    def end(self) -> np.ndarray:
        self._hear(np.zeros((self._net.config.ahead + 2) * self._hop, np.float32))
        return self._advance()

    def _hear(self, wav_T: np.ndarray) -> None:
        self._recording_T = np.concatenate([self._recording_T, wav_T])
        self._level.push(wav_T)
        self._gain = np.float32(self._level.standard_gain())

    def _advance(self) -> np.ndarray:
        heard = (self._dropped + len(self._recording_T)) // self._hop  # whole frames
        until = heard - self._net.config.ahead
        if until > self._done:
            self._add_estimate(np.zeros((until - self._frames, self._net.config.bins), np.complex64))
            self._frames = until
        out_T = self._resynthesized(until)
        keep_from = max(0, self._read * self._hop - self._lead)
        self._recording_T = self._recording_T[keep_from - self._dropped :]
        self._dropped = keep_from
        return out_T

    def _spectra(self, start: int, stop: int) -> np.ndarray:
        first, last = start * self._hop - self._lead, stop * self._hop
        before = max(0, -first)
        part_T = self._recording_T[max(0, first) - self._dropped : last - self._dropped]
        return self._stft(np.pad(part_T, (before, last - first - before - len(part_T))))

    def use(self, net: Refiner) -> None:
        """The weights, after the mask came from another process."""
        self._net = net

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the weights."""
        return {name: value for name, value in vars(self).items() if name != "_net"}


def push_live(
    frontend: Frontend, task: str, mask: LiveMask | None, wav_T: np.ndarray, last: bool = False
) -> tuple[np.ndarray, LiveMask]:
    """The next (T,) samples -> the samples of the output that are final now, and the mask to go on with.

    mask: None at the start. Raises InputError where the task or the model cannot do it.
    """
    chosen = registry.task(task)
    net = frontend.refiner
    if chosen.live != "sound":
        raise InputError(f"task {task!r} takes no live sound", field="task")
    if net is None or chosen.slot not in net.config.slots:
        raise InputError("this model comes without a refiner: it takes no live sound", field="task")
    if net.config.sample_rate != LIVE_RATE:
        raise InputError(
            f"live sound has {LIVE_RATE} Hz, the codec of this model {net.config.sample_rate}: send whole recordings",
            field="task",
        )
    if mask is None:
        mask = LiveMask(net.for_slot(chosen.slot), chosen.slot)
    else:
        mask.use(net.for_slot(chosen.slot))
    out_T = mask.feed(wav_T)
    return (np.concatenate([out_T, mask.end()]) if last else out_T), mask
