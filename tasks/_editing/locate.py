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

MARGIN_SECONDS = 0.08
"""Silence beside a changed word that is generated with it, where there is so much."""

NEAR_SECONDS = 0.2
"""Changes with less untouched between them are one change: the cross-fades need room."""

EDGE_SECONDS = 0.08
"""A gap that leaves less before or after it takes that, too: a cross-fade needs room."""

BEFORE_SECONDS, AFTER_SECONDS = 6.0, 4.0
"""What the prompt shows of the recording around the gap."""


@dataclass(frozen=True)
class AlignedTranscript:
    """A recording's transcript: its phones, and the frames of each word, (W, 2) [start, stop).

    frame_rate: frames per second.
    """

    speech: PhoneSequence
    frames_W2: np.ndarray
    frame_rate: float

    @classmethod
    def of(
        cls, speech: PhoneSequence, alignment: Alignment, frames: int, frame_rate: float
    ) -> AlignedTranscript:
        """Frames of every word. A word that the alignment skips has none, at the end of the word before it."""
        spans, at, times = [], 0, list(alignment.words)
        for word in speech.words:
            if times and times[0].text == word.text:
                time = times.pop(0)
                start = min(frames, max(at, round(time.start * frame_rate)))
                at = min(frames, max(start + 1, round(time.end * frame_rate)))  # half a frame is a word too
                spans.append((start, at))
            else:
                spans.append((at, at))
        return cls(speech, np.array(spans, np.int64).reshape(-1, 2), frame_rate)

    @classmethod
    def spoken(cls, speech: PhoneSequence, pointer_F: np.ndarray, frame_rate: float) -> AlignedTranscript:
        """Frames of every word, from the phone of each frame."""
        borders_W2 = np.array([(word.start, word.stop) for word in speech.words], np.int64).reshape(-1, 2)
        return cls(speech, np.searchsorted(pointer_F, borders_W2), frame_rate)

    def frames(self, seconds: float) -> int:
        """Frames of so many seconds."""
        return round(seconds * self.frame_rate)


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
        if found and start - found[-1].stop < transcript.frames(NEAR_SECONDS):
            last = found.pop()
            i, j = last.old_start, last.new_start
            start, stop = gap(transcript, i, i2, frames)
        found.append(Edit(i, i2, j, j2, start, stop))
    return found


def edit_of_span(transcript: AlignedTranscript, span: tuple[float, float], frames: int) -> Edit:
    """The change of a span in seconds: the words whose middle lies in it. `transcript` is the new text on the old sound."""
    start, stop = span_frames(span, frames, transcript.frame_rate)
    middle_W = transcript.frames_W2.mean(1)
    inside = np.flatnonzero((middle_W >= start) & (middle_W < stop))
    first, last = (
        (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (int((middle_W < start).sum()),) * 2
    )
    return Edit(first, last, first, last, start, stop)


def span_frames(span: tuple[float, float], frames: int, frame_rate: float) -> tuple[int, int]:
    """A span in seconds as frames. Raises InputError where it reaches outside the recording."""
    if span[1] > (frames + 0.5) / frame_rate:
        seconds = frames / frame_rate
        raise InputError(
            f"span ends at {span[1]:g} s, outside the audio, which is {seconds:.2f} s long", field="span"
        )
    start = int(np.floor(span[0] * frame_rate + 1e-6))
    stop = min(frames, int(np.ceil(span[1] * frame_rate - 1e-6)))
    return to_edges(min(start, stop - 1), stop, frames, frame_rate)


def to_edges(start: int, stop: int, frames: int, frame_rate: float) -> tuple[int, int]:
    """The gap, up to an edge of the recording that is nearer than EDGE_SECONDS."""
    room = round(EDGE_SECONDS * frame_rate)
    return 0 if start < room else start, frames if stop > frames - room else stop


def gap(transcript: AlignedTranscript, first: int, last: int, frames: int) -> tuple[int, int]:
    """Frames [start, stop) to generate for the words [first, last): whole words, and a little of the silence around."""
    spans, margin, rate = transcript.frames_W2, transcript.frames(MARGIN_SECONDS), transcript.frame_rate
    before = int(spans[first - 1, 1]) if first > 0 else 0
    after = int(spans[last, 0]) if last < len(spans) else frames
    if first == last:  # an insertion goes into the silence between the two words, or close to the only one
        if first == 0:
            middle = max(0, after - margin)
        elif first == len(spans):
            middle = min(frames, before + margin)
        else:
            middle = (before + after) // 2
        start, stop = to_edges(middle, middle, frames, rate)
        return (start, start) if start < middle else (stop, stop)
    start = max(before, int(spans[first, 0]) - margin)
    stop = min(after, int(spans[last - 1, 1]) + margin)
    return to_edges(start, max(start, stop), frames, rate)


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
    shown_before, shown_after, second = (transcript.frames(s) for s in (BEFORE_SECONDS, AFTER_SECONDS, 1.0))
    early = int(np.searchsorted(spans[: edit.old_start, 0], edit.start - shown_before))
    late = edit.old_stop + int(
        np.searchsorted(spans[edit.old_stop :, 1], edit.stop + shown_after, side="right")
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
    reach = shown_before if early < edit.old_start else 0
    before = max(min(before, edit.start), edit.start - reach - second)
    after = int(spans[late - 1, 1]) if edit.old_stop < late < len(spans) else frames
    reach = shown_after if edit.old_stop < late else 0
    after = min(max(after, edit.stop), edit.stop + reach + second)
    return EditScript(speech, start, stop, words, max(0, before), after)
