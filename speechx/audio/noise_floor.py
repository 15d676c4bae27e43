"""The steady sound of a place: what is left in a recording between its words, and filling a stretch up to it.

Generated speech over noise has too little of the noise here and there, which is heard as a hole beside the recording. Noise
of the missing power, band by band, closes it. Shapes: T samples, M STFT frames, F bins.
"""

from __future__ import annotations

import numpy as np

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
        self._window_T = np.sqrt(np.hanning(self._size + 1)[:-1])
        # A frame's power is that of its window, while a frame of noise made here begins with all of it.
        self._gain = np.sqrt(self._size / np.square(self._window_T).sum())
        self.power_F = np.quantile(_averaged(self._spectrum(recording_T)), PART, axis=0) / BIAS

    def fill(self, wav_T: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(T,) float32 with noise added where it is weaker than the floor; the rest stays as it is."""
        if not len(wav_T):
            return wav_T
        spectrum_MF = self._spectrum(wav_T)
        missing_MF = np.maximum(self.power_F - _averaged(spectrum_MF), 0)
        real_MF, imaginary_MF = rng.standard_normal((2, *spectrum_MF.shape)) * np.sqrt(missing_MF / 2)
        noise_T = self._waveform((real_MF + 1j * imaginary_MF) * self._gain)
        return (wav_T + noise_T[self._size : self._size + len(wav_T)]).astype(np.float32)

    def _spectrum(self, wav_T: np.ndarray) -> np.ndarray:
        """(M, F) of the samples with a window of silence before them and two after, half a window apart."""
        padded_T = np.pad(wav_T, (self._size, 2 * self._size))
        frames_MT = np.lib.stride_tricks.sliding_window_view(padded_T, self._size)[:: self._size // 2]
        return np.fft.rfft(frames_MT * self._window_T)

    def _waveform(self, spectrum_MF: np.ndarray) -> np.ndarray:
        """Windowed frames, overlapped and added: the squares of the windows add up to 1."""
        pieces_MT = np.fft.irfft(spectrum_MF, self._size) * self._window_T
        half = self._size // 2
        halves_T = np.zeros((len(pieces_MT) + 1, half))
        halves_T[:-1] += pieces_MT[:, :half]
        halves_T[1:] += pieces_MT[:, half:]
        return halves_T.reshape(-1)


def _averaged(spectrum_MF: np.ndarray) -> np.ndarray:
    """Power (M, F), each bin as the mean of its neighbourhood."""
    power_MF = np.square(np.abs(spectrum_MF))
    for axis, width in ((0, FRAMES), (1, BINS)):
        edges = [(width // 2, width // 2) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(power_MF, edges, mode="edge")
        power_MF = np.lib.stride_tricks.sliding_window_view(padded, width, axis=axis).mean(-1)
    return power_MF
