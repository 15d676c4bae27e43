"""A corpus of made-up sound, as tasks see one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechx.models.aligner import Alignment
from speechx.task.examples import Utterance
from speechx.text.types import WordTime

SENTENCES = {
    "en": "The library closes early on Sundays so we had better leave before lunch.",
    "es": "La biblioteca cierra temprano los domingos.",
}


class ToyPool:
    """Two speakers; the first has two utterances in English and one in Spanish. See speechx.task.examples.UtterancePool."""

    sample_rate, frame_rate = 16000, 25.0

    def __init__(self, speech: Any) -> None:
        self.speech = speech

    def cut(self, number: int, speaker: str = "a", language: str = "en", seconds: float = 5.0) -> Utterance:
        wav_T = self.speech(seconds, seed=number, pitch=110 if speaker == "a" else 190)
        return Utterance(
            f"{speaker}{number}", wav_T, SENTENCES[language], language, speaker, self.sample_rate
        )

    def same_speaker(self, cut: Utterance, rng: np.random.Generator) -> Utterance | None:
        return self.cut(2) if cut.speaker == "a" else None

    def other_speaker(self, cut: Utterance, rng: np.random.Generator) -> Utterance:
        return self.cut(3, "b", seconds=3.0)

    def other_language(self, cut: Utterance, rng: np.random.Generator) -> Utterance | None:
        return self.cut(4, language="es") if cut.speaker == "a" else None

    def noise(self, rng: np.random.Generator, seconds: float) -> np.ndarray:
        return (0.05 * rng.standard_normal(round(seconds * 16000))).astype(np.float32)

    def reverberate(self, wav_T: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return (wav_T + 0.3 * np.pad(wav_T, (800, 0))[: len(wav_T)]).astype(np.float32)


@pytest.fixture(scope="session")
def pool(speech: Any) -> ToyPool:
    return ToyPool(speech)


@pytest.fixture
def aligned(frontend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An aligner that hears the words evenly spread, with a short silence after each."""

    def align(codes_FK: np.ndarray, speech: Any) -> Alignment:
        step = len(codes_FK) / 25 / len(speech.words)
        times = [WordTime(w.text, i * step, (i + 0.8) * step) for i, w in enumerate(speech.words)]
        pointer_F = np.zeros(len(codes_FK), np.int32)
        for word, time in zip(speech.words, times, strict=True):
            pointer_F[round(time.start * 25) :] = word.start
        return Alignment(pointer_F, tuple(times), -1.0, 0.0)

    class Followed:
        def __init__(self, reader: Any, speech: Any) -> None:
            self.pointer_F = align(reader.read(0, reader.frames), speech).pointer_F

        def pointer(self, start: int, stop: int) -> np.ndarray:
            return self.pointer_F[start:stop]

    monkeypatch.setattr(frontend, "align", align)
    monkeypatch.setattr(frontend, "follow", Followed)
