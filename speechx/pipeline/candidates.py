"""Several tries at a part, kept in step: where a phrase ends, the try that says it best goes on, in the place of all.

Of whole utterances each has faults of its own; phrase by phrase one of them is mostly right. Source: blockwise best-of-K
(Mudgal et al. 2024, Controlled Decoding from Language Models, section 3.2); the reward is `Aligner.fit`.
Shapes: F codec frames, K codebooks, N phones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from speechx.task.plan import Generated, Part

if TYPE_CHECKING:
    from speechx.models.lm.prompt import PackedPrompt
    from speechx.pipeline.running_job import RunningJob

__all__ = ["ActivePart", "Candidate", "phrase_ends"]

FIRST, PHRASE = 4, 8
"""Phones from one choice to the next, at least: a word or two. The first one lets the listener wait for less."""


def phrase_ends(part: Generated) -> tuple[int, ...]:
    """Places in the track's phones where tries are compared: ends of words, but for the last phrase, which ends them all.

    None where the length or the rhythm is given: such parts are heard as a whole.
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
    """One attempt at a generated part: frames so far. waits: at the end of a phrase. id: the engine's, once it has it."""

    run: RunningJob
    part: ActivePart
    id: int = -1
    codes: list[np.ndarray] = field(default_factory=list)
    pointers: list[np.ndarray] = field(default_factory=list)
    reason: str | None = None
    waits: bool = False

    def feed(self, codes_FK: np.ndarray, pointer_F: np.ndarray, waits: bool = False) -> None:
        if len(codes_FK):
            self.codes.append(codes_FK)
            self.pointers.append(pointer_F)
        self.waits = waits

    def codes_FK(self) -> np.ndarray:
        return np.concatenate(self.codes) if self.codes else np.zeros((0, 0), np.int16)

    def pointer_F(self) -> np.ndarray:
        return np.concatenate(self.pointers) if self.pointers else np.zeros(0, np.int32)

    def become(self, other: Candidate) -> None:
        """Has said what another has said."""
        self.codes, self.pointers = list(other.codes), list(other.pointers)


@dataclass
class ActivePart:
    """A part that was asked for: ready audio, or its tries and how many frames were decoded.

    stops: phones at which tries wait for each other. chosen: frames that all had in common after each choice.
    """

    part: Part
    packed: PackedPrompt | None = None  # of what is generated
    tries: list[Candidate] = field(default_factory=list)
    stops: tuple[int, ...] = ()
    chosen: list[int] = field(default_factory=list)
    begun: bool = False
    decoded: int = 0

    @property
    def over(self) -> bool:
        return all(t.reason is not None for t in self.tries)

    def due(self) -> list[Candidate]:
        """The tries to choose among: those that wait, once nobody is on the way any more."""
        waiting = [t for t in self.tries if t.waits]
        return waiting if all(t.waits or t.reason is not None for t in self.tries) else []

    def settled(self) -> tuple[Candidate, int]:
        """A try, and how many of its frames stay whatever the others do."""
        first = self.tries[0]
        going = [t for t in self.tries if t.reason is None] or [first]
        if len(self.tries) == 1:
            return first, sum(map(len, first.codes))
        return going[0], self.chosen[-1] if self.chosen else 0

    def finished(self) -> list[Candidate]:
        """The tries that came to the end of the text, or all where none did."""
        ended = [t for t in self.tries if t.reason != "length"]
        return (
            ended
            if ended and isinstance(self.part, Generated) and self.part.prompt.frames is None
            else self.tries
        )

    def compared(self) -> tuple[int, np.ndarray | None]:
        """(first frame, phones (N,)) by which tries are compared now: of this phrase and the one before, which its first
        frames still belong to. None where nobody knows what is said.
        """
        assert isinstance(self.part, Generated)
        track, done = self.part.prompt.track, len(self.chosen)
        if track is None or self.part.prompt.frames is not None:
            return 0, None if self.part.speech is None else self.part.speech.ids
        first, start = (self.chosen[done - 2], self.stops[done - 2]) if done > 1 else (0, track.start)
        return first, track.ids[start : self.stops[done] if done < len(self.stops) else track.stop]
