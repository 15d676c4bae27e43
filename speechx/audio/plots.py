"""Pictures of sound for HTML pages, without a plotting library: spectrograms as PNG, waveforms as SVG, both with axes.

Shapes: T samples, S spectrogram frames, N frequency bins, M mel bands.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from speechx.audio.mel import htk_filters

__all__ = ["PlotScale", "log_mel", "mel_png", "png", "png_uri", "sound_svg", "waveform_svg"]

WINDOW, HOP, MELS = 512, 160, 80

# A dark-to-light color map in a few points, interpolated: (R, G, B) in 0..255.
_COLORS = np.array(
    [(8, 8, 32), (60, 20, 110), (150, 40, 120), (230, 90, 70), (250, 180, 60), (252, 252, 200)]
)


@dataclass(frozen=True)
class PlotScale:
    """Axes that several sounds share. seconds: length of the time axis. peak: highest sample. top_db: brightest color."""

    seconds: float
    peak: float
    top_db: float

    @classmethod
    def of(cls, sounds: Iterable[tuple[np.ndarray, int]]) -> PlotScale:
        """The scale that all of these sounds, (samples (T,), rate), fit on."""
        known = list(sounds)
        return cls(
            max(len(wav_T) / rate for wav_T, rate in known),
            max(float(np.abs(wav_T).max(initial=0.0)) for wav_T, _ in known),
            max(float(log_mel(wav_T, rate).max()) for wav_T, rate in known),
        )


def mel_png(
    wav_T: np.ndarray, rate: int = 16000, floor_db: float = -70.0, top_db: float | None = None
) -> bytes:
    """A mel spectrogram, low frequencies below; one pixel every 10 ms (fewer for long sound) and mel band.

    top_db: level of the brightest color; default: that of the loudest place, at least floor_db.
    """
    mel_SM = log_mel(wav_T, rate)
    step = -(-len(mel_SM) // 1200)
    top_db = float(mel_SM.max()) if top_db is None else top_db
    level_SM = np.clip((mel_SM[::step] - max(top_db, floor_db)) / -floor_db + 1, 0, 1)
    position = level_SM.T[::-1] * (len(_COLORS) - 1)
    low = np.minimum(position.astype(int), len(_COLORS) - 2)
    share = (position - low)[..., None]
    return png((_COLORS[low] * (1 - share) + _COLORS[low + 1] * share).astype(np.uint8))


def log_mel(wav_T: np.ndarray, rate: int) -> np.ndarray:
    """(S, M) decibels."""
    padded_T = np.pad(wav_T, (WINDOW // 2, WINDOW // 2 + HOP))
    frames_SW = np.lib.stride_tricks.sliding_window_view(padded_T, WINDOW)[:: HOP * max(1, rate // 16000)]
    power_SN = np.abs(np.fft.rfft(frames_SW * np.hanning(WINDOW), axis=1)) ** 2
    return 10 * np.log10(power_SN @ htk_filters(rate, WINDOW, MELS, min(8000, rate / 2)).T + 1e-10)


def waveform_svg(wav_T: np.ndarray, width: int = 600, height: int = 80) -> str:
    """The outline of a waveform, as an SVG element."""
    columns = np.array_split(wav_T, min(width, max(1, len(wav_T))))
    middle = height / 2
    path = "".join(
        f"M{x} {middle - c.max() * middle:.1f}V{middle - c.min() * middle + 0.5:.1f}"
        for x, c in enumerate(columns)
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" aria-label="waveform">'
        f'<path d="{path}" stroke="currentColor" fill="none"/></svg>'
    )


WIDTH, HEIGHT = 400, 220
LEFT, RIGHT = 40, 394
WAVE, MEL = (4, 58), (66, 186)
"""Of `sound_svg`: its size, where the time axis begins and ends, top and bottom of the waveform and the spectrogram."""


def sound_svg(wav_T: np.ndarray, rate: int, scale: PlotScale | None = None) -> str:
    """Waveform above mel spectrogram, with axes in seconds and kHz, as an SVG element.

    Its line of class `playhead` stands at 0 s; `data-seconds`, `data-left` and `data-right` tell how to move it.
    """
    scale = scale or PlotScale.of([(wav_T, rate)])
    seconds = max(scale.seconds, 1e-3)
    width = (RIGHT - LEFT) * min(1.0, len(wav_T) / rate / seconds)
    image = png_uri(mel_png(wav_T, rate, top_db=scale.top_db))
    # Lower rates have no sound in the upper part of the picture.
    top = MEL[1] - (MEL[1] - MEL[0]) * _mel_share(min(8000, rate / 2))
    return (
        f'<svg class="sound" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="waveform and mel spectrogram, '
        f'{len(wav_T) / rate:.1f} s" data-seconds="{seconds:.4f}" data-left="{LEFT}" data-right="{RIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="14" fill="currentColor">'
        f'<path d="{_outline(wav_T, width, scale.peak)}" stroke="currentColor" stroke-width="0.6" fill="none"/>'
        f'<rect x="{LEFT}" y="{MEL[0]}" width="{RIGHT - LEFT}" height="{MEL[1] - MEL[0]}" fill="rgb(8,8,32)"/>'
        f'<image x="{LEFT}" y="{top:.1f}" width="{width:.1f}" height="{MEL[1] - top:.1f}" preserveAspectRatio="none" '
        f'href="{image}"/>{_axes(seconds)}'
        f'<line class="playhead" x1="{LEFT}" x2="{LEFT}" y1="{WAVE[0]}" y2="{MEL[1]}" stroke="#e33" stroke-width="2" '
        f'visibility="hidden"/></svg>'
    )  # fmt: skip


def _outline(wav_T: np.ndarray, width: float, peak: float) -> str:
    """Two columns per unit of the picture."""
    middle, half = (WAVE[0] + WAVE[1]) / 2, (WAVE[1] - WAVE[0]) / 2 / max(peak, 1e-4)
    columns = np.array_split(wav_T, max(1, min(round(2 * width), len(wav_T))))
    return "".join(
        f"M{LEFT + x / 2 + 0.25:.2f} {middle - c.max() * half:.1f}V{middle - c.min() * half + 0.5:.1f}"
        for x, c in enumerate(columns)
        if len(c)
    )


def _mel_share(hertz: float) -> float:
    """Where a frequency is on the axis, 0 to 1 for 0 to 8 kHz."""
    return float(np.log10(1 + hertz / 700) / np.log10(1 + 8000 / 700))


def _axes(seconds: float) -> str:
    step = next(
        (s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300) if seconds / s <= 7), seconds / 7
    )
    bottom, parts = MEL[1], []
    for tick in np.arange(0, seconds + 1e-6, step):
        x = LEFT + (RIGHT - LEFT) * tick / seconds
        parts.append(f'<path d="M{x:.1f} {bottom}v5" stroke="currentColor"/>')
        if x < RIGHT - 18:
            anchor = "start" if tick == 0 else "middle"
            parts.append(f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="{anchor}">{tick:g}</text>')
    parts.append(f'<text x="{RIGHT}" y="{bottom + 19}" text-anchor="end">s</text>')
    for hertz in (500, 1000, 2000, 4000, 8000):
        y = bottom - (bottom - MEL[0]) * _mel_share(hertz)
        parts.append(f'<path d="M{LEFT - 5} {y:.1f}h5" stroke="currentColor"/>')
        if hertz != 500:
            parts.append(f'<text x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{hertz / 1000:g}</text>')
    parts.append(f'<text x="{LEFT - 8}" y="{bottom}" text-anchor="end">kHz</text>')
    return "".join(parts)


def png(pixels: np.ndarray) -> bytes:
    """(height, width, 3) uint8 -> the bytes of a PNG file."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1).tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def png_uri(data: bytes) -> str:
    """For the src of an img."""
    return "data:image/png;base64," + base64.b64encode(data).decode()
