"""Noise suppression: keep the speech of a recording, take the noise away.

    speechx noise-suppression in.wav -o out.wav

Prompt: <ns> C(s + n) | [text]. Target: C(s), frame by frame. The transcript is optional and helps (SpeechX).
"""

from __future__ import annotations

import numpy as np

from speechx.task.examples import Utterance, UtterancePool
from speechx.tasks._shared.windows import AlignedRequest, AlignedTask, Mixture, Strength, noisy_speech

NS = 2
"""Marker before the noisy recording."""


class NoiseSuppressionRequest(AlignedRequest):
    """A noisy recording. A twentieth of it stays in the output: words are clearer (docs/log.md)."""

    strength: Strength = 0.95


class NoiseSuppression(AlignedTask[NoiseSuppressionRequest]):
    name = "noise_suppression"
    slot = 2
    marker = NS
    mask_target = "speech"
    summary = "keep the speech of a recording, take the noise away"
    Request = NoiseSuppressionRequest
    live = "sound"

    def mixture(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Mixture:
        speech_T, noise_T, meta = noisy_speech(cut, pool, rng)
        # The target is the speech before the room: reverberation is taken away too.
        return Mixture(cut, speech_T + noise_T, cut.wav_T, {"speech": cut.wav_T, "noise": noise_T}, meta)
