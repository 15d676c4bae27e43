"""Target speaker extraction: pull one speaker out of a mixture, known by a short recording.

    speechx target-speaker-extraction mix.wav --enrollment e.wav -o out.wav

Prompt: <enr> C(enrollment) <tse> C(s1 + s2) | [text of s1]. Target: C(s1), frame by frame (SpeechX).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from speechx.audio import mixing
from speechx.models.lm.prompt import Frames, Segment, Token
from speechx.task import fields
from speechx.task.examples import Utterance, UtterancePool
from speechx.tasks._shared.enrollment import ENR, enroll
from speechx.tasks._shared.windows import AlignedRequest, AlignedTask, Mixture, Strength

if TYPE_CHECKING:
    from speechx.task.frontend import Frontend

TSE = 4
"""Marker between the enrollment and the mixture."""


class TargetSpeakerExtractionRequest(AlignedRequest):
    """A mixture, and a recording of who is wanted. A twentieth of the mixture stays: words are clearer (docs/log.md)."""

    enrollment: fields.Voice = Field(
        description="2-30 s of the wanted speaker alone, or the id of a known voice"
    )
    strength: Strength = 0.95


class TargetSpeakerExtraction(AlignedTask[TargetSpeakerExtractionRequest]):
    name = "target_speaker_extraction"
    slot = 3
    marker = TSE
    mask_target = "speech"
    sampling = {**AlignedTask.sampling, "guidance": 4.0}
    summary = "pull one speaker out of a mixture, known by a short recording"
    Request = TargetSpeakerExtractionRequest

    def condition(self, req: TargetSpeakerExtractionRequest, frontend: Frontend) -> tuple[Segment, ...]:
        codes_FK, key = frontend.voice_codes(req.enrollment, field="enrollment")
        return Token(ENR), Frames(codes_FK, cache_key=key)

    def voice(self, req: TargetSpeakerExtractionRequest, frontend: Frontend) -> np.ndarray:
        return frontend.voice_codes(req.enrollment, field="enrollment")[0]

    def voice_warning(self, req: TargetSpeakerExtractionRequest, frontend: Frontend) -> str | None:
        return frontend.voice_warning(req.enrollment, field="enrollment")

    def mixture(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Mixture | None:
        enrolled = enroll(cut, pool, rng)
        if enrolled is None:
            return None
        voice_T, cut = enrolled
        other = pool.other_speaker(cut, rng)
        ratio_db, room = float(rng.uniform(-5, 20)), bool(rng.random() < 0.5)
        speech_T = pool.reverberate(cut.wav_T, rng) if room else cut.wav_T
        other_T = mixing.random_crop(other.wav_T, len(cut.wav_T), rng)
        # A shorter interferer speaks somewhere in the mixture and is not repeated.
        late = int(rng.integers(0, len(cut.wav_T) - len(other_T) + 1))
        other_T = np.pad(other_T, (late, len(cut.wav_T) - len(other_T) - late))
        other_T = pool.reverberate(other_T, rng) if room else other_T
        other_T = mixing.scaled_to_ratio(speech_T, other_T, ratio_db)
        meta = {"sir_db": ratio_db, "reverberant": room, "interferer": other.speaker}
        references = {"speech": cut.wav_T, "interferer": other_T, "voice": voice_T}
        return Mixture(
            cut, speech_T + other_T, cut.wav_T, references, meta, {"enrollment": (voice_T, cut.sample_rate)}
        )
