"""Alignment of a long recording with its text while the recording is still being read.

The first window of a three-minute recording should not wait until all of it is encoded. So the search for the best path
(CTC's forced alignment) goes on from window to window. Where the recording has not been read to its end, the path may end
at any phone; how likely each is follows from the time and the text that are left, as a Brownian bridge between the phone
reached so far and the last one. Scores fall with every phone where little is heard, so that the best path would wait: what
they fall by on average is taken off. docs/log.md compares with aligning the whole.

Shapes: F codec frames, H steps of the aligner, S states of the text, N phones of the text, P phone table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from speechx.models.ctc import CTCStates, ViterbiSearch, pointer_of_peaks

if TYPE_CHECKING:
    from speechx.text import PhoneSequence

__all__ = ["LOOKAHEAD_SECONDS", "RunningAlignment"]

LOOKAHEAD_SECONDS = 7.2
"""So much is read beyond the frames whose phones are asked for."""

WANDER = 16.0
"""By how many phones speech, with its pauses, strays from its mean pace in a second; it grows with the square
root of time."""


class RunningAlignment:
    """The phone of each frame of a recording, asked for from its start to its end.

    posteriors: frames [start, stop) of the recording -> (steps (stop - start), P) log-probabilities of the phones.
    frame_rate: frames per second. steps: of the aligner, in a frame.
    """

    def __init__(
        self,
        text: PhoneSequence,
        frames: int,
        posteriors: Callable[[int, int], np.ndarray],
        frame_rate: float,
        steps: int,
    ) -> None:
        self._states = CTCStates.of(text)
        self._frame_rate, self._steps = frame_rate, steps
        self._lookahead = round(LOOKAHEAD_SECONDS * frame_rate)
        self._states.check_room(frames * steps, frame_rate * steps)
        self._count, self._frames, self._posteriors = len(text.ids), frames, posteriors
        self._search = ViterbiSearch(self._states)
        self._reached = (0, 0)  # frame and phone from which on the rest is open

    def pointer(self, start: int, stop: int) -> np.ndarray:
        """(stop - start,) int32: index into the text's phones spoken in each of these frames, never falling."""
        until = min(self._frames, stop + self._lookahead)
        self._read(until)
        path_H = self._search.path(None if until == self._frames else self._likely_ends(until))
        pointer_F = pointer_of_peaks(self._states.peaks(path_H), until, self._steps)
        self._reached = start, int(pointer_F[start])
        return pointer_F[start:stop]

    def _read(self, until: int) -> None:
        known = self._search.steps // self._steps
        if until > known:
            self._search.extend(self._posteriors(known, until)[:, self._states.phones_S])

    def _likely_ends(self, frame: int) -> np.ndarray:
        """(S,) log-prior of the state at `frame`."""
        at, phone = self._reached
        seconds, rest = (frame - at) / self._frame_rate, (self._frames - frame) / self._frame_rate
        mean = phone + (self._count - phone) * seconds / (seconds + rest)
        variance = WANDER**2 * seconds * rest / (seconds + rest)
        phone_S = np.arange(len(self._states.phones_S)) / 2
        prior_S = -((phone_S - mean) ** 2) / (2 * variance)
        return np.asarray(prior_S - self._fall(prior_S, phone_S) * phone_S)

    def _fall(self, prior_S: np.ndarray, phone_S: np.ndarray) -> float:
        """By how much the score changes with every phone on average: the slope of a line, fitted where the end is likely."""
        likely_S = np.isfinite(self._search.best_S) & (
            prior_S > prior_S.max() - 4.5
        )  # three standard deviations
        root_S = np.exp(prior_S[likely_S] / 2)
        if len(root_S) < 2:
            return 0.0
        return float(np.polyfit(phone_S[likely_S], self._search.best_S[likely_S], 1, w=root_S)[0])
