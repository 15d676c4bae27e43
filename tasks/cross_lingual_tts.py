"""Cross-lingual text to speech: speak a text in another language than the voice was recorded in.

    speechx cross-lingual-tts "Hola a todos." --voice me.wav --language es -o out.wav

Prompt: <xtts> <enr> C(source-language speech) | [source text] target text. Target: C(speech in the target language).
The language id before each text controls the accent (VALL-E X); the text of the recording is optional.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from speechx.audio import levels
from speechx.errors import InputError
from speechx.models.lm.prompt import Frames, Prompt, Segment, Text, TextTrack, Token
from speechx.task import fields
from speechx.task.examples import CodedUtterance, CodePool, Example, TrainingPair, Utterance, UtterancePool
from speechx.task.plan import Plan
from speechx.task.task import Task, TaskRequest
from speechx.tasks._shared import phone_spans
from speechx.tasks._shared.enrollment import ENR, crop, crop_codes
from speechx.tasks._shared.sentences import phones_to_say, sentence_plan

if TYPE_CHECKING:
    from speechx.task.frontend import Frontend
    from speechx.text import PhoneSequence


class CrossLingualTTSRequest(TaskRequest):
    """A text, its language, a voice that speaks another."""

    text: fields.Text = Field(description="what to say")
    voice: fields.Voice = Field(description="2-30 s of the voice, or the id of a known voice")
    language: fields.Language = Field(description="language of the text")
    voice_language: fields.Language | None = Field(None, description="language of the voice's recording")
    voice_text: fields.Text | None = Field(None, description="transcript of the voice's recording")


class CrossLingualTTS(Task[CrossLingualTTSRequest]):
    name = "cross_lingual_tts"
    slot = 1
    summary = "say a text in a language that the voice was not recorded in"
    Request = CrossLingualTTSRequest
    live = "text"
    best_of = 3
    pairs_of = "codes"

    def prompt(self, req: CrossLingualTTSRequest, frontend: Frontend) -> Prompt:
        codes_FK, key = frontend.voice_codes(req.voice)
        voice_speech = frontend.phones(req.voice_text, req.voice_language or "en") if req.voice_text else None
        speech = phones_to_say(req.text, req.language, frontend)
        prompt = self.prompt_from_codes(codes_FK, voice_speech, speech, key)
        return replace(prompt, adapter=frontend.voice_adapter(req.voice))

    def prompt_from_codes(
        self,
        voice_FK: np.ndarray,
        voice_speech: PhoneSequence | None,
        speech: PhoneSequence,
        key: str | None = None,
    ) -> Prompt:
        """The prompt of a voice's codes (F, K), their phones where known, and the phones to speak."""
        segments: tuple[Segment, ...] = (Token(ENR), Frames(voice_FK, cache_key=key))
        if voice_speech is not None:
            segments = (*segments, Text(voice_speech.ids, voice_speech.language))
        segments = (*segments, Text(speech.ids, speech.language))
        return Prompt(self.slot, segments, TextTrack(speech.ids, 0, len(speech.ids)))

    def plan(self, req: CrossLingualTTSRequest, frontend: Frontend) -> Plan:
        if req.voice_text:
            try:
                req = req.model_copy(update={"voice_text": _text_of_prompt(req, frontend)})
            except InputError as error:
                problem = error.message.removeprefix("text ").removeprefix("text: ")
                raise InputError(f"voice_text: {problem}", field="voice_text") from error
        return sentence_plan(self, req, frontend)

    def example(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Example | None:
        source = pool.other_language(cut, rng)
        if cut.text is None or source is None:
            return None
        voice_T = crop(source, rng)
        if voice_T is None:
            return None
        # Half of the enrollments that are whole utterances come with their transcript.
        whole = len(voice_T) == len(source.wav_T) and source.text is not None
        voice_text = source.text if whole and rng.random() < 0.5 else None
        request = self.Request(
            text=cut.text,
            voice=(voice_T, cut.sample_rate),
            language=cut.language,
            voice_language=source.language,
            voice_text=voice_text,
        )
        target_T = cut.wav_T * levels.standard_gain(cut.wav_T, cut.sample_rate)
        meta = {"id": cut.id, "seconds": cut.seconds, "voice_language": source.language}
        return Example(request, target_T, cut.text, cut.language, cut.speaker, meta, {"voice": voice_T})

    def pair_from_codes(
        self, cut: CodedUtterance, pool: CodePool, rng: np.random.Generator
    ) -> TrainingPair | None:
        source = pool.other_language(cut, rng)
        voice_FK = crop_codes(source.codes_FK, pool.frame_rate, rng) if source is not None else None
        if source is None or voice_FK is None:
            return None
        whole = len(voice_FK) == len(source.codes_FK)
        voice_speech = source.speech if whole and rng.random() < 0.5 else None
        return TrainingPair(
            self.prompt_from_codes(voice_FK, voice_speech, cut.speech), cut.codes_FK, cut.pointer_F
        )


def _text_of_prompt(req: CrossLingualTTSRequest, frontend: Frontend) -> str | None:
    """The words of `voice_text` that are spoken in the part of the voice that the prompt has.

    A transcript that says more than the prompt would be spoken with the text.
    """
    assert req.voice_text
    codes_FK, _ = frontend.voice_codes(req.voice)
    speech = frontend.phones(req.voice_text, req.voice_language or "en")
    wav_T = frontend.trimmed_voice(req.voice)
    reader = frontend.reader(wav_T * levels.standard_gain(wav_T))
    if reader.frames <= len(codes_FK):
        return req.voice_text
    pointer_F = frontend.follow(reader, speech).pointer(0, len(codes_FK))
    part, _ = phone_spans.spoken_in(speech, pointer_F)
    return " ".join(word.text for word in part.words) if part else None
