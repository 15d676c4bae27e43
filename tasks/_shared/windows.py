"""Tasks whose output is as long as their input, frame by frame: suppression, removal, extraction.

Long recordings are cut into overlapping windows in the code domain. Neighbours meet in the middle of their overlap, as
frames of one decoded stream, so the decoder sees no seam. Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from pydantic import Field

from speechx.audio import mixing
from speechx.audio.levels import is_clipped
from speechx.models.lm.prompt import Frames, Prompt, Segment, Text, TextTrack, Token
from speechx.task import fields as _fields
from speechx.task.examples import Example, Utterance, UtterancePool
from speechx.task.plan import GeneratedPart, MaskedRecording, Plan
from speechx.task.task import Task, TaskRequest
from speechx.tasks._shared import phone_spans as _words

if TYPE_CHECKING:
    from speechx.task.frontend import Frontend
    from speechx.text import PhoneSequence

WINDOW, OVERLAP = 200, 25
"""Codec frames: 8 s, of which 1 s is shared with the next window."""

ONE_GO = 250
"""A recording up to this many frames (10 s) is one window."""


class AlignedRequest(TaskRequest):
    """audio, and optionally what is said in it."""

    audio: _fields.Audio = Field(description="the recording")
    text: _fields.Text | None = Field(None, description="what is said in it, if known: it helps")
    language: _fields.Language = Field("en", description="language of the text")


A = TypeVar("A", bound=AlignedRequest)


class AlignedTask(Task[A]):
    """The shared half of the three. A subclass names its marker and makes its examples."""

    marker: ClassVar[int]
    speaks: ClassVar[bool] = True  # whether the text is heard in the output; only then is the model shown it
    by_rule: ClassVar[bool] = (
        True  # whether a model without a net for it masks by the rule (speechx.pipeline.masking)
    )
    # The target is nearly determined by the input: stray less from the likeliest than free speech does, and be guided by
    # what the recording alone does not say.
    sampling = {
        **Task.sampling,
        "top_p": 0.8,
        "guidance": 2.0,
        "guidance_knows": "recording",
        "max_phone_frames": None,
    }

    def condition(self, req: A, frontend: Frontend) -> tuple[Segment, ...]:
        """Segments before the marker (an enrollment)."""
        return ()

    def voice(self, req: A, frontend: Frontend) -> np.ndarray | None:
        """Codes (F, K) of the voice that is wanted."""
        return None

    def prompt(self, req: A, frontend: Frontend) -> Prompt:
        wav_T = frontend.load_audio(req.audio, "audio")
        codes_FK = frontend.encode(wav_T * mixing.standard_gain(wav_T))
        speech = frontend.phones(req.text, req.language) if req.text and self.speaks else None
        return self.window(codes_FK, speech, self.condition(req, frontend))

    def window(
        self,
        codes_FK: np.ndarray,
        speech: PhoneSequence | None,
        before: tuple[Segment, ...],
        pointer_F: np.ndarray | None = None,
    ) -> Prompt:
        """The prompt of one stretch (F, K) of the recording, of what is said in it, and when (F,)."""
        segments = (*before, Token(self.marker), Frames(codes_FK, aligned=True))
        track = None
        if speech is not None:
            segments = (*segments, Text(speech.ids, speech.language))
            track = TextTrack(speech.ids, 0, len(speech.ids), pointer_F)
        return Prompt(self.slot, segments, track, track_codes_FK=codes_FK, frames=len(codes_FK))

    def plan(self, req: A, frontend: Frontend) -> Plan:
        wav_T = frontend.load_audio(req.audio, "audio")
        gain = mixing.standard_gain(wav_T)
        reader = frontend.reader(wav_T * gain)
        speech = frontend.phones(req.text, req.language) if req.text and self.speaks else None
        before = self.condition(req, frontend)

        def parts() -> Iterator[GeneratedPart]:
            spans = windows(reader.frames)
            # When each word is said is in the recording. Left to itself, the model loses its place in the text.
            pointer_F: np.ndarray | None = None
            if speech is not None:
                pointer_F = frontend.align(reader.read(0, reader.frames), speech).pointer_F
            for index, (start, stop, keep) in enumerate(spans):
                said, at_F = speech, pointer_F
                if speech is not None and pointer_F is not None and len(spans) > 1:
                    said, at_F = _words.heard(speech, pointer_F[start:stop])
                prompt = self.window(reader.read(start, stop), said, before, at_F)
                words = said.words if said is not None else ()
                yield GeneratedPart(prompt, words, keep, joined=index > 0, gain=1 / gain, speech=said)

        notes: dict[str, object] = {"warning": "the recording is clipped"} if is_clipped(wav_T) else {}
        recording = MaskedRecording(wav_T, self.slot, self.voice(req, frontend), self.by_rule)
        return Plan(parts(), samples=len(wav_T), recording=recording, notes=notes)

    @abstractmethod
    def mixture(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Mixture | None:
        """The recording and its parts, made of a clean utterance; None where the corpus lacks what it needs."""

    def example(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Example | None:
        mixed = self.mixture(cut, pool, rng)
        if mixed is None:
            return None
        cut = mixed.cut
        # Inference brings its input to the standard level: here it is done before, with the target by the same factor.
        gain = mixing.standard_gain(mixed.input_T)
        told = cut.text is not None and rng.random() < 0.5
        fields: dict[str, Any] = {
            "audio": (mixed.input_T * gain, 16000),
            "language": cut.language,
            **mixed.fields,
        }
        request = self.Request(**fields, **({"text": cut.text} if told else {}))
        references = {name: wav_T * gain for name, wav_T in mixed.references.items()}
        meta = {**mixed.meta, "text_given": told, "id": cut.id, "seconds": cut.seconds}
        return Example(request, mixed.target_T * gain, cut.text, cut.language, cut.speaker, meta, references)


@dataclass(frozen=True)
class Mixture:
    """A recording made of a clean utterance: input_T and target_T (T,), reference waves of the same scale, what is known
    about it, and further fields of the request."""

    cut: Utterance
    input_T: np.ndarray
    target_T: np.ndarray
    references: dict[str, np.ndarray]
    meta: dict[str, Any]
    fields: dict[str, Any] = field(default_factory=dict)


def noisy_speech(
    cut: Utterance, pool: UtterancePool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """(speech as heard, noise, meta): SNR uniform in -5..20 dB, the speech in a room in half of the cases."""
    snr_db, room = float(rng.uniform(-5, 20)), bool(rng.random() < 0.5)
    heard_T = pool.reverberate(cut.wav_T, rng) if room else cut.wav_T
    noise_T = mixing.scaled_to_ratio(heard_T, pool.noise(rng, cut.seconds), snr_db)
    return heard_T, noise_T, {"snr_db": snr_db, "reverberant": room}


def windows(
    frames: int, window: int = WINDOW, overlap: int = OVERLAP
) -> list[tuple[int, int, tuple[int, int]]]:
    """(start, stop, keep) of each window; keep [a, b) counts from its start, and the kept frames tile [0, frames).

    The last window is moved back to full length: the model is not asked for a scrap without context.
    """
    if frames <= max(window, ONE_GO):
        return [(0, frames, (0, frames))]
    starts = [*range(0, frames - window, window - overlap), frames - window]
    seams = [0, *((a + window + b) // 2 for a, b in itertools.pairwise(starts)), frames]
    return [(s, s + window, (seams[i] - s, seams[i + 1] - s)) for i, s in enumerate(starts)]
