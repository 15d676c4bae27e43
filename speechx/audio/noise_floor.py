"""The steady sound of a place: what is left in a recording between its words, and filling a stretch up to it.

Generated speech over noise has too little of the noise here and there, which is heard as a hole beside the recording. Noise
of the missing power, band by band, closes it. Shapes: T samples, M STFT frames, F bins.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.signal import ShortTimeFFT, get_window

__all__ = ["NoiseFloor"]

WINDOW_SECONDS = 0.032
FRAMES, BINS = 5, 7
"""Neighbours over which power is averaged: a single bin of steady noise jumps by 10 dB."""

PART, BIAS = 0.15, 0.75
"""This part of all moments is quieter than the floor: pauses. Of noise alone the averages there have 0.75 of its power."""


class NoiseFloor:
    """Power of the steady sound in each frequency bin, from a recording (T,) with pauses. rate: Hz."""

    def __init__(self, recording_T: np.ndarray, rate: int) -> None:
        size = 2 * round(WINDOW_SECONDS * rate / 2)
        window_T = np.sqrt(get_window("hann", size))
        self._stft = ShortTimeFFT(window_T, hop=size // 2, fs=rate, dual_win=window_T)
        self._size = size
        # A frame's power is that of its window, while a frame of noise made here begins with all of it.
        self._gain = np.sqrt(size / np.square(window_T).sum())
        power_MF = _averaged(self._spectrum(recording_T))
        self.power_F = np.quantile(power_MF, PART, axis=0) / BIAS

    def fill(self, wav_T: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(T,) float32 with noise added where it is weaker than the floor; the rest stays as it is."""
        if not len(wav_T):
            return wav_T
        spectrum_MF = self._spectrum(wav_T)
        missing_MF = np.maximum(self.power_F - _averaged(spectrum_MF), 0)
        noise_2MF = rng.standard_normal((2, *spectrum_MF.shape)) * self._gain * np.sqrt(missing_MF / 2)
        noise_T = self._stft.istft((noise_2MF[0] + 1j * noise_2MF[1]).T)
        return (wav_T + noise_T[self._size : self._size + len(wav_T)]).astype(np.float32)

    def _spectrum(self, wav_T: np.ndarray) -> np.ndarray:
        return np.asarray(self._stft.stft(np.pad(wav_T, self._size)).T)


def _averaged(spectrum_MF: np.ndarray) -> np.ndarray:
    return np.asarray(uniform_filter(np.abs(spectrum_MF) ** 2, (FRAMES, BINS), mode="nearest"))
