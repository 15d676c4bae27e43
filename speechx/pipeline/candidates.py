"""Best-of-N decoding per phrase: at each phrase end the best candidate is kept, and the others are reset to it.

Every whole utterance has some fault; phrase by phrase one candidate is mostly right. Source: blockwise best-of-K
(Mudgal et al. 2024, Controlled Decoding from Language Models, section 3.2); the reward is `Aligner.fit`.
Shapes: F codec frames, K codebooks, N phones.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from speechx.task.plan import GeneratedPart, Part

if TYPE_CHECKING:
    from speechx.models.lm.prompt import PackedPrompt

__all__ = ["ActivePart", "Candidate", "phrase_ends"]

FIRST, PHRASE = 4, 8
"""Fewest phones between two choices: a word or two. The first choice comes sooner, so that first audio does."""


def phrase_ends(part: GeneratedPart) -> tuple[int, ...]:
    """Indices in the track's phones where candidates are compared: ends of words, except the last phrase's.

    Empty where the length or the rhythm is given: such parts are compared as a whole.
    """
    track = part.prompt.track
    if track is None or part.prompt.frames is not None:
        return ()
    ends, at = list[int](), track.start
    for word in part.words:
        if word.stop - at >= (PHRASE if ends else FIRST) and track.stop - word.stop >= PHRASE // 2:
            at = word.stop
            ends.append(at)
    return tuple(ends)


@dataclass
class Candidate:
    """One of the N outputs of a generated part: its frames so far.

    waiting: it is at the end of a phrase. reason: why it ended; None while it decodes. id: of its sequence in the engine.
    score: of which phrase, and what it is or will be.
    """

    part: ActivePart
    id: int = -1
    codes: list[np.ndarray] = field(default_factory=list)
    pointers: list[np.ndarray] = field(default_factory=list)
    reason: str | None = None
    waiting: bool = False
    score: tuple[int, Future[float]] | None = None

    def append(self, codes_FK: np.ndarray, pointer_F: np.ndarray, waiting: bool = False) -> None:
        """Takes the next frames."""
        if len(codes_FK):
            self.codes.append(codes_FK)
            self.pointers.append(pointer_F)
        self.waiting = waiting

    @property
    def num_frames(self) -> int:
        return sum(map(len, self.codes))

    def codes_FK(self) -> np.ndarray:
        return np.concatenate(self.codes) if self.codes else np.zeros((0, 0), np.int16)

    def pointer_F(self) -> np.ndarray:
        return np.concatenate(self.pointers) if self.pointers else np.zeros(0, np.int32)

    def reset_to(self, other: Candidate) -> None:
        """Replaces the frames by those of another candidate."""
        self.codes, self.pointers = list(other.codes), list(other.pointers)


@dataclass
class ActivePart:
    """A part in progress: ready audio, or its candidates and the number of frames decoded to audio.

    packed: the prompt of a generated part. stops: phones at which candidates wait for each other.
    choices: number of frames that all candidates had in common after each choice.
    """

    part: Part
    packed: PackedPrompt | None = None
    candidates: list[Candidate] = field(default_factory=list)
    stops: tuple[int, ...] = ()
    choices: list[int] = field(default_factory=list)
    started: bool = False
    decoded: int = 0

    @property
    def finished(self) -> bool:
        return all(c.reason is not None for c in self.candidates)

    def waiting(self) -> list[Candidate]:
        """The candidates to choose among: those at a phrase end, once no other one still decodes; else none."""
        waiting = [c for c in self.candidates if c.waiting]
        return waiting if all(c.waiting or c.reason is not None for c in self.candidates) else []

    def settled(self) -> tuple[Candidate, int]:
        """A candidate, and how many of its frames no later choice changes."""
        first = self.candidates[0]
        if len(self.candidates) == 1:
            return first, first.num_frames
        decoding = [c for c in self.candidates if c.reason is None] or [first]
        return decoding[0], self.choices[-1] if self.choices else 0

    def complete(self) -> list[Candidate]:
        """The candidates that reached the end of the text; all of them where none did, or where the length is given."""
        ended = [c for c in self.candidates if c.reason != "length"]
        free_length = isinstance(self.part, GeneratedPart) and self.part.prompt.frames is None
        return ended if ended and free_length else self.candidates

    def scored_phones(self) -> tuple[int, np.ndarray | None]:
        """(first frame, phones (N,)) to score now: this phrase and the one before, whose end its first frames hold.

        Phones are None where the text is unknown.
        """
        assert isinstance(self.part, GeneratedPart)
        track, done = self.part.prompt.track, len(self.choices)
        if track is None or self.part.prompt.frames is not None:
            return 0, None if self.part.speech is None else self.part.speech.ids
        first, start = (self.choices[done - 2], self.stops[done - 2]) if done > 1 else (0, track.start)
        return first, track.ids[start : self.stops[done] if done < len(self.stops) else track.stop]
