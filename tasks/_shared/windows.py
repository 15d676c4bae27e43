"""Tasks whose output is as long as their input, frame by frame: suppression, removal, extraction.

Long recordings are cut into overlapping windows in the code domain. Neighbours meet in the middle of their overlap, as
frames of one decoded stream, so the decoder sees no seam. Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import numpy as np
from pydantic import Field

from speechx.audio import levels, mixing
from speechx.audio.levels import is_clipped
from speechx.models.lm.prompt import Frames, Prompt, Segment, Text, TextTrack, Token
from speechx.task import fields
from speechx.task.examples import Example, Utterance, UtterancePool
from speechx.task.plan import GeneratedPart, MaskedRecording, Plan
from speechx.task.task import Task, TaskRequest
from speechx.tasks._shared import phone_spans
from speechx.tasks._shared.notes import notes
from speechx.text import text_warning

if TYPE_CHECKING:
    from speechx.task.frontend import Frontend
    from speechx.text import PhoneSequence

WINDOW_SECONDS, OVERLAP_SECONDS = 8.0, 1.0
"""A window, and how much of it is shared with the next."""

ONE_GO_SECONDS = 10.0
"""A recording up to this length is one window."""


Strength = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="share of the result in the output, the rest is the recording: 0.9 leaves what is taken away 20 dB down",
    ),
]


class AlignedRequest(TaskRequest):
    """The recording, and optionally its transcript."""

    audio: fields.Audio = Field(description="the recording")
    text: fields.Text | None = Field(None, description="transcript of the speech to keep, if known: it helps")
    language: fields.Language = Field("en", description="language of the text")
    strength: Strength = 1.0


A = TypeVar("A", bound=AlignedRequest)


class AlignedTask(Task[A]):
    """Base of the three tasks. A subclass names its marker and makes its mixtures."""

    marker: ClassVar[int]
    uses_text: ClassVar[bool] = True  # whether the model is given the transcript
    # The target is nearly determined by the input: stray less from the likeliest than free speech does, and be guided by
    # what the recording alone does not say.
    sampling = {
        **Task.sampling,
        "top_p": 0.8,
        "guidance": 2.0,
        "guidance_knows": "recording",
    }
    max_phone_seconds = None

    def condition(self, req: A, frontend: Frontend) -> tuple[Segment, ...]:
        """Segments before the marker (an enrollment)."""
        return ()

    def voice(self, req: A, frontend: Frontend) -> np.ndarray | None:
        """Codes (F, K) of the target speaker's enrollment, if any."""
        return None

    def voice_warning(self, req: A, frontend: Frontend) -> str | None:
        """A sentence where the enrollment may not do."""
        return None

    def speech(self, req: A, frontend: Frontend) -> PhoneSequence | None:
        """Phones of the transcript; None where the request has none, or the model does not use it."""
        return frontend.phones(req.text, req.language) if req.text and self.uses_text else None

    def prompt(self, req: A, frontend: Frontend) -> Prompt:
        wav_T = frontend.load_audio(req.audio, "audio")
        codes_FK, _ = frontend.encode_recording(wav_T)
        speech = self.speech(req, frontend)
        return self.window(codes_FK, speech, self.condition(req, frontend))

    def window(
        self,
        codes_FK: np.ndarray,
        speech: PhoneSequence | None,
        before: tuple[Segment, ...],
        pointer_F: np.ndarray | None = None,
    ) -> Prompt:
        """The prompt of one stretch of the recording: its codes (F, K), its phones, and the phone of each frame (F,)."""
        segments = (*before, Token(self.marker), Frames(codes_FK, aligned=True))
        track = None
        if speech is not None:
            segments = (*segments, Text(speech.ids, speech.language))
            track = TextTrack(speech.ids, 0, len(speech.ids), pointer_F)
        return Prompt(self.slot, segments, track, track_codes_FK=codes_FK, frames=len(codes_FK))

    def plan(self, req: A, frontend: Frontend) -> Plan:
        wav_T = frontend.load_audio(req.audio, "audio")
        gain = levels.standard_gain(wav_T, frontend.sample_rate)
        reader = frontend.reader(wav_T * gain)
        speech = self.speech(req, frontend)
        before = self.condition(req, frontend)

        def parts() -> Iterator[GeneratedPart]:
            spans = windows(reader.frames, frontend.frame_rate)
            # Aligned with the recording, so that the pointer cannot lose its place in the text.
            alignment = frontend.follow(reader, speech) if speech is not None else None
            for index, (start, stop, keep) in enumerate(spans):
                stretch, at_F = speech, alignment.pointer(start, stop) if alignment else None
                if stretch is not None and at_F is not None and len(spans) > 1:
                    stretch, at_F = phone_spans.spoken_in(stretch, at_F)
                prompt = self.window(reader.read(start, stop), stretch, before, at_F)
                words = stretch.words if stretch is not None else ()
                yield GeneratedPart(prompt, words, keep, joined=index > 0, gain=1 / gain, speech=stretch)

        warnings = notes(
            self.voice_warning(req, frontend),
            "the recording is clipped" if is_clipped(wav_T) else None,
            text_warning(req.text if self.uses_text else None, req.language),
        )
        recording = None
        if self.mask_target is not None:
            recording = MaskedRecording(wav_T, self.slot, self.voice(req, frontend), self.mask_target)
        return Plan(
            parts(), frontend.sample_rate, samples=len(wav_T), recording=recording, input_T=wav_T,
            strength=req.strength, notes=warnings,
        )  # fmt: skip

    @abstractmethod
    def mixture(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Mixture | None:
        """A recording mixed from a clean utterance, and its parts; None where the corpus lacks what it needs."""

    def example(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Example | None:
        mixed = self.mixture(cut, pool, rng)
        if mixed is None:
            return None
        cut = mixed.cut
        # Inference brings its input to the standard level: here it is done before, with the target by the same factor.
        gain = levels.standard_gain(mixed.input_T, cut.sample_rate)
        text_given = cut.text is not None and rng.random() < 0.5
        values: dict[str, Any] = {
            "audio": (mixed.input_T * gain, cut.sample_rate),
            "language": cut.language,
            **mixed.fields,
        }
        request = self.Request(**values, **({"text": cut.text} if text_given else {}))
        references = {name: wav_T * gain for name, wav_T in mixed.references.items()}
        meta = {**mixed.meta, "text_given": text_given, "id": cut.id, "seconds": cut.seconds}
        return Example(request, mixed.target_T * gain, cut.text, cut.language, cut.speaker, meta, references)


@dataclass(frozen=True)
class Mixture:
    """A recording mixed from a clean utterance: input_T and target_T (T,), reference waves of the same scale, meta data,
    and further fields of the request."""

    cut: Utterance
    input_T: np.ndarray
    target_T: np.ndarray
    references: dict[str, np.ndarray]
    meta: dict[str, Any]
    fields: dict[str, Any] = field(default_factory=dict)


def noisy_speech(
    cut: Utterance, pool: UtterancePool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """(speech, in a room or not, noise, meta): SNR uniform in -5..20 dB, reverberant in half of the cases."""
    snr_db, room = float(rng.uniform(-5, 20)), bool(rng.random() < 0.5)
    speech_T = pool.reverberate(cut.wav_T, rng) if room else cut.wav_T
    noise_T = mixing.scaled_to_ratio(speech_T, pool.noise(rng, cut.seconds), snr_db)
    return speech_T, noise_T, {"snr_db": snr_db, "reverberant": room}


def windows(frames: int, frame_rate: float) -> list[tuple[int, int, tuple[int, int]]]:
    """(start, stop, keep) of each window, in frames.

    keep [a, b) counts from the window's start, and the kept frames tile [0, frames).

    The last window is moved back to full length: the model is not asked for a scrap without context.
    """
    window, overlap = round(WINDOW_SECONDS * frame_rate), round(OVERLAP_SECONDS * frame_rate)
    if frames <= ONE_GO_SECONDS * frame_rate:
        return [(0, frames, (0, frames))]
    starts = [*range(0, frames - window, window - overlap), frames - window]
    seams = [0, *((a + window + b) // 2 for a, b in itertools.pairwise(starts)), frames]
    return [(s, s + window, (seams[i] - s, seams[i + 1] - s)) for i, s in enumerate(starts)]
