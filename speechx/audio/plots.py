"""Pictures of sound for HTML pages, without a plotting library: mel spectrograms as PNG, waveforms as SVG.

Shapes: T samples, S spectrogram frames, N frequency bins, M mel bands.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from speechx.audio.mel import htk_filters

__all__ = ["mel_png", "png", "png_uri", "waveform_svg"]

WINDOW, HOP, MELS = 512, 160, 80

# A dark-to-light color map in a few points, interpolated: (R, G, B) in 0..255.
_COLORS = np.array(
    [(8, 8, 32), (60, 20, 110), (150, 40, 120), (230, 90, 70), (250, 180, 60), (252, 252, 200)]
)


def mel_png(wav_T: np.ndarray, rate: int = 16000, floor_db: float = -70.0) -> bytes:
    """A mel spectrogram, low frequencies below; one pixel every 10 ms (fewer for long sound) and mel band."""
    mel_SM = log_mel(wav_T, rate)
    step = -(-len(mel_SM) // 1200)
    level_SM = np.clip((mel_SM[::step] - max(mel_SM.max(), floor_db)) / -floor_db + 1, 0, 1)
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
