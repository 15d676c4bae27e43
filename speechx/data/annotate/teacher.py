"""Features of Whisper's encoder, the distillation target of the codec's first codebook.

Legend: T samples at 16 kHz, S mel frames (100 Hz), F codec frames (25 Hz), M mel bands, N STFT bins.
Source: Radford et al. 2022, section 2.2 and its published feature extractor; SpeechTokenizer (the idea of a teacher).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from speechx.audio import reading
from speechx.audio.mel import slaney_filters
from speechx.data.annotate.features import feature_files
from speechx.data.packs import FRAME, TEACHER_DIM, AudioPack
from speechx.errors import InputError

__all__ = ["add_teacher", "check_teacher", "log_mel"]

BLOCK = 480_000  # 30 s, the longest that Whisper takes


def check_teacher(whisper_folder: str | Path) -> None:
    """Raises InputError where `add_teacher` could not use the folder."""
    if importlib.util.find_spec("ctranslate2") is None:
        raise InputError(
            "teacher: Whisper features need ctranslate2 (pip install ctranslate2)", field="teacher"
        )
    if not (Path(whisper_folder) / "model.bin").is_file():
        raise InputError(f"teacher: {whisper_folder} has no model.bin of CTranslate2", field="teacher")


def add_teacher(
    pack_folder: str | Path,
    whisper_folder: str | Path,
    progress: Callable[[int, int], None] | None = None,
    threads: int = 2,
) -> int:
    """Writes teacher.f16 and teacher.jsonl of every utterance of a pack; returns the number of frames.

    whisper_folder: a Whisper model of 512 dimensions (base) in CTranslate2's format. Raises InputError.
    """
    check_teacher(whisper_folder)
    import ctranslate2

    folder = Path(pack_folder)
    model = ctranslate2.models.Whisper(
        str(whisper_folder), device="cpu", compute_type="int8_float32", intra_threads=threads
    )
    pack = AudioPack(folder)
    rows = [row for row in pack.rows if row.speaker is not None]
    with feature_files(folder, "teacher") as features:
        for done, row in enumerate(rows, 1):
            features_FE = _features(
                model, pack.audio_at(reading.SAMPLE_RATE, row), ctranslate2.StorageView.from_array
            )
            features.add(row.corpus, row.id, features_FE)
            if progress is not None:
                progress(done, len(rows))
    return features.offset


View = TypeVar("View", contravariant=True)


class WhisperEncoder(Protocol[View]):
    """What is used of ctranslate2.models.Whisper."""

    def encode(self, features: View) -> object:
        """(1, M, S) -> (1, S / 2, E), as CTranslate2's StorageViews."""
        ...


def _features(
    model: WhisperEncoder[View], wav_T: np.ndarray, view: Callable[[np.ndarray], View]
) -> np.ndarray:
    """(ceil(T / 640), 512): the encoder's 50 Hz output, averaged two by two, in blocks of 30 s."""
    wav_T = np.pad(wav_T, (0, -len(wav_T) % FRAME))
    blocks = []
    for start in range(0, len(wav_T), BLOCK):
        block_T = wav_T[start : start + BLOCK]
        frames = len(block_T) // FRAME
        mel_1MS = np.ascontiguousarray(log_mel(block_T)[None, :, : 4 * frames])
        out_HE = np.asarray(model.encode(view(mel_1MS)))[0, : 2 * frames]
        if out_HE.shape != (2 * frames, TEACHER_DIM):
            raise InputError(
                f"teacher: this Whisper has {out_HE.shape[1]} dimensions, {TEACHER_DIM} are wanted",
                field="teacher",
            )
        blocks.append(out_HE.reshape(frames, 2, TEACHER_DIM).mean(1))
    return np.concatenate(blocks)


def log_mel(wav_T: np.ndarray, bands: int = 80) -> np.ndarray:
    """Whisper's input (M, S) float32, S = T / 160: log10 mel energies, floored 8 below the peak, scaled."""
    window_N = np.hanning(401)[:-1].astype(np.float32)
    padded_T = np.pad(wav_T, 200, mode="reflect")
    frames_SN = np.lib.stride_tricks.sliding_window_view(padded_T, 400)[::160][: len(wav_T) // 160]
    power_SN = np.abs(np.fft.rfft(frames_SN * window_N, axis=1)) ** 2
    log_MS = np.log10(np.maximum(slaney_filters(16000, 400, bands) @ power_SN.T, 1e-10))
    return ((np.maximum(log_MS, log_MS.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
