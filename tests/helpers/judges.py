"""Judges that need no weights: the recordings of a test set are known to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechx.eval.items import Item
from speechx.eval.judges.base import JudgeInfo, Transcript
from speechx.eval.metrics.mel import log_mel


class SetRecognizer:
    """A recognizer of the recordings of a set: the words of the most similar one, fewer the less similar it is.

    An enrollment has other words.
    """

    info = JudgeInfo("parrot", "tests", "1", "0" * 16)

    def __init__(self, items: Sequence[Item]) -> None:
        self.known: list[tuple[np.ndarray, str]] = []
        for item in items:
            speech = item.references.get("whole") or item.references.get("speech") or item.target
            assert item.text is not None
            self.known.append((item.target_T if speech == item.target else _read(speech), item.text))
            if "voice" in item.references:
                self.known.append((item.reference("voice"), "something that nobody asked for at all"))

    def transcribe(self, wavs: Sequence[np.ndarray], languages: Sequence[str]) -> list[Transcript]:
        return [Transcript(self._transcript(w)) for w in wavs]

    def language_probabilities(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        return [{"en": 1.0} for _ in wavs]

    def _transcript(self, wav_T: np.ndarray) -> str:
        similarity, text = max((correlation(wav_T, known_T), text) for known_T, text in self.known)
        words = text.split()
        return " ".join(words[: round(len(words) * min(1.0, similarity / 0.9))]) if similarity > 0.2 else ""


def _read(path: Path) -> np.ndarray:
    from speechx.eval.items import read_recording

    return read_recording(path)


def correlation(a_T: np.ndarray, b_T: np.ndarray) -> float:
    """Correlation of two recordings that start together."""
    length = max(len(a_T), len(b_T))
    a_T, b_T = (np.pad(x, (0, length - len(x))).astype(np.float64) for x in (a_T, b_T))
    return float(abs(a_T @ b_T) / (np.linalg.norm(a_T) * np.linalg.norm(b_T) + 1e-9))


class SpectrumEncoder:
    """A speaker encoder: the mean spectrum, without its level."""

    info = JudgeInfo("spectrum", "tests", "1", "0" * 16)

    def embed(self, wavs: Sequence[np.ndarray]) -> np.ndarray:
        mean_NM = np.stack([log_mel(w).mean(0) for w in wavs])
        mean_NM -= mean_NM.mean(1, keepdims=True)
        return mean_NM / np.linalg.norm(mean_NM, axis=1, keepdims=True)


class ContrastPredictor:
    """An opinion: how far loud and quiet are apart, as they are in clean speech."""

    info = JudgeInfo("contrast", "tests", "1", "0" * 16)
    names = ("mos", "dnsmos", "dnsmos_sig", "dnsmos_bak")

    def predict(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        return [
            dict.fromkeys(
                self.names, float(np.clip(np.diff(np.quantile(log_mel(w).mean(1), [0.1, 0.9]))[0] / 10, 1, 5))
            )
            for w in wavs
        ]


class LoudnessDetector:
    info = JudgeInfo("loud", "tests", "1", "0" * 16)

    def speech_segments(self, wav_T: np.ndarray) -> list[tuple[float, float]]:
        return [(0.0, float(np.mean(np.abs(wav_T) > 0.05)) * len(wav_T) / 16000)]
