"""Writes aac (AAC-LC in ADTS, which plays as a stream) by PyAV, which the extra `m4a` installs.

Shapes: T samples.
"""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from speechx.audio.types import Samples
from speechx.errors import InputError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

__all__ = ["AacFile", "check_aac"]

BITS_PER_SECOND = 96_000


def check_aac() -> None:
    """Raises InputError, field "format", where PyAV is not installed."""
    if find_spec("av") is None:
        raise InputError("format: aac needs the extra m4a: pip install 'speechx[m4a]'", field="format")


class AacFile:
    """A mono file that is written as a stream, at a rate that aac has. Bytes come 64 ms late at 16 kHz."""

    def __init__(self, to: SupportsWrite[bytes], rate: int) -> None:
        check_aac()
        import av

        self._new_frame, self._rate, self._written = av.AudioFrame.from_ndarray, rate, 0
        self._file = av.open(to, "w", format="adts")
        self._stream = self._file.add_stream("aac", rate=rate, layout="mono")
        self._stream.bit_rate = BITS_PER_SECOND

    def write(self, wav_T: Samples) -> None:
        """Add samples in [-1, 1]."""
        frame = self._new_frame(np.ascontiguousarray(wav_T, np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._written, Fraction(1, self._rate)
        self._written += len(wav_T)
        self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder holds back."""
        if self._written:
            self._file.mux(self._stream.encode(None))
        self._file.close()
