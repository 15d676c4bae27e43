"""Changes the speed of speech and keeps its pitch, as a stream: waveform similarity overlap-add (WSOLA).

    stretch = TimeStretch(16000, speed=1.25)
    for wav_T in parts: play(stretch.push(wav_T))
    play(stretch.push(rest_T, last=True))

Pieces of the input are laid over each other at another distance than they were taken at. Each is taken where it continues
the one before best, so that periods of the voice stay whole (Verhelst and Roelands, 1993).
Shapes: T samples.
"""

from __future__ import annotations

import numpy as np

from speechx.audio.types import Samples

__all__ = ["TimeStretch"]

PIECE_SECONDS = 0.032  # three periods of a low voice
SEARCH_SECONDS = 0.008  # to both sides: more than half a period


class TimeStretch:
    """One stream. speed: above 1 is faster. The output has round(T / speed) samples; at speed 1 it is the input."""

    def __init__(self, rate: int, speed: float) -> None:
        self.speed = speed
        self._hop = round(PIECE_SECONDS * rate / 2)
        self._search = round(SEARCH_SECONDS * rate)
        self._window_N = np.hanning(2 * self._hop + 1)[:-1].astype(np.float32)
        self._input = np.zeros(self._hop, np.float32)  # the first piece begins before the first sample
        self._dropped = -self._hop  # input samples before `_input`
        self._tail = np.zeros(self._hop, np.float32)  # of the last piece, still to be added to
        self._goes_on: Samples | None = None  # what follows the last piece in the input
        self._pieces = self._taken = self._given = 0

    def push(self, wav_T: Samples, last: bool = False) -> Samples:
        """The output that is ready after (T,) more samples. last: they are the last ones."""
        if self.speed == 1:
            return wav_T
        self._taken += len(wav_T)
        self._input = np.concatenate([self._input, wav_T.astype(np.float32, copy=False)])
        wanted = round(self._taken / self.speed)
        if last:
            margin = 4 * self._hop + self._search + round(2 * self._hop * self.speed)
            self._input = np.concatenate([self._input, np.zeros(margin, np.float32)])
        ready: list[Samples] = []
        while (piece_N := self._next_piece()) is not None:
            ready.append(self._tail + piece_N[: self._hop])
            self._tail = piece_N[self._hop :]
            if last and self._hop * self._pieces >= wanted + self._hop:
                break
        # The first half piece lies before the first sample.
        out_T = np.concatenate(ready) if ready else np.zeros(0, np.float32)
        skipped = min(len(out_T), max(0, self._hop - self._given))
        self._given += len(out_T)
        out_T = out_T[skipped:]
        return out_T[: len(out_T) - max(0, self._given - self._hop - wanted)] if last else out_T

    def _next_piece(self) -> Samples | None:
        """The next windowed piece (2 hop,); None until there is enough input."""
        size, hop, search = 2 * self._hop, self._hop, self._search
        at = round(self._pieces * hop * self.speed) - hop - self._dropped
        first = max(0, at - search)
        if at + search + size + hop > len(self._input):
            return None
        if self._goes_on is not None:
            at = first + best_match(self._input[first : at + search + size], self._goes_on)
        piece_N = self._input[at : at + size] * self._window_N
        self._goes_on = self._input[at + hop : at + hop + size]
        self._pieces += 1
        unused = max(0, round(self._pieces * hop * self.speed) - hop - search - self._dropped)
        self._input, self._dropped = self._input[unused:], self._dropped + unused
        return piece_N


def best_match(where_T: Samples, wanted_N: Samples) -> int:
    """The offset in `where_T` at which the most similar stretch to `wanted_N` begins, by normalized correlation."""
    products = np.correlate(where_T, wanted_N, "valid")
    energy = np.cumsum(np.concatenate([[0.0], where_T.astype(np.float64) ** 2]))
    norms = np.sqrt(np.maximum(energy[len(wanted_N) :] - energy[: -len(wanted_N)], 1e-9))
    return int(np.argmax(products / norms))
