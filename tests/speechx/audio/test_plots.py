"""Pictures of sound."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from speechx.audio import plots


def test_png_can_be_read_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    data = plots.png(pixels)
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24]) == (7, 5)
    start = data.index(b"IDAT")
    (size,) = struct.unpack(">I", data[start - 4 : start])
    rows = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + size]), np.uint8).reshape(5, 22)
    assert not rows[:, 0].any() and np.array_equal(rows[:, 1:].reshape(5, 7, 3), pixels)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_tone_is_where_it_should_be(rate: int) -> None:
    tone_T = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    mel_SM = plots.log_mel(tone_T, rate)
    band = int(mel_SM.mean(0).argmax())
    top = 2595 * np.log10(1 + min(8000, rate / 2) / 700)
    assert band == pytest.approx(2595 * np.log10(1 + 1000 / 700) / top * 81 - 1, abs=2)
    assert plots.mel_png(tone_T, rate).startswith(b"\x89PNG")
    assert "<path" in plots.waveform_svg(tone_T)
