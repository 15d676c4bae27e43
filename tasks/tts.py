"""Zero-shot text to speech: say a text in the voice of a short recording.

    speechx tts "Hello there." --voice me.wav -o out.wav

Prompt: <tts> <enr> C(enrollment) | text. Target: C(speech). Cloning needs no transcript of the enrollment (VALL-E X).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from speechx.audio import levels
from speechx.models.lm.prompt import Frames, Prompt, Text, TextTrack, Token
from speechx.task import fields
from speechx.task.examples import CodedUtterance, CodePool, Example, TrainingPair, Utterance, UtterancePool
from speechx.task.plan import Plan
from speechx.task.task import Task, TaskRequest
from speechx.tasks._shared.enrollment import ENR, enroll, enroll_codes
from speechx.tasks._shared.sentences import phones_to_say, sentence_plan

if TYPE_CHECKING:
    from speechx.task.frontend import Frontend
    from speechx.text import PhoneSequence


class TTSRequest(TaskRequest):
    """A text, a voice."""

    text: fields.Text = Field(description="what to say")
    voice: fields.Voice = Field(description="2-30 s of the voice, or the id of a known voice")
    language: fields.Language = Field(
        "en", description="language of the text (an adapted voice: by default its own)"
    )


class TTS(Task[TTSRequest]):
    name = "tts"
    slot = 0
    summary = "say a text in the voice of a short recording"
    Request = TTSRequest
    live = "text"
    best_of = 3
    pairs_of = "codes"

    def prompt(self, req: TTSRequest, frontend: Frontend) -> Prompt:
        codes_FK, key = frontend.voice_codes(req.voice)
        prompt = self.prompt_from_codes(codes_FK, phones_to_say(req.text, req.language, frontend), key)
        return replace(prompt, adapter=frontend.voice_adapter(req.voice))

    def prompt_from_codes(
        self, voice_FK: np.ndarray, speech: PhoneSequence, key: str | None = None
    ) -> Prompt:
        """The prompt of a voice's codes (F, K) and the phones to say."""
        segments = (Token(ENR), Frames(voice_FK, cache_key=key), Text(speech.ids, speech.language))
        return Prompt(self.slot, segments, TextTrack(speech.ids, 0, len(speech.ids)))

    def plan(self, req: TTSRequest, frontend: Frontend) -> Plan:
        return sentence_plan(self, req, frontend)

    def example(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Example | None:
        enrolled = enroll(cut, pool, rng)
        if enrolled is None or enrolled[1].text is None:
            return None
        voice_T, cut = enrolled
        target_T = cut.wav_T * levels.standard_gain(cut.wav_T, cut.sample_rate)
        request = self.Request(text=cut.text, voice=(voice_T, cut.sample_rate), language=cut.language)
        meta = {"id": cut.id, "seconds": cut.seconds, "voice_seconds": len(voice_T) / cut.sample_rate}
        return Example(request, target_T, cut.text, cut.language, cut.speaker, meta, {"voice": voice_T})

    def pair_from_codes(
        self, cut: CodedUtterance, pool: CodePool, rng: np.random.Generator
    ) -> TrainingPair | None:
        enrolled = enroll_codes(cut, pool, rng)
        if enrolled is None:
            return None
        voice_FK, cut = enrolled
        return TrainingPair(self.prompt_from_codes(voice_FK, cut.speech), cut.codes_FK, cut.pointer_F)
