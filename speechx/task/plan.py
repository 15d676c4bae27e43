"""A plan: the parts of a task's output in order, each ready audio or a prompt to generate from.

Short speech is one generated part. Long text alternates sentences and pauses. Long audio is one part per window, decoded
as one stream. An edit is ready audio, a generated span, ready audio. Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from speechx.text.types import WordTime

if TYPE_CHECKING:
    from speechx.audio.noise_floor import NoiseFloor
    from speechx.models.lm.prompt import Prompt
    from speechx.text import PhoneSequence, Word

__all__ = ["GeneratedPart", "MaskTarget", "MaskedRecording", "Part", "Plan", "ReadyPart"]


@dataclass(frozen=True)
class ReadyPart:
    """Finished audio: float32 at the plan's sample rate. words: their times within this part."""

    wav_T: np.ndarray
    words: tuple[WordTime, ...] = ()


@dataclass(frozen=True)
class GeneratedPart:
    """Frames that the language model generates from `prompt`.

    keep: the frames [start, stop) to render (None = all): a window drops half of each overlap.
    joined: decoded as one stream with the part before it, so that no seam exists.
    before_FK, after_FK: frames decoded around the generated ones, for context and cross-fades, then dropped.
    gain: restores the recording's level from the codec's standard level.
    floor: the steady sound of the recording, to which a part between two stretches of it is filled up.
    speech: the phones spoken, by which candidates are ranked. words: spans of the track's phones, for word times.
    """

    prompt: Prompt
    words: tuple[Word, ...] = ()
    keep: tuple[int, int] | None = None
    joined: bool = False
    before_FK: np.ndarray | None = None
    after_FK: np.ndarray | None = None
    gain: float = 1.0
    floor: NoiseFloor | None = None
    speech: PhoneSequence | None = None


Part = ReadyPart | GeneratedPart

MaskTarget = Literal["speech", "background"]
"""What a mask keeps of a recording: its speech (or one speaker's), or everything else."""


@dataclass(frozen=True)
class MaskedRecording:
    """The input recording. Generated audio is not played; it decides how much of this recording passes in each band.

    See speechx.pipeline.masking. wav_T: at the codec's rate. slot: of the task. voice_FK: codes of the target
    speaker, if any. target: what the mask keeps. Without a refiner for the task, speech is masked by rule; generated
    background is played.
    """

    wav_T: np.ndarray
    slot: int
    voice_FK: np.ndarray | None = None
    target: MaskTarget = "speech"


@dataclass(frozen=True)
class Plan:
    """A task's answer to a request.

    parts: may be lazy, so that first audio of a long text does not wait for the last sentence.
    sample_rate: of the output, the codec's unless the task has a reason; generated parts are resampled to it. fade:
    samples by which neighbouring parts that are not `joined` overlap (each part brings them). samples: exact output length
    where known (windows end on a frame). longest_pause: seconds; longer silences become as short. recording: set where
    the parts are a mask on a recording. input_T, strength: below 1, the output is mixed with so much of a recording of the
    same length and rate, 1 - strength. notes: added to the result's info. voice_T: a recording, at the codec's rate,
    that generated parts shall sound like; for a frontend with a speaker encoder.
    """

    parts: Iterable[Part]
    sample_rate: int
    fade: int = 0
    samples: int | None = None
    longest_pause: float | None = None
    recording: MaskedRecording | None = None
    input_T: np.ndarray | None = None
    strength: float = 1.0
    voice_T: np.ndarray | None = None
    notes: dict[str, object] = field(default_factory=dict)
