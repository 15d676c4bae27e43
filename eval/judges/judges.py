"""`Judges`: the models that score outputs. Each is loaded when it is first needed, and its results are cached by sound.

    judges = Judges(asr="whisper-base", speaker="ge2e", mos=("distillmos", "dnsmos"))
    judges.transcribe(wav_T, "en").text

A name may carry a source: "whisper:/models/large-v3", "wavlm:/models/wavlm-sv". Shapes: T samples at 16 kHz, D embedding.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from importlib import import_module
from typing import TypeAlias, TypeVar, cast

import numpy as np

from speechx.errors import InputError
from speechx.eval.judges.base import (
    MOSPredictor,
    Recognizer,
    SpeakerEncoder,
    Transcript,
    VoiceActivityDetector,
)
from speechx.eval.scores import MissingDependency, Unmeasurable
from speechx.models.hub import missing_folder

__all__ = ["KINDS", "Judges"]

V = TypeVar("V")
CACHE_SIZE = 1024
"""Results per process: transcripts, embeddings, opinion scores, sounds after the codec."""

Judge: TypeAlias = Recognizer | SpeakerEncoder | MOSPredictor | VoiceActivityDetector
Loader: TypeAlias = Callable[[str | None], Judge]


def _judge(module: str, name: str) -> Loader:
    """Imports a judge when it is first needed. source: a folder, file or hub name; each judge has its default."""

    def load(source: str | None) -> Judge:
        kind: Callable[..., Judge] = getattr(import_module(f"speechx.eval.judges.{module}"), name)
        return kind(source) if source else kind()

    return load


def _packaged(module: str, name: str) -> Loader:
    """A judge whose weights come with a package: a source is ignored."""
    return lambda source: _judge(module, name)(None)


KINDS: dict[str, dict[str, Loader]] = {
    "asr": {
        "whisper-base": _packaged("whisper", "Whisper"), "whisper": _judge("whisper", "Whisper"),
        "hubert": _judge("hub", "HubertCTC"),
    },
    "speaker": {
        "ge2e": _packaged("ge2e", "GE2E"), "wavlm": _judge("hub", "WavLM"), "ecapa": _judge("hub", "ECAPA"),
    },
    "mos": {
        "distillmos": _packaged("mos", "DistillMOS"), "dnsmos": _packaged("mos", "DNSMOS"), "utmos": _judge("hub", "UTMOS"),
    },
    "vad": {"silero": _packaged("vad", "SileroVAD")},
}  # fmt: skip


class Judges:
    """models: loaded judges by role ("asr", "speaker", "vad", or a MOS predictor's name), for tests.
    codec: encodes and decodes a sound."""

    def __init__(
        self,
        asr: str = "whisper-base",
        speaker: str = "ge2e",
        mos: Iterable[str] = ("distillmos", "dnsmos"),
        vad: str = "silero",
        models: Mapping[str, Judge] | None = None,
        codec: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self._codec = codec
        self.names = {"asr": asr, "speaker": speaker, "vad": vad} | {m.partition(":")[0]: m for m in mos}
        for role, name in self.names.items():
            kind = role if role in KINDS else "mos"
            judge, _, source = name.partition(":")
            if judge not in KINDS[kind]:
                raise InputError(
                    f"{kind}: {name!r} is unknown; choose one of {', '.join(KINDS[kind])}", field=kind
                )
            if missing_folder(source):
                raise InputError(f"{kind}: {judge} needs {source}, which does not exist", field=kind)
            if source:
                self.names[role] = f"{judge}:{os.path.expanduser(source)}"
        self._models: dict[str, Judge] = dict(models or {})
        self._failed: dict[str, str] = {}
        self._cache: OrderedDict[Hashable, object] = OrderedDict()

    def model(self, role: str) -> Judge:
        """The model of a role. Raises Unmeasurable, each time with the same reason, where it cannot be loaded."""
        if role in self._failed:
            raise MissingDependency(self._failed[role])
        if role not in self._models:
            if role not in self.names:
                raise Unmeasurable(f"{role} is not among the measuring models of this run")
            name, _, source = self.names[role].partition(":")
            try:
                self._models[role] = KINDS[role if role in KINDS else "mos"][name](source or None)
            except Exception as error:  # whatever is missing: a package, a file, the network
                reason = (
                    str(error)
                    if isinstance(error, Unmeasurable)
                    else f"{name}: {type(error).__name__}: {error}"
                )
                self._failed[role] = reason
                raise MissingDependency(reason) from error
        return self._models[role]

    def describe(self) -> list[dict[str, str]]:
        """Rows of the report: the judges that were used, and those that could not be loaded."""
        used = [m.info.as_dict() | {"role": role} for role, m in sorted(self._models.items())]
        return used + [
            {"role": role, "name": self.names[role], "missing": why} for role, why in self._failed.items()
        ]

    def identity(self) -> str:
        """The names of all judges: scores by other judges cannot be compared."""
        return "|".join(f"{role}={name}" for role, name in sorted(self.names.items()))

    def transcribe(self, wav_T: np.ndarray, language: str) -> Transcript:
        return self.transcribe_batch([(wav_T, language)])[0]

    def transcribe_batch(self, pairs: list[tuple[np.ndarray, str]]) -> list[Transcript]:
        """Transcripts of many recordings, in one batch for those that are not cached."""
        asr = cast(Recognizer, self.model("asr"))
        keys = [("asr", language, _audio_key(wav_T)) for wav_T, language in pairs]
        todo = {k: pair for k, pair in zip(keys, pairs, strict=True) if k not in self._cache}
        if todo:
            transcripts = asr.transcribe(
                [w for w, _ in todo.values()], [language for _, language in todo.values()]
            )
            self._cache.update(zip(todo, transcripts, strict=True))
        out = [cast(Transcript, self._cache[k]) for k in keys]
        self._evict()
        return out

    def language_probabilities(self, wav_T: np.ndarray) -> dict[str, float]:
        asr = cast(Recognizer, self.model("asr"))
        return self._cached(("language", _audio_key(wav_T)), lambda: asr.language_probabilities([wav_T])[0])

    def speaker_similarity(self, a_T: np.ndarray, b_T: np.ndarray) -> float:
        """Cosine of the speaker embeddings."""
        return float(np.dot(self.speaker_embedding(a_T), self.speaker_embedding(b_T)))

    def speaker_embedding(self, wav_T: np.ndarray) -> np.ndarray:
        encoder = cast(SpeakerEncoder, self.model("speaker"))
        return self._cached(("speaker", _audio_key(wav_T)), lambda: encoder.embed([wav_T])[0])

    def predict_mos(self, name: str, wav_T: np.ndarray) -> dict[str, float]:
        """Predicted opinion scores by "distillmos", "dnsmos", "utmos"."""
        predictor = cast(MOSPredictor, self.model(name))
        return self._cached((name, _audio_key(wav_T)), lambda: predictor.predict([wav_T])[0])

    def speech_seconds(self, wav_T: np.ndarray) -> float:
        """Seconds of speech, by the voice activity detector."""
        vad = cast(VoiceActivityDetector, self.model("vad"))
        return self._cached(
            ("vad", _audio_key(wav_T)), lambda: sum(b - a for a, b in vad.speech_segments(wav_T))
        )

    def round_trip(self, wav_T: np.ndarray) -> np.ndarray:
        """The sound after the codec. Raises Unmeasurable where the run has none."""
        codec = self._codec
        if codec is None:
            raise MissingDependency("no codec: name a model folder with --model")
        return self._cached(("codec", _audio_key(wav_T)), lambda: codec(wav_T))

    def _cached(self, key: Hashable, make: Callable[[], V]) -> V:
        if key not in self._cache:
            self._cache[key] = make()
        value = cast(V, self._cache[key])
        self._evict()
        return value

    def _evict(self) -> None:
        while len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)


def _audio_key(wav_T: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(wav_T, np.float32).tobytes()).hexdigest()
