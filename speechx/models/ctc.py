"""CTC over phones: the states of a text, the best path through them, greedy decoding and phone errors.

Legend: H steps, S states of a text, N phones of a text, P phone table.
Source: CTC (Graves et al. 2006).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from speechx.text.phones import PHONE_IDS, SILENCE

if TYPE_CHECKING:
    from speechx.text import PhoneSequence

STEP_RATE = 50.0
"""Steps per second that an aligner makes at least: phones last 40 ms and longer."""

BLANK = 0
"""Entry "<unk>" of the phone table serves as CTC's blank: no training text has it."""

PAUSES = frozenset({"_", ",", ".", "?", "!", ";", ":"})

SILENT = frozenset({BLANK, *(PHONE_IDS[phone] for phone in PAUSES if phone in PHONE_IDS)})
"""Table entries of blanks, silences and pauses. Phone errors do not count them."""


@dataclass(frozen=True)
class CTCStates:
    """CTC's states of a text: blank, phone, blank, phone, ... blank.

    phones_S: phone table index; optional_S: the state may be skipped (a blank not between two equal phones).
    """

    phones_S: np.ndarray
    optional_S: np.ndarray

    @classmethod
    def of(cls, text: PhoneSequence) -> CTCStates:
        phones_S = np.full(2 * len(text.ids) + 1, BLANK)
        phones_S[1::2] = text.ids
        optional_S = np.zeros(len(phones_S), bool)
        optional_S[::2] = True
        optional_S[2:-1:2] = text.ids[:-1] != text.ids[1:]
        return cls(phones_S, optional_S)

    @classmethod
    def without_blanks(cls, text: PhoneSequence) -> CTCStates:
        """The same states with silence for blanks, which only comes between words: every other step belongs to a phone."""
        states = cls.of(text)
        phones_S = states.phones_S.copy()
        phones_S[::2] = PHONE_IDS[SILENCE]
        optional_S = np.zeros(len(phones_S), bool)
        optional_S[::2] = True
        return cls(phones_S, optional_S)

    def shortest(self) -> int:
        """Steps that the states which cannot be skipped need."""
        return int((~self.optional_S).sum())

    def best_path(self, score_HS: np.ndarray) -> np.ndarray:
        """State of each step (H,) on the best path (Viterbi)."""
        search = ViterbiSearch(self)
        search.extend(score_HS)
        return search.path()

    def check_room(self, steps: int, rate: float) -> None:
        """Raises ValueError where so many steps, at so many per second, cannot hold the phones."""
        if self.shortest() > steps:
            raise ValueError(
                f"the text has {len(self.phones_S) // 2} phones, too many for {steps / rate:.2f} s of audio: "
                "they don't belong together"
            )

    def peaks(self, path_H: np.ndarray) -> np.ndarray:
        """Middle step of each phone up to the last one on a path, (N,) float, strictly rising."""
        steps_H = np.flatnonzero(path_H % 2 == 1)
        phone_H = path_H[steps_H] // 2
        return np.bincount(phone_H, steps_H) / np.bincount(phone_H)


class ViterbiSearch:
    """The best path through the states of a text, over scores that come in pieces."""

    def __init__(self, states: CTCStates) -> None:
        self._states = states
        count = len(states.phones_S)
        self._skip_S = np.full(count, -np.inf)
        self._skip_S[2:] = np.where(states.optional_S[1:-1], 0.0, -np.inf)
        self.best_S = np.full(count, -np.inf)
        """Score of the best path into each state."""
        self._back: list[np.ndarray] = []  # by how many states each step came to each state, (S,) int8 a step

    @property
    def steps(self) -> int:
        """Steps seen so far."""
        return len(self._back)

    def extend(self, score_HS: np.ndarray) -> None:
        """Goes on by H steps: the log-probability of each state at each of them."""
        states = self._states
        count = len(states.phones_S)
        moves_3S, columns = np.full((3, count), -np.inf), np.arange(count)
        for score_S in score_HS:
            if not self._back:
                first = 2 if states.optional_S[0] else 1
                self.best_S[:first] = score_S[:first]
                self._back.append(np.zeros(count, np.int8))
                continue
            moves_3S[0] = self.best_S
            moves_3S[1, 1:] = self.best_S[:-1]
            moves_3S[2, 2:] = self.best_S[:-2] + self._skip_S[2:]
            back_S = moves_3S.argmax(0).astype(np.int8)
            self.best_S = moves_3S[back_S, columns] + score_S
            self._back.append(back_S)

    def path(self, end_S: np.ndarray | None = None) -> np.ndarray:
        """State of each step (H,) so far. It ends with the text, or anywhere where `end_S` has a log-prior of its end."""
        if end_S is not None:
            last = int((self.best_S + end_S).argmax())
        else:
            last = len(self.best_S) - 1
            if last > 0 and self._states.optional_S[-1] and self.best_S[-2] > self.best_S[-1]:
                last -= 1
        path_H = np.empty(self.steps, np.int64)
        for step in range(self.steps - 1, -1, -1):
            path_H[step] = last
            last -= int(self._back[step][last])
        return path_H


def pointer_of_peaks(peak_N: np.ndarray, frames: int, steps: int) -> np.ndarray:
    """The phone spoken in each codec frame, (F,) int32: from half-way to the peak before to half-way to the peak after.

    steps: in a frame.
    """
    start_N = np.concatenate([[0], np.ceil((peak_N[:-1] + peak_N[1:]) / 2)])
    middle_F = np.arange(frames) * steps + (steps - 1) / 2
    return (np.searchsorted(start_N, middle_F, side="right") - 1).astype(np.int32)


def greedy_decode(score_HP: np.ndarray) -> list[int]:
    """The best phone of every step, repeats merged, blanks taken out."""
    best_H = score_HP.argmax(1)
    keep_H = np.ones(len(best_H), bool)
    keep_H[1:] = best_H[1:] != best_H[:-1]
    return best_H[keep_H & (best_H != BLANK)].tolist()


def phone_errors(reference: Iterable[int], hypothesis: Iterable[int]) -> int:
    """Edit distance between two phone strings, silences and pauses not counted."""
    spoken, other = ([int(i) for i in phones if int(i) not in SILENT] for phones in (reference, hypothesis))
    return edit_distance(spoken, other)


def edit_distance(a: list[int], b: list[int]) -> int:
    """Levenshtein distance."""
    row = np.arange(len(b) + 1)
    b_array = np.array(b)
    for i, item in enumerate(a, 1):
        change = np.minimum(row[:-1] + (b_array != item), row[1:] + 1)
        new = np.concatenate([[i], change])
        # Insertions: the running minimum of (value - index) carries them along the row.
        row = np.minimum.accumulate(new - np.arange(len(new))) + np.arange(len(new))
    return int(row[-1])
