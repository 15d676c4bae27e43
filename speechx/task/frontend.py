"""What a task is given: the codec, text to phones, alignment, voices.

Shapes: T samples at the codec's rate, F codec frames, K codebooks.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch

from speechx.audio import levels, reading
from speechx.audio.types import AudioSource
from speechx.errors import InputError
from speechx.models.speaker import SPEAKER_RATE
from speechx.task.code_streams import CodeReader, WaveStream
from speechx.task.voices import known_voice, unknown_voice
from speechx.text.languages import LANGUAGES

if TYPE_CHECKING:
    from speechx.models.adapter_file import AdapterInfo
    from speechx.models.aligner import Aligner, Alignment
    from speechx.models.codec.base import Codec
    from speechx.models.lora import LoRAAdapter
    from speechx.models.refiner import Refiner
    from speechx.models.running_alignment import RunningAlignment
    from speechx.models.speaker import VoiceEncoder
    from speechx.text import PhoneSequence, TextFrontend

__all__ = ["Frontend", "VoiceBook"]

T = TypeVar("T")

MAX_VOICE_SECONDS = 120.0
MIN_VOICE_SECONDS = 1.0
VOICE_SECONDS = 6.0
"""Of a longer voice recording the first so many seconds of speech are the prompt: as long as any in training."""

FEWEST_PHONES = 1.8
"""Different phones per second in a voice. Fewer are noise, tones or music; docs/voices.md has the measurement."""

LEAST_SPEAKER_SECONDS = 0.6
"""Of less sound an embedding says little about the speaker."""

MIN_SECONDS = 0.1
CACHED_VOICES = 64
CACHED_PHONES = 256


class VoiceBook(Protocol):
    """Known voices by id."""

    def ids(self) -> list[str]: ...

    def wav(self, voice_id: str) -> np.ndarray:
        """The recording (T,) at 16 kHz. Raises KeyError for an unknown id."""
        ...

    def adapter(self, voice_id: str) -> tuple[AdapterInfo, LoRAAdapter] | None:
        """The adapter of the language model that a voice has. Raises KeyError for an unknown id."""
        ...


class Frontend:
    """The front end of one model. Threads may share it.

    refiner: see speechx.pipeline.masking. speaker: compares candidates with the voice; None: nobody does.
    language_model: hash of its weights, which the adapters of voices name. languages: those that the model has beyond
    LANGUAGES. paths:
    whether a string may name a file; False in servers, where strings come from strangers. max_phone_errors: phone error
    rate above which a transcript does not belong to a recording.
    """

    def __init__(
        self,
        codec: Codec,
        text: TextFrontend | None = None,
        aligner: Aligner | None = None,
        voices: VoiceBook | None = None,
        refiner: Refiner | None = None,
        *,
        language_model: str = "",
        languages: tuple[str, ...] = (),
        speaker: VoiceEncoder | None = None,
        paths: bool = True,
        max_phone_errors: float = 0.75,
    ) -> None:
        self.codec, self.aligner, self.voices, self.paths = codec, aligner, voices, paths
        self.refiner, self.language_model, self.speaker = refiner, language_model, speaker
        self.languages = (*LANGUAGES, *languages)
        self.max_phone_errors = max_phone_errors
        self.sample_rate = codec.sample_rate
        self.frame_rate = codec.frame_rate
        self.hop = codec.hop
        self._text = text
        self._lock = threading.Lock()
        self._voices: OrderedDict[str, tuple[np.ndarray, str]] = OrderedDict()
        self._phone_rates: OrderedDict[str, float] = OrderedDict()
        self._phones: OrderedDict[tuple[str, str], PhoneSequence] = OrderedDict()

    def after_fork(self) -> None:
        """In a child: a lock that no thread of the parent holds."""
        self._lock = threading.Lock()

    # Sound

    def encode(self, wav_T: np.ndarray) -> np.ndarray:
        """(T,) float32 -> codes (ceil(T / hop), K) int16. Long sound is encoded in blocks that overlap."""
        reader = self.reader(wav_T)
        return reader.read(0, reader.frames)

    def encode_recording(self, wav_T: np.ndarray) -> tuple[np.ndarray, float]:
        """(codes (F, K) of the recording at the standard level, the gain that brought it there)."""
        gain = levels.standard_gain(wav_T, self.sample_rate)
        return self.encode(wav_T * gain), gain

    def reader(self, wav_T: np.ndarray) -> CodeReader:
        """The codes of a long recording, encoded on demand."""
        return CodeReader(self._encode, wav_T, self.hop, self.frame_rate)

    def _encode(self, wav_T: np.ndarray) -> np.ndarray:
        wav_BT = torch.from_numpy(np.ascontiguousarray(wav_T, np.float32))[None]
        return self.codec.encode(wav_BT)[0].T.to(torch.int16).contiguous().numpy()

    def decode(self, codes_FK: np.ndarray) -> np.ndarray:
        """Codes (F, K) -> (F * hop,) float32."""
        codes_BKF = torch.from_numpy(np.ascontiguousarray(codes_FK.T, np.int64))[None]
        return self.codec.decode(codes_BKF)[0].float().numpy()

    def stream(self, batch: int = 1) -> WaveStream:
        """A streaming decoder for so many runs of frames side by side."""
        return WaveStream(self.codec.stream(batch))

    def load_audio(
        self,
        source: AudioSource,
        field: str = "audio",
        max_seconds: float = reading.MAX_SECONDS,
        rate: int | None = None,
    ) -> np.ndarray:
        """(T,) float32, mono, at the codec's rate or `rate`. Raises InputError naming `field`: see audio.read."""
        self._check_path(source, field)
        wav_T = reading.read(
            source,
            max_seconds=max_seconds,
            min_seconds=MIN_SECONDS,
            field=field,
            rate=rate or self.sample_rate,
        )
        if levels.is_silent(wav_T):
            raise InputError(f"{field} is silent: nothing in it is louder than -60 dBFS", field=field)
        return wav_T

    def rate_of(self, source: AudioSource, field: str = "audio") -> int:
        """The recording's own sample rate."""
        self._check_path(source, field)
        try:
            return reading.probe(source).rate
        except InputError as error:
            raise error.located(field) from error

    def _check_path(self, source: AudioSource, field: str) -> None:
        if isinstance(source, str | os.PathLike) and not self.paths:
            raise InputError(f"{field} must be the sound itself: file names are not taken here", field=field)

    # Voices

    def voice(self, source: AudioSource, field: str = "voice") -> np.ndarray:
        """The recording of a voice, by its id or as audio: (T,), 1 s or longer, neither silent nor badly clipped."""
        wav_T = self._known_voice(source)
        if wav_T is None:
            if isinstance(source, str) and not Path(source).suffix and not Path(source).exists():
                raise unknown_voice(source, self.voices.ids() if self.voices else (), field)
            wav_T = self.load_audio(source, field, MAX_VOICE_SECONDS)
        seconds = len(wav_T) / self.sample_rate
        if seconds < MIN_VOICE_SECONDS:
            raise InputError(
                f"{field} is {seconds:.2f} s long: at least {MIN_VOICE_SECONDS:g} s are needed", field=field
            )
        if levels.is_clipped(wav_T):
            raise InputError(f"{field} is badly clipped: record it at a lower level", field=field)
        return wav_T

    def trimmed_voice(self, source: AudioSource, field: str = "voice") -> np.ndarray:
        """`voice` without the silence at both ends, of which the prompt has the first VOICE_SECONDS."""
        return trim(self.voice(source, field), self.sample_rate)

    def voice_codes(self, source: AudioSource, field: str = "voice") -> tuple[np.ndarray, str]:
        """(codes (F, K) of the voice's prompt, a key of their content), kept for the next request."""
        known_T = self._known_voice(source)  # by content: an id may be enrolled anew
        name = _fingerprint(source if known_T is None else (known_T, self.sample_rate))
        with self._lock:
            if name in self._voices:
                self._voices.move_to_end(name)
                return self._voices[name]
        wav_T = self.trimmed_voice(source, field)[: round(VOICE_SECONDS * self.sample_rate)]
        codes_FK, _ = self.encode_recording(wav_T)
        made = codes_FK, hashlib.sha256(codes_FK.tobytes()).hexdigest()[:32]
        with self._lock:
            self._voices[name] = made
            while len(self._voices) > CACHED_VOICES:
                self._voices.popitem(last=False)
        return made

    def voice_warning(self, source: AudioSource, field: str = "voice") -> str | None:
        """A sentence where hardly any speech is found in the voice; None where it is, or the model has no aligner."""
        if self.aligner is None:
            return None
        codes_FK, key = self.voice_codes(source, field)
        found = self._phone_rates.get(key)
        if found is None:
            found = self._with_aligner(lambda aligner, codec: aligner.phones_per_second(codes_FK, codec))
            with self._lock:
                self._phone_rates[key] = found
                while len(self._phone_rates) > CACHED_VOICES:
                    self._phone_rates.popitem(last=False)
        if found >= FEWEST_PHONES:
            return None
        return f"hardly any speech was found in {field}: give 3 to 6 s of clear speech, else the result may be babble"

    def voice_adapter(self, source: AudioSource, field: str = "voice") -> LoRAAdapter | None:
        """The adapter of a voice that is given by its id, where it has one. InputError for one of another language
        model."""
        voice_id = self._voice_id(source)
        found = None if voice_id is None or self.voices is None else self.voices.adapter(voice_id)
        if found is None:
            return None
        info, adapter = found
        if info.base != self.language_model:
            raise InputError(
                f"{field} {voice_id!r} was adapted to language model {info.base}, and this model is "
                f"{self.language_model}: adapt it again, or remove its adapter",
                field=field,
            )
        return adapter

    def _known_voice(self, source: AudioSource) -> np.ndarray | None:
        voice_id = self._voice_id(source)
        if voice_id is None or self.voices is None:
            return None
        return reading.resample(self.voices.wav(voice_id), reading.SAMPLE_RATE, self.sample_rate)

    def _voice_id(self, source: AudioSource) -> str | None:
        """The id of a known voice that a string stands for."""
        if not isinstance(source, str) or self.voices is None:
            return None
        return known_voice(source, self.voices.ids())

    # Text

    @property
    def text(self) -> TextFrontend:
        if self._text is None:
            from speechx.text import TextFrontend

            self._text = TextFrontend()
        return self._text

    def phones(self, text: str, language: str) -> PhoneSequence:
        """Text to phones. Raises InputError where nothing can be spoken."""
        key = (text, language)
        speech = self._phones.get(key)
        if speech is None:
            speech = self.text(text, language)
            if not speech.words:
                raise InputError("text has nothing to speak", field="text")
            with self._lock:
                self._phones[key] = speech
                while len(self._phones) > CACHED_PHONES:
                    self._phones.popitem(last=False)
        return speech

    def sentences(self, text: str, language: str) -> list[str]:
        """Text in pieces that fit one prompt each, those without a letter or digit left out."""
        return [s for s in self.text.split_sentences(text, language) if any(c.isalnum() for c in s)]

    # Alignment

    def align(self, codes_FK: np.ndarray, speech: PhoneSequence) -> Alignment:
        """Which phone is spoken in each frame. Raises InputError where the text cannot fit, or there is no aligner."""
        return self._with_aligner(lambda aligner, codec: aligner.align(codes_FK, speech, codec))

    def follow(self, reader: CodeReader, speech: PhoneSequence) -> RunningAlignment:
        """The same for a long recording, window by window, so that the first one need not wait until all is encoded."""
        return self._with_aligner(
            lambda aligner, codec: aligner.follow(speech, reader.frames, reader.read, codec)
        )

    def align_text(self, source: AudioSource, text: str, language: str) -> Alignment:
        """When each word of `text` is spoken in a recording of at most 10 minutes."""
        wav_T = self.load_audio(source, max_seconds=600)
        return self.align(self.encode_recording(wav_T)[0], self.phones(text, language))

    def phone_errors(self, codes_FK: np.ndarray, speech: PhoneSequence) -> float:
        """Phone error rate of the codes, as recognized by the aligner, against the text."""
        return self._with_aligner(lambda aligner, codec: aligner.phone_errors(codes_FK, speech, codec))

    def fit(self, codes_FK: np.ndarray, ids_N: np.ndarray, language: str | None, start: int = 0) -> float:
        """Score of phones (table indices) from frame `start` on: see `Aligner.fit`."""
        return self._with_aligner(lambda aligner, codec: aligner.fit(codes_FK, ids_N, language, codec, start))

    def speaker_embedding(self, wav_T: np.ndarray) -> np.ndarray | None:
        """(D,) of a sound at the codec's rate; None without a speaker encoder, or for less than LEAST_SPEAKER_SECONDS."""
        if self.speaker is None or len(wav_T) < LEAST_SPEAKER_SECONDS * self.sample_rate:
            return None
        return self.speaker.embed(reading.resample(wav_T, self.sample_rate, SPEAKER_RATE))

    def _with_aligner(self, act: Callable[[Aligner, Codec], T]) -> T:
        if self.aligner is None:
            raise InputError("this model comes without an aligner: it cannot place words in sound")
        try:
            return act(self.aligner, self.codec)
        except ValueError as error:
            raise InputError(str(error), field="text") from error


def trim(wav_T: np.ndarray, rate: int, below_db: float = 40.0, margin: float = 0.1) -> np.ndarray:
    """Without the silence at both ends: 20 ms frames `below_db` under the loudest, but for a margin in seconds."""
    size = rate // 50
    power_F = levels.frame_power(wav_T, size, dtype=None)
    if not len(power_F) or power_F.max() <= 0:
        return wav_T
    loud = np.flatnonzero(power_F > power_F.max() * 10 ** (-below_db / 10))
    pad = round(margin * rate)
    return wav_T[max(0, loud[0] * size - pad) : (loud[-1] + 1) * size + pad]


def _fingerprint(source: AudioSource) -> str:
    """Names the content of an audio source, without decoding it."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        try:
            stat = path.stat()
        except OSError:
            return f"id:{source}"
        return f"path:{path.absolute()}:{stat.st_mtime_ns}:{stat.st_size}"
    if isinstance(source, bytes | bytearray):
        return "bytes:" + hashlib.sha256(source).hexdigest()
    samples, rate = source
    return f"array:{rate}:" + hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()
