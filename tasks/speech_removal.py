"""Speech removal: take the speech away, keep the background sound.

    speechx speech-removal in.wav -o out.wav

Prompt: <sr> C(s + n) | [text]. Target: C(n), frame by frame. What is said is optional and helps (SpeechX).
"""

from __future__ import annotations

import numpy as np

from speechx.data.types import Pool, Utterance
from speechx.vocab import SR
from tasks._aligned import AlignedRequest, AlignedTask, Mixture, noisy_speech


class SpeechRemovalRequest(AlignedRequest):
    """A recording of speech over a background."""


class SpeechRemoval(AlignedTask[SpeechRemovalRequest]):
    name = "speech_removal"
    slot = 4
    marker = SR
    # Speech is not what this one should sound like: nothing to be guided away from.
    sampling = {**AlignedTask.sampling, "guidance": 1.0, "fine_guidance": 1.0}
    speaks = False
    summary = "take the speech away, keep the background sound"
    Request = SpeechRemovalRequest

    def mixture(self, cut: Utterance, pool: Pool, rng: np.random.Generator) -> Mixture:
        heard_T, noise_T, meta = noisy_speech(cut, pool, rng)
        return Mixture(cut, heard_T + noise_T, noise_T, {"speech": heard_T, "noise": noise_T}, meta)
