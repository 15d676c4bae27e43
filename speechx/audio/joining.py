"""Concatenates parts of audio as a stream, with cross-fades. Shapes: T samples."""

from __future__ import annotations

import numpy as np

from speechx.audio.mixing import crossfade

__all__ = ["Joiner"]

NOTHING = np.zeros(0, np.float32)


class Joiner:
    """`begin` each part, `push` its samples, `close` at the end.

    The last `overlap` samples of a part are held back and cross-faded with the first ones of the next. All other samples
    pass unchanged.
    """

    def __init__(self, overlap: int = 0) -> None:
        self.overlap = overlap
        self.begun_at = 0
        self._held_T = NOTHING  # the end of the part, not returned yet
        self._waiting_T: np.ndarray | None = None  # the start of a part, until it is as long as `_held_T`
        self._returned = 0

    def begin(self) -> int:
        """Start a part; returns the output position of its first sample."""
        self._finish_part()
        self._waiting_T = NOTHING
        self.begun_at = self._returned
        return self.begun_at

    def push(self, wav_T: np.ndarray) -> np.ndarray:
        """(T,) samples of the part to the output samples that are final now."""
        if self._waiting_T is not None:
            wav_T = np.concatenate([self._waiting_T, wav_T])
            if len(wav_T) < len(self._held_T):
                self._waiting_T = wav_T
                return NOTHING
            wav_T = self._faded(wav_T)
        elif self.overlap:
            wav_T = np.concatenate([self._held_T, wav_T])
        keep = max(0, len(wav_T) - self.overlap)
        self._held_T = wav_T[keep:]
        self._returned += keep
        return wav_T[:keep]

    def close(self) -> np.ndarray:
        """The samples held back."""
        self._finish_part()
        out_T, self._held_T = self._held_T, NOTHING
        self._returned += len(out_T)
        return out_T

    def _faded(self, wav_T: np.ndarray) -> np.ndarray:
        size = len(self._held_T)
        self._waiting_T = None
        return np.concatenate([crossfade(self._held_T, wav_T[:size]), wav_T[size:]])

    def _finish_part(self) -> None:
        """Cross-fade a part that ended before it was as long as the overlap."""
        if self._waiting_T is not None and len(self._waiting_T):
            size = min(len(self._held_T), len(self._waiting_T))
            head_T = self._held_T[: len(self._held_T) - size]
            joint_T = crossfade(self._held_T[len(self._held_T) - size :], self._waiting_T[:size])
            self._held_T = np.concatenate([head_T, joint_T, self._waiting_T[size:]])
        self._waiting_T = None
