"""Training examples: what a task makes, and the pools of utterances it makes them from. Imports no torch.

A task names the protocols `UtterancePool` and `CodePool`; speechx.data implements them.
Shapes: T samples at the pool's rate, F codec frames, K codebooks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from speechx.text.types import WordTime

if TYPE_CHECKING:
    from speechx.models.lm.prompt import Prompt
    from speechx.text import PhoneSequence

__all__ = ["CodePool", "CodedUtterance", "Example", "TrainingPair", "Utterance", "UtterancePool"]


@dataclass(frozen=True)
class Utterance:
    """One clean recording of one speaker.

    wav_T: float32 at `sample_rate`. text: None where no transcript is known. words: times of its words, where aligned.
    voice: what other recordings of the same voice in any language share (a multilingual speaker); else the speaker.
    synthetic: whether a synthesizer spoke it.
    """

    id: str
    wav_T: np.ndarray
    text: str | None
    language: str
    speaker: str
    sample_rate: int
    words: tuple[WordTime, ...] | None = None
    voice: str | None = None
    synthetic: bool = False

    @property
    def seconds(self) -> float:
        return len(self.wav_T) / self.sample_rate


class UtterancePool(Protocol):
    """The rest of the corpus, as a task sees it. Every choice comes from the given generator, so it can be repeated.

    sample_rate: of all sounds that it gives. frame_rate: of the codec whose frames the spans of examples lie on.
    """

    sample_rate: int
    frame_rate: float

    def same_speaker(self, cut: Utterance, rng: np.random.Generator) -> Utterance | None:
        """Another utterance of the same speaker; None where there is none."""
        ...

    def other_speaker(self, cut: Utterance, rng: np.random.Generator) -> Utterance:
        """An utterance of somebody else."""
        ...

    def other_language(self, cut: Utterance, rng: np.random.Generator) -> Utterance | None:
        """The same voice in another language; None where there is none."""
        ...

    def noise(self, rng: np.random.Generator, seconds: float) -> np.ndarray:
        """Noise without speech, (round(seconds * sample_rate),) float32, any level."""
        ...

    def reverberate(self, wav_T: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The sound in a random room: same length, direct path not delayed."""
        ...


@dataclass(frozen=True)
class CodedUtterance:
    """A clean recording, encoded at the standard level: codes_FK, its phones, and the phone of each frame (pointer_F).

    synthetic: whether a synthesizer spoke it.
    """

    id: str
    codes_FK: np.ndarray
    speech: PhoneSequence
    pointer_F: np.ndarray
    speaker: str
    synthetic: bool = False


class CodePool(Protocol):
    """Encoded utterances of a corpus. Every choice comes from the given generator, so it can be repeated.

    frame_rate: codec frames per second.
    """

    frame_rate: float

    def same_speaker(self, cut: CodedUtterance, rng: np.random.Generator) -> CodedUtterance | None:
        """Another utterance of the same speaker; None where there is none."""
        ...

    def other_language(self, cut: CodedUtterance, rng: np.random.Generator) -> CodedUtterance | None:
        """The same voice in another language; None where there is none."""
        ...


@dataclass(frozen=True)
class Example:
    """An example for training and for test sets.

    request: the task's own request (a pydantic model), its audio fields as (float32 array, the pool's rate).
    target_T: the audio that the request should give (for editing: of the edited span alone).
    text: transcript of the target, whether or not the request has it; None where unknown.
    meta: numbers and names for slices, such as snr_db. references: waves for the evaluator and for `Task.pair`.
    """

    request: Any
    target_T: np.ndarray
    text: str | None
    language: str
    speaker: str
    meta: dict[str, Any] = field(default_factory=dict)
    references: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingPair:
    """A prompt and its target codes.

    pointer_F: index into the track's phones of each target frame, by the aligner;
    `speechx.models.lm.batch.legal_pointer` turns it into a path that decoding can take.
    """

    prompt: Prompt
    target_FK: np.ndarray
    pointer_F: np.ndarray | None
