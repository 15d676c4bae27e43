"""How a request becomes audio: a plan is a list of parts in output order, each ready audio or something to generate.

Short speech is one generated part. Long text is a sentence, a pause, a sentence; long audio is one part a window, decoded
as one stream; an edit is ready audio, a generated span, ready audio. Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from speechx.text.types import WordTime

if TYPE_CHECKING:
    from speechx.models.lm.prompt import Prompt
    from speechx.text import PhoneSequence, Word

__all__ = ["Generated", "Over", "Part", "Plan", "Ready"]


@dataclass(frozen=True)
class Ready:
    """Audio that goes out as it is: float32 at the plan's sample rate. words: their times within this part."""

    wav_T: np.ndarray
    words: tuple[WordTime, ...] = ()


@dataclass(frozen=True)
class Generated:
    """Frames that the language model makes from `prompt`.

    keep: the frames [start, stop) of them that are wanted (None = all): a window drops the half of each overlap.
    joined: decoded as one stream with the part before it, so that no seam exists.
    before_FK, after_FK: frames decoded around the generated ones, for context and for cross-fades, then dropped.
    gain: brings the codec's standard loudness back to that of the recording.
    speech: what is spoken, for the ranking of several tries. words: spans of the track's
    phones, from which word times are read.
    """

    prompt: Prompt
    words: tuple[Word, ...] = ()
    keep: tuple[int, int] | None = None
    joined: bool = False
    before_FK: np.ndarray | None = None
    after_FK: np.ndarray | None = None
    gain: float = 1.0
    speech: PhoneSequence | None = None


Part = Ready | Generated


@dataclass(frozen=True)
class Over:
    """A recording that the output is a part of: what is generated is a mask on it (speechx.pipeline.masking).

    wav_T: at 16 kHz. slot: of the task. voice_FK: codes of the voice that is wanted, where the task is told one.
    by_rule: whether the rule is used where the model has no net for the task; else it is heard as generated.
    """

    wav_T: np.ndarray
    slot: int
    voice_FK: np.ndarray | None = None
    by_rule: bool = True


@dataclass(frozen=True)
class Plan:
    """parts: may be made lazily, so that the first sound of a long text does not wait for the last sentence.

    sample_rate: of the output; generated parts are resampled to it. fade: samples by which neighbouring parts that are
    not `joined` overlap (each part brings them). samples: exact output length where known (windows end on a frame).
    over: a recording that the parts are a mask on.
    """

    parts: Iterable[Part]
    sample_rate: int = 16000
    fade: int = 0
    samples: int | None = None
    over: Over | None = None
    notes: dict[str, object] = field(default_factory=dict)
