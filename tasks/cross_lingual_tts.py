"""Cross-lingual text to speech: say a text in another language than the voice was recorded in.

    speechx cross-lingual-tts "Hola a todos." --voice me.wav --language es -o out.wav

Prompt: <xtts> <enr> C(source-language speech) | [source text] target text. Target: C(speech in the target language).
The language id before each text controls the accent (VALL-E X); the text of the recording is optional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from speechx.data import mixing
from speechx.data.types import Example, Pool, Utterance
from speechx.plan import Plan
from speechx.prompt import Frames, Prompt, Segment, Text, Token, Track
from speechx.vocab import ENR
from tasks import _fields
from tasks._sentences import sentence_plan
from tasks._voices import crop
from tasks.base import Task, TaskRequest

if TYPE_CHECKING:
    from speechx.front import Front


class CrossLingualTTSRequest(TaskRequest):
    """A text, its language, a voice that speaks another."""

    text: _fields.Text = Field(description="what to say")
    voice: _fields.Voice = Field(description="2-30 s of the voice, or the id of a known voice")
    language: _fields.Language = Field(description="language of the text")
    voice_language: _fields.Language | None = Field(None, description="language of the voice's recording")
    voice_text: _fields.Text | None = Field(None, description="what the voice's recording says")


class CrossLingualTTS(Task[CrossLingualTTSRequest]):
    name = "cross_lingual_tts"
    slot = 1
    summary = "say a text in a language that the voice was not recorded in"
    Request = CrossLingualTTSRequest

    def prompt(self, req: CrossLingualTTSRequest, front: Front) -> Prompt:
        codes_FK, key = front.voice_codes(req.voice)
        speech = front.phones(req.text, req.language)
        segments: tuple[Segment, ...] = (Token(ENR), Frames(codes_FK, cache_key=key))
        if req.voice_text:
            heard = front.phones(req.voice_text, req.voice_language or "en")
            segments = (*segments, Text(heard.ids, heard.language))
        segments = (*segments, Text(speech.ids, req.language))
        return Prompt(self.slot, segments, Track(speech.ids, 0, len(speech.ids)))

    def plan(self, req: CrossLingualTTSRequest, front: Front) -> Plan:
        return sentence_plan(self, req, front)

    def example(self, cut: Utterance, pool: Pool, rng: np.random.Generator) -> Example | None:
        source = pool.other_language(cut, rng)
        if cut.text is None or source is None:
            return None
        voice_T = crop(source, rng)
        if voice_T is None:
            return None
        # The text of the source is told where the enrollment is all of it, in half of the cases.
        whole = len(voice_T) == len(source.wav_T) and source.text is not None
        voice_text = source.text if whole and rng.random() < 0.5 else None
        request = self.Request(
            text=cut.text,
            voice=(voice_T, 16000),
            language=cut.language,
            voice_language=source.language,
            voice_text=voice_text,
        )
        target_T = cut.wav_T * mixing.standard_gain(cut.wav_T)
        meta = {"id": cut.id, "seconds": cut.seconds, "voice_language": source.language}
        return Example(request, target_T, cut.text, cut.language, cut.speaker, meta, {"voice": voice_T})
