"""`Measures`: the measuring models of a run. Each is loaded once, when it is first needed, and remembers what it heard.

    measures = Measures(asr="whisper-base", speaker="ge2e", mos=("distillmos", "dnsmos"))
    measures.transcribe(wav_T, "en").text

A name may carry a source: "whisper:/models/large-v3", "wavlm:/models/wavlm-sv". Shapes: T samples at 16 kHz, D embedding.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import numpy as np

from speechx.errors import InputError
from speechx.eval.judges.base import About, Mos, Recognizer, SpeakerEncoder, Transcript, VoiceActivity
from speechx.eval.scores import Absent, Unmeasurable

__all__ = ["KINDS", "Measures"]

V = TypeVar("V")
REMEMBERED = 1024


def _whisper(source: str | None) -> Any:
    from speechx.eval.judges.whisper import Whisper

    return Whisper(source)


def _standard(name: str) -> Callable[[str | None], Any]:
    def load(source: str | None) -> Any:
        from speechx.eval.judges import hub as standard

        kind = getattr(standard, name)
        return kind(source) if source else kind()

    return load


def _packaged(module: str, name: str) -> Callable[[str | None], Any]:
    def load(source: str | None) -> Any:
        from importlib import import_module

        return getattr(import_module(f"speechx.eval.judges.{module}"), name)()

    return load


KINDS: dict[str, dict[str, Callable[[str | None], Any]]] = {
    "asr": {"whisper-base": lambda _: _whisper(None), "whisper": _whisper, "hubert": _standard("HubertCTC")},
    "speaker": {"ge2e": _packaged("ge2e", "GE2E"), "wavlm": _standard("WavLM"), "ecapa": _standard("Ecapa")},
    "mos": {
        "distillmos": _packaged("mos", "DistillMOS"), "dnsmos": _packaged("mos", "DNSMOS"), "utmos": _standard("Utmos"),
    },
    "vad": {"silero": _packaged("vad", "Silero")},
}  # fmt: skip


class Measures:
    """models: ready-made ones by role ("asr", "speaker", "vad", or a MOS predictor's name), for tests.
    codec: a sound, coded and decoded."""

    def __init__(
        self,
        asr: str = "whisper-base",
        speaker: str = "ge2e",
        mos: Iterable[str] = ("distillmos", "dnsmos"),
        vad: str = "silero",
        models: dict[str, Any] | None = None,
        codec: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self._codec = codec
        self.names = {"asr": asr, "speaker": speaker, "vad": vad} | {m.partition(":")[0]: m for m in mos}
        for role, name in self.names.items():
            kind = role if role in KINDS else "mos"
            if name.partition(":")[0] not in KINDS[kind]:
                raise InputError(
                    f"{kind}: {name!r} is unknown; choose one of {', '.join(KINDS[kind])}", field=kind
                )
        self._models: dict[str, Any] = dict(models or {})
        self._failed: dict[str, str] = {}
        self._heard: OrderedDict[Hashable, Any] = OrderedDict()

    def model(self, role: str) -> Any:
        """The model of a role. Raises Unmeasurable, each time with the same reason, where it cannot be had."""
        if role in self._failed:
            raise Absent(self._failed[role])
        if role not in self._models:
            if role not in self.names:
                raise Unmeasurable(f"{role} is not among the measuring models of this run")
            name, _, source = self.names[role].partition(":")
            try:
                self._models[role] = KINDS[role if role in KINDS else "mos"][name](source or None)
            except Exception as error:  # whatever is missing: a package, a file, the network
                said = (
                    str(error)
                    if isinstance(error, Unmeasurable)
                    else f"{name}: {type(error).__name__}: {error}"
                )
                self._failed[role] = said
                raise Absent(said) from error
        return self._models[role]

    def describe(self) -> list[dict[str, Any]]:
        """Those that were used, and those that could not be, for the report."""
        used = [m.about.as_dict() | {"role": role} for role, m in sorted(self._models.items())]
        return used + [
            {"role": role, "name": self.names[role], "missing": why} for role, why in self._failed.items()
        ]

    def identity(self) -> str:
        """Names the choice of models: scores made with another one are not the same scores."""
        return "|".join(f"{role}={name}" for role, name in sorted(self.names.items()))

    # What is asked of them

    def transcribe(self, wav_T: np.ndarray, language: str) -> Transcript:
        return self.prime([(wav_T, language)])[0]

    def prime(self, pairs: list[tuple[np.ndarray, str]]) -> list[Transcript]:
        """Transcripts of many recordings at once; asked for again, they are there."""
        asr: Recognizer = self.model("asr")
        keys = [("asr", language, _key(wav_T)) for wav_T, language in pairs]
        todo = {k: pair for k, pair in zip(keys, pairs, strict=True) if k not in self._heard}
        if todo:
            made = asr.transcribe([w for w, _ in todo.values()], [language for _, language in todo.values()])
            self._heard.update(zip(todo, made, strict=True))
        out = [self._heard[k] for k in keys]
        self._forget()
        return out

    def language(self, wav_T: np.ndarray) -> dict[str, float]:
        asr: Recognizer = self.model("asr")
        return self._once(("language", _key(wav_T)), lambda: asr.languages([wav_T])[0])

    def likeness(self, a_T: np.ndarray, b_T: np.ndarray) -> float:
        """Cosine of the speaker embeddings."""
        return float(np.dot(self.embedding(a_T), self.embedding(b_T)))

    def embedding(self, wav_T: np.ndarray) -> np.ndarray:
        encoder: SpeakerEncoder = self.model("speaker")
        return self._once(("speaker", _key(wav_T)), lambda: encoder.embed([wav_T])[0])

    def opinion(self, name: str, wav_T: np.ndarray) -> dict[str, float]:
        """Predicted opinion scores by "distillmos", "dnsmos", "utmos"."""
        predictor: Mos = self.model(name)
        return self._once((name, _key(wav_T)), lambda: predictor.predict([wav_T])[0])

    def speech_seconds(self, wav_T: np.ndarray) -> float:
        """Seconds of what sounds like speech."""
        vad: VoiceActivity = self.model("vad")
        return self._once(("vad", _key(wav_T)), lambda: sum(b - a for a, b in vad.speech(wav_T)))

    def round_trip(self, wav_T: np.ndarray) -> np.ndarray:
        """The sound after the codec. Raises Unmeasurable where the run has none."""
        codec = self._codec
        if codec is None:
            raise Absent("no codec: name a model folder with --model")
        return self._once(("codec", _key(wav_T)), lambda: codec(wav_T))

    def _once(self, key: Hashable, make: Callable[[], V]) -> V:
        if key not in self._heard:
            self._heard[key] = make()
        value: V = self._heard[key]
        self._forget()
        return value

    def _forget(self) -> None:
        while len(self._heard) > REMEMBERED:
            self._heard.popitem(last=False)

    @property
    def abouts(self) -> dict[str, About]:
        return {role: m.about for role, m in self._models.items()}


def _key(wav_T: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(wav_T, np.float32).tobytes()).hexdigest()
