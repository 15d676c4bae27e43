"""Cutting phone sequences at words. Shapes: F codec frames, N phones."""

from __future__ import annotations

import numpy as np

from speechx.text import PhoneSequence, Word

SILENCE = 1
"""Phone table entry of "_": every sequence starts and ends with one."""


def join(pieces: list[tuple[PhoneSequence, int, int]], language: str) -> tuple[PhoneSequence, list[int]]:
    """One sequence of stretches [start, stop) of others, with a silence at both ends where there is none.

    Returns it and, for each piece, its offset: phone p of a piece's source is phone p + offset here.
    """
    ids: list[int] = []
    phones: list[str] = []
    words: list[Word] = []
    offsets: list[int] = []
    if not pieces or not _starts_silent(pieces):
        ids, phones = [SILENCE], ["_"]
    for source, start, stop in pieces:
        offset = len(ids) - start
        offsets.append(offset)
        ids.extend(int(i) for i in source.ids[start:stop])
        phones.extend(source.phones[start:stop])
        words.extend(
            Word(w.text, w.start + offset, w.stop + offset)
            for w in source.words
            if start <= w.start and w.stop <= stop
        )
    if len(ids) < 2 or ids[-1] != SILENCE:
        ids.append(SILENCE)
        phones.append("_")
    return PhoneSequence(language, tuple(phones), np.array(ids, np.int64), tuple(words)), offsets


def _starts_silent(pieces: list[tuple[PhoneSequence, int, int]]) -> bool:
    first = next(((s, a) for s, a, b in pieces if b > a), None)
    return first is not None and first[0].ids[first[1]] == SILENCE


def spoken_in(
    speech: PhoneSequence, pointer_F: np.ndarray
) -> tuple[PhoneSequence, np.ndarray] | tuple[None, None]:
    """(the words with a phone in these frames, the pointer over them); (None, None) where there is none."""
    if len(pointer_F) == 0:
        return None, None
    low, high = int(pointer_F[0]), int(pointer_F[-1]) + 1
    inside = [w for w in speech.words if w.start < high and w.stop > low]
    if not inside:
        return None, None
    part, (offset,) = join([(speech, inside[0].start, inside[-1].stop)], speech.language)
    return part, np.clip(pointer_F + offset, 0, len(part.ids) - 1).astype(np.int32)


def starting_at(
    speech: PhoneSequence, pointer_F: np.ndarray, frame: int
) -> tuple[PhoneSequence, np.ndarray] | None:
    """(the words that begin at `frame` or later, the pointer of those frames over them); None where there is none."""
    later = [w for w in speech.words if first_frame(pointer_F, w.start) >= frame]
    if not later:
        return None
    rest, (offset,) = join([(speech, later[0].start, len(speech.ids))], speech.language)
    return rest, np.maximum(pointer_F[frame:] + offset, 0).astype(np.int32)


def first_frame(pointer_F: np.ndarray, phone: int) -> int:
    """The first frame at or past the phone."""
    return int(np.searchsorted(pointer_F, phone, side="left"))
