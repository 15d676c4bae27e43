"""The steady sound of a place: what is left in a recording between its words, and filling a stretch up to it.

Generated speech over noise has too little of the noise here and there, which is heard as a hole beside the recording. Noise
of the missing power, band by band, closes it. Shapes: T samples, M STFT frames, F bins.
"""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["NoiseFloor"]

WINDOW_SECONDS = 0.032
FRAMES, BINS = 5, 7
"""Neighbours over which power is averaged: a single bin of steady noise jumps by 10 dB."""

PART, BIAS = 0.15, 0.75
"""This part of all moments is quieter than the floor: pauses. Of noise alone the averages there have 0.75 of its power."""


class NoiseFloor:
    """Power of the steady sound in each frequency bin, from a recording (T,) with pauses. rate: Hz."""

    def __init__(self, recording_T: np.ndarray, rate: int) -> None:
        self._size = 2 * round(WINDOW_SECONDS * rate / 2)
        self._window_T = torch.hann_window(self._size).sqrt()
        # A frame's power is that of its window, while a frame of noise made here begins with all of it.
        self._gain = float((self._size / self._window_T.square().sum()).sqrt())
        power_FM = _averaged(self._spectrum(torch.from_numpy(recording_T).float()))
        self.power_F = power_FM.quantile(PART, dim=1) / BIAS

    def fill(self, wav_T: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(T,) float32 with noise added where it is weaker than the floor; the rest stays as it is."""
        if not len(wav_T):
            return wav_T
        spectrum_FM = self._spectrum(torch.from_numpy(wav_T).float())
        missing_FM = (self.power_F[:, None] - _averaged(spectrum_FM)).clamp(min=0)
        noise_FM2 = torch.from_numpy(rng.standard_normal((*spectrum_FM.shape, 2), np.float32))
        noise_FM = torch.view_as_complex(noise_FM2) * self._gain * (missing_FM / 2).sqrt()
        padded_T = torch.istft(noise_FM, self._size, self._size // 2, window=self._window_T)
        return (wav_T + padded_T.numpy()[self._size : self._size + len(wav_T)]).astype(np.float32)

    def _spectrum(self, wav_T: torch.Tensor) -> torch.Tensor:
        """(F, M) of the samples with a window of silence at both ends."""
        padded_T = torch.nn.functional.pad(wav_T, (self._size, 2 * self._size))
        return torch.stft(padded_T, self._size, self._size // 2, window=self._window_T, return_complex=True)


def _averaged(spectrum_FM: torch.Tensor) -> torch.Tensor:
    """Power (F, M), each bin as the mean of its neighbourhood."""
    power_FM = spectrum_FM.abs().square()[None]
    return torch.nn.functional.avg_pool2d(
        power_FM, (BINS, FRAMES), stride=1, padding=(BINS // 2, FRAMES // 2), count_include_pad=False
    )[0]
