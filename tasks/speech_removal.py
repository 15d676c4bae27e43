"""Speech removal: take the speech away, keep the background sound.

    speechx speech-removal in.wav -o out.wav

Prompt: <sr> C(s + n). Target: C(n), frame by frame. SpeechX adds the transcript where it is known; these weights leave
more of the words in with it (docs/log.md), so it is taken, so that one manifest serves all tasks, and not shown.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from speechx.task import fields
from speechx.task.examples import Utterance, UtterancePool
from speechx.tasks._shared.windows import AlignedRequest, AlignedTask, Mixture, noisy_speech

SR = 3
"""Marker before the noisy recording."""


class SpeechRemovalRequest(AlignedRequest):
    """A recording of speech over a background."""

    text: fields.Text | None = Field(
        None, description="its transcript; not used", json_schema_extra={"deprecated": True}
    )


class SpeechRemoval(AlignedTask[SpeechRemovalRequest]):
    name = "speech_removal"
    slot = 4
    marker = SR
    # Noise has no likeliest code: drawn freely it keeps its level, by its likeliest codes it is silence.
    sampling = {
        **AlignedTask.sampling, "temperature": 1.0, "top_p": 1.0, "fine_temperature": 1.0, "fine_top_p": 1.0,
        "guidance": 1.0, "fine_guidance": 1.0,
    }  # fmt: skip
    best_of = 3  # candidates miss different background sounds
    mask_target = "background"
    uses_text = False
    summary = "take the speech away, keep the background sound"
    Request = SpeechRemovalRequest

    def mixture(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Mixture:
        speech_T, noise_T, meta = noisy_speech(cut, pool, rng)
        return Mixture(cut, speech_T + noise_T, noise_T, {"speech": speech_T, "noise": noise_T}, meta)
