"""Shortens long pauses of speech as it streams, and says where a moment of it is afterwards. Shapes: T samples."""

from __future__ import annotations

import numpy as np

__all__ = ["PauseShortener"]

FRAME_SECONDS = 0.02
QUIET_DB = 35.0
"""A frame is a pause so far below the loudest frame up to it."""

SHORTEST_PAUSE = 0.1
"""Seconds. What is shorter may be the closure of a consonant."""

ONSET_SECONDS = 0.08
"""Kept before speech goes on: the first sound of a word may be as quiet as a pause."""


class PauseShortener:
    """`push` samples, `close` at the end. A pause of more than `longest` seconds becomes one of `longest`.

    What is heard does not depend on the pieces that come in. rate: Hz.
    """

    def __init__(self, rate: int, longest: float) -> None:
        self._rate, self._size = rate, round(FRAME_SECONDS * rate)
        self._onset = round(ONSET_SECONDS / FRAME_SECONDS)
        self._most = max(0, round(longest / FRAME_SECONDS) - self._onset)
        self._rest_T = np.zeros(0, np.float32)  # less than a frame
        self._held: list[np.ndarray] = []  # the last frames of a pause that is long already
        self._loudest = 0.0
        self._quiet = 0  # frames of the pause so far
        self._quiet_until: list[int] = []  # of each frame taken in: the length of the pause that ends with it
        self._removed: list[
            tuple[int, int]
        ] = []  # (frame before which they were, how many in all up to there)

    @property
    def taken(self) -> float:
        """Seconds of the input that are decided on. The end of a pause that is too long already is not."""
        return (len(self._quiet_until) - len(self._held)) * FRAME_SECONDS

    def push(self, wav_T: np.ndarray) -> np.ndarray:
        """(T,) -> the samples that are final now."""
        wav_T = np.concatenate([self._rest_T, wav_T])
        whole = len(wav_T) // self._size
        self._rest_T = wav_T[whole * self._size :]
        out = [self._frame(frame_T) for frame_T in wav_T[: whole * self._size].reshape(whole, self._size)]
        return np.concatenate([self._rest_T[:0], *out])

    def close(self) -> np.ndarray:
        """The samples held back."""
        held, self._held = self._held, []
        return np.concatenate([*held, self._rest_T])

    def speech_end(self, end: float) -> float:
        """The end of a word that ends at `end`, among what is decided on, without the pause that it ends with."""
        frames = min(round(end / FRAME_SECONDS), len(self._quiet_until))
        quiet = self._quiet_until[frames - 1] if frames else 0
        return end if quiet * FRAME_SECONDS < SHORTEST_PAUSE else (frames - quiet) * FRAME_SECONDS

    def placed(self, start: float, end: float) -> tuple[float, float]:
        """Where a word from `start` to `end` is heard in the output: (start, end), a frame long at least."""
        first = self.moved(start)
        return first, max(first + FRAME_SECONDS, self.moved(self.speech_end(end)))

    def moved(self, seconds: float) -> float:
        """Where a moment of the input is in the output, among what is decided on: the later the moment, the later."""
        frames, removed = seconds / FRAME_SECONDS + 1e-6, 0
        for before, count in self._removed:
            if frames < before - 1:
                break
            if frames < before:  # in a frame that was removed
                return (before - count) * FRAME_SECONDS
            removed = count
        return seconds - removed * FRAME_SECONDS

    def _frame(self, frame_T: np.ndarray) -> np.ndarray:
        power = float(np.mean(np.square(frame_T, dtype=np.float64)))
        self._loudest = max(self._loudest, power)
        self._quiet = self._quiet + 1 if power <= self._loudest * 10 ** (-QUIET_DB / 10) else 0
        self._quiet_until.append(self._quiet)
        if not self._quiet:
            out_T, self._held = np.concatenate([*self._held, frame_T]), []
            return out_T
        if self._quiet <= self._most:
            return frame_T
        self._held.append(frame_T)
        if len(self._held) > self._onset:
            del self._held[0]
            at, before = len(self._quiet_until) - self._onset, self._removed[-1][1] if self._removed else 0
            self._removed.append((at, before + 1))
        return frame_T[:0]
