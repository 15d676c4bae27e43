"""CTC over phones: the states of a text, the best path through them, greedy decoding and phone errors.

Legend: H steps (50 Hz), S states of a text, N phones of a text, P phone table.
Source: CTC (Graves et al. 2006).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from speechx.text.phones import PHONE_IDS

if TYPE_CHECKING:
    from speechx.text import PhoneSequence

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

    def shortest(self) -> int:
        """Steps that the states which cannot be skipped need."""
        return int((~self.optional_S).sum())

    def best_path(self, score_HS: np.ndarray) -> np.ndarray:
        """State of each step (H,) on the best path (Viterbi)."""
        steps, states = score_HS.shape
        best_S = np.full(states, -np.inf)
        best_S[0] = score_HS[0, 0]
        if self.optional_S[0] and states > 1:
            best_S[1] = score_HS[0, 1]
        skip_S = np.full(states, -np.inf)
        skip_S[2:] = np.where(self.optional_S[1:-1], 0.0, -np.inf)
        back_HS = np.zeros((steps, states), np.int8)
        moves_3S = np.full((3, states), -np.inf)
        columns = np.arange(states)
        for step in range(1, steps):
            moves_3S[0] = best_S
            moves_3S[1, 1:] = best_S[:-1]
            moves_3S[2, 2:] = best_S[:-2] + skip_S[2:]
            back_HS[step] = moves_3S.argmax(0)
            best_S = moves_3S[back_HS[step], columns] + score_HS[step]
        last = states - 1
        if states > 1 and self.optional_S[-1] and best_S[-2] > best_S[-1]:
            last = states - 2
        path_H = np.empty(steps, np.int64)
        for step in range(steps - 1, -1, -1):
            path_H[step] = last
            last -= int(back_HS[step, last])
        return path_H

    def peaks(self, path_H: np.ndarray, count: int) -> np.ndarray:
        """Middle step of each phone on a path, (N,) float, strictly rising."""
        phone_H = np.where(path_H % 2 == 1, path_H // 2, -1)
        return np.array([np.flatnonzero(phone_H == n).mean() for n in range(count)])


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
