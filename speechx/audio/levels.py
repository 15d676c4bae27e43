"""The level meter: RMS, active RMS, peak, silence and clipping, and gains to a level. dBFS. Shapes: T samples, F frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechx.audio.types import Samples

__all__ = [
    "QUIETEST_RMS",
    "STANDARD_RMS",
    "RunningLevel",
    "active_rms",
    "clipped_share",
    "db",
    "frame_power",
    "is_clipped",
    "is_silent",
    "normalize_peak",
    "normalize_rms",
    "peak_db",
    "rms",
    "rms_db",
    "standard_gain",
]

FLOOR_DB = -120.0
WINDOW = 400  # 25 ms at 16 kHz
STANDARD_RMS = 10 ** (-25.0 / 20)
"""The active RMS of all input of the codec: -25 dBFS."""
QUIETEST_RMS = 1e-4
"""-80 dBFS: a quieter recording is not scaled."""


def db(ratio: float) -> float:
    """Amplitude ratio in decibels."""
    return float(20 * np.log10(max(ratio, 1e-12)))


def rms(wav_T: Samples) -> float:
    """Root mean square; 0 for no samples."""
    return float(np.sqrt(np.mean(np.square(wav_T, dtype=np.float64)))) if len(wav_T) else 0.0


def frame_power(
    wav_T: Samples, size: int, dtype: type[np.floating] | None = np.float64
) -> NDArray[np.floating]:
    """(F,) mean square of each whole frame of `size` samples. dtype: of the sums; None: that of the samples."""
    whole = len(wav_T) // size * size
    power_F: NDArray[np.floating] = np.square(wav_T[:whole].reshape(-1, size), dtype=dtype).mean(1)
    return power_F


def active_rms(wav_T: Samples, rate: int = 16000) -> float:
    """RMS over the 20 ms frames within 30 dB of the 0.9 quantile, so without pauses."""
    size = rate // 50
    if len(wav_T) // size < 2:
        return rms(wav_T)
    return _active_rms(frame_power(wav_T, size))


def _active_rms(power_F: NDArray[np.floating]) -> float:
    loud = np.quantile(power_F, 0.9)
    return float(np.sqrt(power_F[power_F >= loud * 1e-3].mean()))


def standard_gain(wav_T: Samples, rate: int = 16000) -> float:
    """The factor that brings a recording to `STANDARD_RMS`, 1 for silence. The peak stays within 0.99."""
    return _standard_gain(active_rms(wav_T, rate), float(np.abs(wav_T).max(initial=0.0)))


def _standard_gain(level: float, peak: float) -> float:
    return 1.0 if level < QUIETEST_RMS else min(STANDARD_RMS / level, 0.99 / peak)


class RunningLevel:
    """`standard_gain` of the last frames of a sound at 16 kHz that arrives in pieces. frames: of 20 ms each."""

    SIZE = 320

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self._rest_T = np.zeros(0, np.float32)
        self._power_F = np.zeros(0, np.float32)
        self._peak_F = np.zeros(0, np.float32)

    def push(self, wav_T: Samples) -> None:
        """(T,) more samples. Those after the last whole frame wait for more."""
        all_T = np.concatenate([self._rest_T, wav_T])
        whole = len(all_T) // self.SIZE * self.SIZE
        self._rest_T = all_T[whole:]
        blocks_FT = all_T[:whole].reshape(-1, self.SIZE)
        power_F = frame_power(all_T, self.SIZE, dtype=None)
        self._power_F = np.concatenate([self._power_F, power_F])[-self.frames :]
        self._peak_F = np.concatenate([self._peak_F, np.abs(blocks_FT).max(1)])[-self.frames :]

    def standard_gain(self) -> float:
        """1 for silence, and before the first whole frame."""
        if not len(self._power_F):
            return 1.0
        return _standard_gain(_active_rms(self._power_F), float(self._peak_F.max()))


def peak_db(wav_T: Samples) -> float:
    """The highest sample, dBFS (-120 for silence)."""
    return _dbfs(float(np.max(np.abs(wav_T), initial=0.0)))


def rms_db(wav_T: Samples, *, active: bool = False) -> float:
    """Root mean square, dBFS. active: only of the 25 ms windows within 40 dB of the loudest, so without pauses."""
    if active and len(wav_T) >= WINDOW:
        power = frame_power(wav_T, WINDOW)
        return _dbfs(float(np.sqrt(power[power >= power.max() * 1e-4].mean())))
    return _dbfs(rms(wav_T))


def is_silent(wav_T: Samples, threshold_db: float = -60.0) -> bool:
    """No 25 ms window is louder than the threshold."""
    if len(wav_T) < WINDOW:
        return rms_db(wav_T) < threshold_db
    return _dbfs(float(np.sqrt(frame_power(wav_T, WINDOW).max()))) < threshold_db


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
    """Clipped too much to be used as a voice."""
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


def _dbfs(amplitude: float) -> float:
    return max(FLOOR_DB, db(amplitude))
