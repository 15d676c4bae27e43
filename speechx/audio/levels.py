"""Levels: how loud, silent or clipped a recording is, and bringing it to a level. dB are of full scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from speechx.audio.types import Samples

__all__ = ["clipped_share", "is_clipped", "is_silent", "normalize_peak", "normalize_rms", "peak_db", "rms_db"]

FLOOR_DB = -120.0
WINDOW = 400  # 25 ms at 16 kHz


def peak_db(wav_T: Samples) -> float:
    """The highest sample, dBFS (-120 for silence)."""
    return _db(float(np.max(np.abs(wav_T), initial=0.0)))


def rms_db(wav_T: Samples, *, active: bool = False) -> float:
    """Root mean square, dBFS. active: only of the 25 ms windows within 40 dB of the loudest, so without pauses."""
    if active and len(wav_T) >= WINDOW:
        power = _window_power(wav_T)
        return _db(float(np.sqrt(power[power >= power.max() * 1e-4].mean())))
    return _db(float(np.sqrt(np.mean(np.square(wav_T, dtype=np.float64))))) if len(wav_T) else FLOOR_DB


def is_silent(wav_T: Samples, threshold_db: float = -60.0) -> bool:
    """No 25 ms window is louder than the threshold."""
    if len(wav_T) < WINDOW:
        return rms_db(wav_T) < threshold_db
    return _db(float(np.sqrt(_window_power(wav_T).max()))) < threshold_db


def clipped_share(wav_T: Samples) -> float:
    """Share of samples in flat tops: runs of 4 or more within 2 % of the peak. Clean speech has < 0.001."""
    peak = float(np.max(np.abs(wav_T), initial=0.0))
    if peak < 0.25 or len(wav_T) < 4:
        return 0.0
    top = (np.abs(wav_T) >= 0.98 * peak).astype(np.int8)
    edges = np.flatnonzero(np.diff(top, prepend=0, append=0))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= 4].sum() / len(wav_T))


def is_clipped(wav_T: Samples, share: float = 0.02) -> bool:
    """Clipped enough to spoil what is made from it."""
    return clipped_share(wav_T) > share


def normalize_peak(wav_T: Samples, target_db: float = -1.0) -> Samples:
    """Scaled so that the peak is at target_db; silence stays as it is."""
    peak = float(np.max(np.abs(wav_T), initial=0.0))
    return wav_T if peak < 1e-6 else _scale(wav_T, 10 ** (target_db / 20) / peak)


def normalize_rms(wav_T: Samples, target_db: float = -23.0, peak_limit_db: float = -1.0) -> Samples:
    """Scaled so that its active RMS is at target_db, less where the peak would pass the limit; silence stays."""
    level = rms_db(wav_T, active=True)
    if level <= FLOOR_DB + 20:
        return wav_T
    gain_db = min(target_db - level, peak_limit_db - peak_db(wav_T))
    return _scale(wav_T, 10 ** (gain_db / 20))


def _scale(wav_T: Samples, gain: float) -> Samples:
    return np.asarray(wav_T * np.float32(gain), dtype=np.float32)


def _window_power(wav_T: Samples) -> np.ndarray[Any, np.dtype[np.float64]]:
    whole = len(wav_T) // WINDOW * WINDOW
    return np.mean(np.square(wav_T[:whole].reshape(-1, WINDOW), dtype=np.float64), axis=1)


def _db(amplitude: float) -> float:
    return max(FLOOR_DB, 20 * float(np.log10(max(amplitude, 1e-12))))
