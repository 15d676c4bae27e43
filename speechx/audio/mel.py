"""Mel filters: triangles over the bins of a Fourier transform. Shapes: M mel bands, N frequency bins."""

from __future__ import annotations

from functools import cache

import numpy as np

__all__ = ["htk_filters", "slaney_filters"]


@cache
def htk_filters(rate: int, window: int, bands: int, top: float | None = None) -> np.ndarray:
    """(M, N) float32, 0 Hz to `top` (default: half the rate), equally wide on HTK's logarithmic scale; the peaks are 1."""
    edges = 700 * (10 ** (np.linspace(0, _htk(top or rate / 2), bands + 2) / 2595) - 1)
    return _triangles(edges, rate, window).astype(np.float32)


@cache
def slaney_filters(rate: int, window: int, bands: int) -> np.ndarray:
    """(M, N), 0 Hz to half the rate, on Slaney's scale: linear to 1 kHz, then logarithmic; of equal area, as librosa's
    defaults and Whisper's input have them."""
    mel = np.linspace(0, _slaney(rate / 2), bands + 2)
    edges = np.where(mel < 15, mel * (200 / 3), 1000 * np.exp((mel - 15) * (np.log(6.4) / 27)))
    return _triangles(edges, rate, window) * (2 / (edges[2:] - edges[:-2]))[:, None]


def _htk(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _slaney(hertz: float) -> float:
    return hertz / (200 / 3) if hertz < 1000 else 15 + float(np.log(hertz / 1000) / (np.log(6.4) / 27))


def _triangles(edges: np.ndarray, rate: int, window: int) -> np.ndarray:
    bins, widths = np.fft.rfftfreq(window, 1 / rate), np.diff(edges)
    rising = (bins - edges[:-2, None]) / widths[:-1, None]
    falling = (edges[2:, None] - bins) / widths[1:, None]
    return np.maximum(0, np.minimum(rising, falling))
