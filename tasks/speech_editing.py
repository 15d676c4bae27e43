"""Speech editing: change words of a recording and leave the rest as it is, to the sample.

    speechx speech-editing in.wav --transcript "I like tea." --text "I like coffee." -o out.wav
    speechx speech-editing in.wav --span 1.2 1.9 --text "I like coffee." --keep-background -o out.wav

Prompt, clean: <se> C(pre) <soe> <mask> <eoe> C(post) | edited text. Target: the edited span.
Prompt, keeping the background: <seb> C(pre + n) <soe> C(mid + n) <eoe> C(post + n) | edited text (SpeechX).
The text names the words around the gap; the pointer runs over the new words alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from speechx.audio import levels
from speechx.errors import InputError
from speechx.models.lm.prompt import Frames, Prompt, Segment, Text, TextTrack, Token
from speechx.task import fields
from speechx.task.examples import CodedUtterance, CodePool, Example, TrainingPair, Utterance, UtterancePool
from speechx.task.plan import GeneratedPart, Part, Plan
from speechx.task.task import Task, TaskRequest
from speechx.tasks._editing import examples, locate, splice
from speechx.tasks._shared.notes import notes
from speechx.text import text_warning

if TYPE_CHECKING:
    from speechx.task.frontend import Frontend
    from speechx.text import PhoneSequence

SOE, MASK, EOE = 5, 6, 7
"""Markers: start of the edited span, in place of its old content, end of the span."""

MAX_SECONDS = 600.0


class SpeechEditingRequest(TaskRequest):
    """A recording and its new transcript; its place follows from the old transcript or from a span."""

    audio: fields.Audio = Field(description="the recording")
    text: fields.Text = Field(description="the whole transcript as it should be")
    transcript: fields.Text | None = Field(None, description="the transcript of the recording as it is")
    span: fields.Span | None = Field(None, description="start and end in seconds of what to change")
    keep_background: bool = Field(False, description="the background sound goes on under the new words")
    language: fields.Language = Field("en", description="language of the text")

    @model_validator(mode="after")
    def _place_is_known(self) -> SpeechEditingRequest:
        if self.transcript is None and self.span is None:
            raise InputError(
                "transcript is missing: give it, or the span in seconds that is to be changed",
                field="transcript",
            )
        return self


class SpeechEditing(Task[SpeechEditingRequest]):
    name = "speech_editing"
    slot = 5
    slot_background = 6
    summary = "change words of a recording, leave the rest untouched"
    Request = SpeechEditingRequest
    # The rhythm is that of the words around; chance in it drags single phones out, and over noise all of them.
    sampling = {**Task.sampling, "advance_temperature": 0.1}
    max_pace_seconds = 0.16
    best_of = 3
    pairs_of = "either"  # codes: clean speech, and no other words in the gap

    def prompt(self, req: SpeechEditingRequest, frontend: Frontend) -> Prompt:
        """The prompt of the first change."""
        work = self.find_edits(req, frontend)
        script = work.edit_script(work.edits[0])
        if not script.words:
            raise InputError(
                "text says nothing new in this place: there is nothing to generate", field="text"
            )
        return self.edit_prompt(work.codes_FK, work.edits[0], script, req.keep_background)

    def find_edits(self, req: SpeechEditingRequest, frontend: Frontend) -> splice.EditPlan:
        """Encodes the recording and finds the changes. Raises InputError: no change, transcript of something else."""
        wav_T = frontend.load_audio(req.audio, "audio", MAX_SECONDS)
        codes_FK, gain = frontend.encode_recording(wav_T)
        new = frontend.phones(req.text, req.language)
        if req.span is not None:
            locate.span_frames(req.span, len(codes_FK), frontend.frame_rate)
        old = frontend.phones(req.transcript, req.language) if req.transcript else new
        if req.transcript and frontend.phone_errors(codes_FK, old) > frontend.max_phone_errors:
            raise InputError(
                "transcript does not match the audio: the aligner hears other words", field="transcript"
            )
        transcript = locate.AlignedTranscript.of(
            old, frontend.align(codes_FK, old), len(codes_FK), frontend.frame_rate
        )
        if req.transcript:
            edits = locate.edits_between(transcript, new, len(codes_FK))
            if req.span is not None and edits:
                edits = [e for e in edits if _overlaps(e, req.span, frontend.frame_rate)]
                if not edits:
                    raise InputError("span holds none of the words that text changes", field="span")
        else:
            assert req.span is not None
            edits = [locate.edit_of_span(transcript, req.span, len(codes_FK))]
        if not edits:
            raise InputError("text changes nothing: it has the words of the transcript", field="text")
        return splice.EditPlan(len(wav_T), codes_FK, gain, transcript, new, edits)

    def edit_prompt(
        self, codes_FK: np.ndarray, edit: locate.Edit, script: locate.EditScript, keep_background: bool
    ) -> Prompt:
        """The prompt of one change."""
        pre_FK, mid_FK = codes_FK[script.before : edit.start], codes_FK[edit.start : edit.stop]
        post_FK = codes_FK[edit.stop : script.after]
        shows_mid = keep_background and len(mid_FK) > 0
        segments: list[Segment] = [Frames(pre_FK)] if len(pre_FK) else []
        segments += [Token(SOE), Frames(mid_FK) if shows_mid else Token(MASK), Token(EOE)]
        segments += [Frames(post_FK)] if len(post_FK) else []
        segments.append(Text(script.speech.ids, script.speech.language))
        return Prompt(
            self.slot_background if keep_background else self.slot,
            tuple(segments),
            TextTrack(script.speech.ids, script.start, script.stop),
            previous_K=pre_FK[-1] if len(pre_FK) else None,
        )

    def plan(self, req: SpeechEditingRequest, frontend: Frontend) -> Plan:
        work = self.find_edits(req, frontend)
        rate = frontend.rate_of(req.audio)
        source_T = frontend.load_audio(req.audio, "audio", MAX_SECONDS, rate)

        def generated(edit: locate.Edit) -> GeneratedPart | None:
            script = work.edit_script(edit)
            if not script.words:
                return None
            prompt = self.edit_prompt(work.codes_FK, edit, script, req.keep_background)
            floor = (
                splice.background(source_T, rate, edit, frontend.frame_rate) if req.keep_background else None
            )
            return work.generated(edit, script, prompt, floor)

        def parts() -> Iterator[Part]:
            yield from splice.spliced(source_T, rate, work, generated)

        warning = text_warning(req.text, req.language)
        return Plan(parts(), sample_rate=rate, fade=splice.fade_samples(rate), notes=notes(warning))

    def example(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Example | None:
        if cut.text is None or cut.seconds < 1.5:
            return None
        start, stop = examples.random_span(cut, pool.frame_rate, rng)
        swapped = examples.EditedRecording(cut.wav_T, cut.wav_T, (start, stop), None)
        noisy, other = bool(rng.random() < 0.5), pool.same_speaker(cut, rng)
        # The codes around the gap hear a little of what is in it. At use these are the old words: so they are here, in
        # half of the clean examples and, where the prompt shows the gap, in all.
        if other is not None and (noisy or rng.random() < 0.5):
            swapped = examples.other_words(cut, other, (start, stop), noisy, pool, rng)
        keeps = swapped.snr_db is not None
        gain, rate = levels.standard_gain(swapped.edited_T, cut.sample_rate), cut.sample_rate
        request = self.Request(
            audio=(swapped.edited_T * gain, rate), text=cut.text, span=swapped.span, language=cut.language,
            keep_background=keeps,
        )  # fmt: skip
        target_T = swapped.original_T[round(start * rate) : round(stop * rate)] * gain
        meta = {"id": cut.id, "seconds": cut.seconds, "keep_background": keeps, "span": (start, stop)}
        meta |= {"snr_db": swapped.snr_db} if keeps else {}
        references = {"whole": swapped.original_T * gain, "speech": cut.wav_T * gain}
        return Example(request, target_T, cut.text, cut.language, cut.speaker, meta, references)

    def pair(self, example: Example, frontend: Frontend) -> TrainingPair:
        req, truth = example.request, example.meta["span"]
        codes_FK, whole_FK = frontend.encode(req.audio[0]), frontend.encode(example.references["whole"])
        text = frontend.phones(req.text, req.language)
        aligned = frontend.align(self.alignment_codes(example, frontend, whole_FK), text)
        # Which words fill the span is known from the true recording, also where the request's has others in their place.
        transcript = locate.AlignedTranscript.of(text, aligned, len(whole_FK), frontend.frame_rate)
        edit = locate.edit_of_span(transcript, truth, len(whole_FK))
        first, last = edit.start, edit.stop
        start, stop = locate.span_frames(req.span, len(codes_FK), frontend.frame_rate)
        transcript.frames_W2[transcript.frames_W2 >= last] += stop - last
        edit = replace(edit, start=start, stop=stop)
        script = locate.edit_script(edit, transcript, text, len(codes_FK))
        if not script.words:
            raise InputError("no word is spoken in the span", field="span")
        prompt = self.edit_prompt(codes_FK, edit, script, req.keep_background)
        return TrainingPair(
            prompt, whole_FK[first:last], aligned.pointer_F[first:last] + _shift(script, edit, text)
        )

    def pair_from_codes(
        self, cut: CodedUtterance, pool: CodePool, rng: np.random.Generator
    ) -> TrainingPair | None:
        """Words of a clean recording, generated again in their own place."""
        frames = len(cut.codes_FK)
        transcript = locate.AlignedTranscript.spoken(cut.speech, cut.pointer_F, pool.frame_rate)
        first, last = examples.random_words(transcript, frames, rng)
        start, stop = locate.gap(transcript, first, last, frames)
        edit = locate.Edit(first, last, first, last, start, stop)
        script = locate.edit_script(edit, transcript, cut.speech, frames)
        if not script.words or stop - start < 2:
            return None
        prompt = self.edit_prompt(cut.codes_FK, edit, script, keep_background=False)
        pointer_F = cut.pointer_F[start:stop] + _shift(script, edit, cut.speech)
        return TrainingPair(prompt, cut.codes_FK[start:stop], pointer_F)


def _shift(script: locate.EditScript, edit: locate.Edit, text: PhoneSequence) -> int:
    """By how much the phones of a text move in a script of it: old and new text are one, the context starts later."""
    return script.start - (text.words[edit.new_start - 1].stop if edit.new_start > 0 else 0)


def _overlaps(edit: locate.Edit, span: tuple[float, float], frame_rate: float) -> bool:
    return edit.start / frame_rate <= span[1] and edit.stop / frame_rate >= span[0]
