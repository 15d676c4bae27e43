"""Zero-shot text to speech: say a text in the voice of a short recording.

    speechx tts "Hello there." --voice me.wav -o out.wav

Prompt: <tts> <enr> C(enrollment) | text. Target: C(speech). Cloning needs no transcript of the enrollment (VALL-E X).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from speechx.data import mixing
from speechx.data.types import Example, Pool, Utterance
from speechx.plan import Plan
from speechx.prompt import Frames, Prompt, Text, Token, Track
from speechx.vocab import ENR
from tasks import _fields
from tasks._sentences import sentence_plan
from tasks._voices import enroll
from tasks.base import Task, TaskRequest

if TYPE_CHECKING:
    from speechx.front import Front


class TTSRequest(TaskRequest):
    """A text, a voice."""

    text: _fields.Text = Field(description="what to say")
    voice: _fields.Voice = Field(description="2-30 s of the voice, or the id of a known voice")
    language: _fields.Language = Field("en", description="language of the text")


class TTS(Task[TTSRequest]):
    name = "tts"
    slot = 0
    summary = "say a text in the voice of a short recording"
    Request = TTSRequest

    def prompt(self, req: TTSRequest, front: Front) -> Prompt:
        codes_FK, key = front.voice_codes(req.voice)
        speech = front.phones(req.text, req.language)
        segments = (Token(ENR), Frames(codes_FK, cache_key=key), Text(speech.ids, req.language))
        return Prompt(self.slot, segments, Track(speech.ids, 0, len(speech.ids)))

    def plan(self, req: TTSRequest, front: Front) -> Plan:
        return sentence_plan(self, req, front)

    def example(self, cut: Utterance, pool: Pool, rng: np.random.Generator) -> Example | None:
        enrolled = enroll(cut, pool, rng)
        if enrolled is None or enrolled[1].text is None:
            return None
        voice_T, cut = enrolled
        target_T = cut.wav_T * mixing.standard_gain(cut.wav_T)
        request = self.Request(text=cut.text, voice=(voice_T, 16000), language=cut.language)
        meta = {"id": cut.id, "seconds": cut.seconds, "voice_seconds": len(voice_T) / 16000}
        return Example(request, target_T, cut.text, cut.language, cut.speaker, meta, {"voice": voice_T})
