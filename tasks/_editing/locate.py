"""Finds the edits: from two transcripts, or from a span, to spans of frames and of phones.

Shapes: F codec frames, N phones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from speechx.errors import InputError
from speechx.tasks._shared import phone_spans
from speechx.text import diff_words

if TYPE_CHECKING:
    from speechx.models.aligner import Alignment
    from speechx.text import PhoneSequence, Word

FRAME_RATE = 25
MARGIN = 2
"""Frames of silence beside a changed word that are generated with it, where there are so many."""

NEAR = 5
"""Changes with fewer untouched frames between them are one change: the cross-fades need room."""

CONTEXT_BEFORE, CONTEXT_AFTER = 150, 100
"""Frames around the gap that the prompt shows: 6 s and 4 s."""


@dataclass(frozen=True)
class AlignedTranscript:
    """A recording's transcript: its phones, and the frames of each word, (W, 2) [start, stop)."""

    speech: PhoneSequence
    frames_W2: np.ndarray

    @classmethod
    def of(cls, speech: PhoneSequence, alignment: Alignment, frames: int) -> AlignedTranscript:
        """Frames of every word. A word that the alignment skips has none, at the end of the word before it."""
        spans, at, times = [], 0, list(alignment.words)
        for word in speech.words:
            if times and times[0].text == word.text:
                time = times.pop(0)
                start = min(frames, max(at, round(time.start * FRAME_RATE)))
                at = min(frames, max(start + 1, round(time.end * FRAME_RATE)))  # half a frame is a word too
                spans.append((start, at))
            else:
                spans.append((at, at))
        return cls(speech, np.array(spans, np.int64).reshape(-1, 2))

    @classmethod
    def spoken(cls, speech: PhoneSequence, pointer_F: np.ndarray) -> AlignedTranscript:
        """Frames of every word, from the phone of each frame."""
        borders_W2 = np.array([(word.start, word.stop) for word in speech.words], np.int64).reshape(-1, 2)
        return cls(speech, np.searchsorted(pointer_F, borders_W2))


@dataclass(frozen=True)
class Edit:
    """One change. Words [old_start, old_stop) of the recording, which fill the frames [start, stop), become the words
    [new_start, new_stop) of the new text."""

    old_start: int
    old_stop: int
    new_start: int
    new_stop: int
    start: int
    stop: int


def edits_between(transcript: AlignedTranscript, new: PhoneSequence, frames: int) -> list[Edit]:
    """The edits from the recording's words to `new`, in order, neighbours merged."""
    found: list[Edit] = []
    for change in diff_words(transcript.speech, new, new.language):
        i, i2, j, j2 = change.old_start, change.old_stop, change.new_start, change.new_stop
        start, stop = gap(transcript, i, i2, frames)
        if found and start - found[-1].stop < NEAR:
            last = found.pop()
            i, j = last.old_start, last.new_start
            start, stop = gap(transcript, i, i2, frames)
        found.append(Edit(i, i2, j, j2, start, stop))
    return found


def edit_of_span(transcript: AlignedTranscript, span: tuple[float, float], frames: int) -> Edit:
    """The change of a span in seconds: the words whose middle lies in it. `transcript` is the new text on the old sound."""
    start, stop = span_frames(span, frames)
    middle_W = transcript.frames_W2.mean(1)
    inside = np.flatnonzero((middle_W >= start) & (middle_W < stop))
    first, last = (
        (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (int((middle_W < start).sum()),) * 2
    )
    return Edit(first, last, first, last, start, stop)


def span_frames(span: tuple[float, float], frames: int) -> tuple[int, int]:
    """A span in seconds as frames. Raises InputError where it reaches outside the recording."""
    if span[1] > (frames + 0.5) / FRAME_RATE:
        seconds = frames / FRAME_RATE
        raise InputError(
            f"span ends at {span[1]:g} s, outside the audio, which is {seconds:.2f} s long", field="span"
        )
    start = int(np.floor(span[0] * FRAME_RATE + 1e-6))
    stop = min(frames, int(np.ceil(span[1] * FRAME_RATE - 1e-6)))
    return to_edges(min(start, stop - 1), stop, frames)


def to_edges(start: int, stop: int, frames: int) -> tuple[int, int]:
    """A gap that leaves less than two frames before or after it takes them too: a cross-fade needs room."""
    return 0 if start < 2 else start, frames if stop > frames - 2 else stop


def gap(transcript: AlignedTranscript, first: int, last: int, frames: int) -> tuple[int, int]:
    """Frames [start, stop) to generate for the words [first, last): whole words, and a little of the silence around."""
    spans = transcript.frames_W2
    before = int(spans[first - 1, 1]) if first > 0 else 0
    after = int(spans[last, 0]) if last < len(spans) else frames
    if first == last:  # an insertion goes into the silence between the two words, or close to the only one
        if first == 0:
            middle = max(0, after - MARGIN)
        elif first == len(spans):
            middle = min(frames, before + MARGIN)
        else:
            middle = (before + after) // 2
        start, stop = to_edges(middle, middle, frames)
        return (start, start) if start < middle else (stop, stop)
    start = max(before, int(spans[first, 0]) - MARGIN)
    stop = min(after, int(spans[last - 1, 1]) + MARGIN)
    return to_edges(start, max(start, stop), frames)


@dataclass(frozen=True)
class EditScript:
    """The text of one edit's prompt: the words around the gap and the new words in it.

    [start, stop): the new words' phones in speech.ids. words: the same, as spans there. before, after: the frames shown.
    """

    speech: PhoneSequence
    start: int
    stop: int
    words: tuple[Word, ...]
    before: int
    after: int


def edit_script(edit: Edit, transcript: AlignedTranscript, new: PhoneSequence, frames: int) -> EditScript:
    """The text of one edit and the frames [before, start) and [stop, after) of its context, which ends at word borders."""
    old, spans = transcript.speech, transcript.frames_W2
    early = int(np.searchsorted(spans[: edit.old_start, 0], edit.start - CONTEXT_BEFORE))
    late = edit.old_stop + int(
        np.searchsorted(spans[edit.old_stop :, 1], edit.stop + CONTEXT_AFTER, side="right")
    )
    # The new words bring the pauses of the new text on both sides with them.
    first = new.words[edit.new_start - 1].stop if edit.new_start > 0 else 0
    last = new.words[edit.new_stop].start if edit.new_stop < len(new.words) else len(new.ids)
    pieces = [(new, first, last)]
    if early < edit.old_start:
        pieces.insert(0, (old, old.words[early].start, old.words[edit.old_start - 1].stop))
    if edit.old_stop < late:
        pieces.append((old, old.words[edit.old_stop].start, old.words[late - 1].stop))
    speech, offsets = phone_spans.join(pieces, new.language)
    offset = offsets[1 if early < edit.old_start else 0]
    start, stop = first + offset, last + offset
    words = tuple(w for w in speech.words if start <= w.start and w.stop <= stop)
    # Where a neighbor is too far away to be shown, so is all but a second of the silence on the way to it.
    before = int(spans[early, 0]) if 0 < early < edit.old_start else 0
    reach = CONTEXT_BEFORE if early < edit.old_start else 0
    before = max(min(before, edit.start), edit.start - reach - FRAME_RATE)
    after = int(spans[late - 1, 1]) if edit.old_stop < late < len(spans) else frames
    reach = CONTEXT_AFTER if edit.old_stop < late else 0
    after = min(max(after, edit.stop), edit.stop + reach + FRAME_RATE)
    return EditScript(speech, start, stop, words, max(0, before), after)
