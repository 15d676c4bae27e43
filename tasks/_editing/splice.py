"""Splices edited spans into a recording: every sample outside the cross-fades is the recording's own.

Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from speechx.audio.noise_floor import NoiseFloor
from speechx.models.lm.prompt import Prompt
from speechx.task.plan import GeneratedPart, Part, ReadyPart
from speechx.tasks._editing import locate
from speechx.tasks._editing.locate import AlignedTranscript, Edit, EditScript
from speechx.tasks._shared import phone_spans
from speechx.text.types import WordTime

if TYPE_CHECKING:
    from speechx.text import PhoneSequence

FADE_SECONDS = 0.015
DECODE_BEFORE_SECONDS, DECODE_AFTER_SECONDS = 0.48, 0.16
"""What of the recording is decoded around a generated span, as context for the decoder; dropped except for fades."""

AROUND_SECONDS = 5.0
"""So much of the recording on both sides of a change tells what its background is."""


@dataclass(frozen=True)
class EditPlan:
    """A recording under edit: its number of samples, codes at the standard level, words, the changes in order."""

    samples: int
    codes_FK: np.ndarray
    gain: float
    transcript: AlignedTranscript
    new: PhoneSequence
    edits: list[Edit]

    def edit_script(self, edit: Edit) -> EditScript:
        return locate.edit_script(edit, self.transcript, self.new, len(self.codes_FK))

    def generated(
        self, edit: Edit, script: EditScript, prompt: Prompt, floor: NoiseFloor | None = None
    ) -> GeneratedPart:
        """The part that fills the gap of one change. floor: the background that goes on under it."""
        before, after = map(self.transcript.frames, (DECODE_BEFORE_SECONDS, DECODE_AFTER_SECONDS))
        before_FK = self.codes_FK[max(0, edit.start - before) : edit.start]
        after_FK = self.codes_FK[edit.stop : edit.stop + after]
        return GeneratedPart(
            prompt,
            script.words,
            before_FK=before_FK if len(before_FK) else None,
            after_FK=after_FK if len(after_FK) else None,
            gain=1 / self.gain,
            floor=floor,
            speech=phone_spans.join([(script.speech, script.start, script.stop)], script.speech.language)[0],
        )


def fade_samples(rate: int) -> int:
    return round(FADE_SECONDS * rate)


def background(source_T: np.ndarray, rate: int, edit: Edit, frame_rate: float) -> NoiseFloor:
    """The steady sound around one change, in a recording (T,) at its own rate."""
    start, stop = edit.start / frame_rate - AROUND_SECONDS, edit.stop / frame_rate + AROUND_SECONDS
    return NoiseFloor(source_T[max(0, round(start * rate)) : round(stop * rate)], rate)


def spliced(
    source_T: np.ndarray, rate: int, work: EditPlan, generated: Callable[[Edit], GeneratedPart | None]
) -> Iterator[Part]:
    """The recording (T,) at its own rate with each gap filled, or closed where the edit deletes words."""
    at, half = 0, fade_samples(rate) // 2
    whole, frame_rate = fade_samples(rate), work.transcript.frame_rate
    for edit in work.edits:
        part = generated(edit)
        start, stop = (min(round(f * rate / frame_rate), len(source_T)) for f in (edit.start, edit.stop))
        # A closed gap is cross-faded around its two borders, half a fade to each side.
        lead, lag = (0, 0) if part is not None else (half, whole - half)
        if start > at:
            yield _ready(source_T, at, start + lead, rate, work)
        if part is not None:
            yield part
        at = stop - lag if part is None and start > at else stop
    if at < len(source_T):
        yield _ready(source_T, at, len(source_T), rate, work)


def _ready(source_T: np.ndarray, start: int, stop: int, rate: int, work: EditPlan) -> ReadyPart:
    """A stretch of the recording with the times of the words in it."""
    words, frame_rate = [], work.transcript.frame_rate
    for word, (first, last) in zip(
        work.transcript.speech.words, work.transcript.frames_W2.tolist(), strict=True
    ):
        middle = (first + last) / 2 / frame_rate * rate
        if first < last and start <= middle < stop:
            seconds = (first / frame_rate - start / rate, last / frame_rate - start / rate)
            words.append(WordTime(word.text, max(0.0, seconds[0]), min((stop - start) / rate, seconds[1])))
    return ReadyPart(source_T[start:stop], tuple(words))
