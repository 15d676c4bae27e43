"""Writes audio: whole files, atomically, and streams."""

from __future__ import annotations

import contextlib
import io
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechx.audio.aac import AacFile, check_aac
from speechx.audio.types import AudioFormat, Samples
from speechx.errors import InputError
from speechx.files import atomic_write

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["FORMATS", "MEDIA_TYPES", "StreamEncoder", "encode", "format_of", "supported_rate", "write"]

# format -> (container, subtype) of libsndfile
_SNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)
MEDIA_TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "opus": "audio/ogg",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "pcm": "application/octet-stream",
}
_SUFFIXES = {
    ".wav": "wav",
    ".flac": "flac",
    ".opus": "opus",
    ".ogg": "opus",
    ".mp3": "mp3",
    ".aac": "aac",
    ".pcm": "pcm",
    ".raw": "pcm",
}
_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
RATES = {"opus": (8000, 12000, 16000, 24000, 48000), "mp3": _MPEG_RATES, "aac": _MPEG_RATES}
_SET_OGG_PAGE_LATENCY_MS = 0x1302  # libsndfile's command; soundfile has no name for it


def format_of(path: str | os.PathLike[str], default: str | None = None) -> str:
    """The audio format of a file's suffix. Raises InputError for an unknown suffix without `default`."""
    suffix = Path(path).suffix.lower()
    if suffix in _SUFFIXES:
        check_format(_SUFFIXES[suffix])
        return _SUFFIXES[suffix]
    if default is not None:
        return default
    raise InputError(f"output: the suffix {suffix!r} is not one of {', '.join(_SUFFIXES)}", field="output")


def encode(wav_T: Samples, rate: int, format: str = "wav") -> bytes:
    """(T,) in [-1, 1] to the bytes of a file with 16 bits (pcm: little endian, no header)."""
    _check(format, rate)
    if format == "pcm":
        return _pcm(wav_T)
    if format == "aac":
        encoder = StreamEncoder(format, rate)
        return encoder.push(wav_T) + encoder.close()
    container, subtype = _SNDFILE[format]
    buffer = io.BytesIO()
    # Opus in libsndfile overflows its stack on writes of millions of samples: feed it in blocks.
    with soundfile.SoundFile(buffer, "w", rate, 1, subtype, format=container, **_options(format)) as file:
        for start in range(0, len(wav_T), 1 << 16):
            file.write(_stored(wav_T[start : start + (1 << 16)], subtype))
    return buffer.getvalue()


def supported_rate(rate: int, format: str) -> int:
    """The sample rate at which a format stores audio of `rate`: the lowest that is not below it, else the highest."""
    rates = RATES.get(format, (rate,))
    return rate if rate in rates else min((r for r in rates if r > rate), default=max(rates))


def write(path: str | os.PathLike[str], wav_T: Samples, rate: int, format: str | None = None) -> Path:
    """Write (T,) in [-1, 1] atomically, as `format`, else by the suffix."""
    return atomic_write(path, encode(wav_T, rate, format or format_of(path)))


class StreamEncoder:
    """Encodes a stream: call `push(wav)` any number of times, then `close()`; the bytes they return make the file.

    A wav header has an unknown length, as stream players expect. Encoders lag: flac by 0.26 s, mp3 and aac by about 0.1 s,
    opus by `latency_ms`.
    """

    def __init__(self, format: str, rate: int, *, latency_ms: float = 80.0) -> None:
        _check(format, rate)
        self.format, self.rate = format, rate
        self.media_type = MEDIA_TYPES[format]
        self._file: soundfile.SoundFile | AacFile | None = None
        self._head = _wav_header(rate) if format == "wav" else b""
        self._sink = _AppendOnlyFile()
        if format == "aac":
            self._file = AacFile(self._sink, rate)
        elif format not in ("wav", "pcm"):
            container, subtype = _SNDFILE[format]
            self._file = soundfile.SoundFile(
                self._sink, "w", rate, 1, subtype, format=container, **_options(format)
            )
            if format == "opus":
                _set_page_latency(self._file, latency_ms)

    def push(self, wav_T: Samples) -> bytes:
        """The bytes that are ready after (T,) more samples; may be empty."""
        if self._file is None:
            head, self._head = self._head, b""
            return head + _pcm(wav_T)
        if len(wav_T):
            if isinstance(self._file, AacFile):
                self._file.write(_bounded(wav_T))
            else:
                self._file.write(_stored(wav_T, _SNDFILE[self.format][1]))
        return self._sink.take()

    def close(self) -> bytes:
        """The last bytes."""
        if self._file is None:
            head, self._head = self._head, b""
            return head
        self._file.close()
        return self._sink.take()


class _AppendOnlyFile(io.RawIOBase):
    """A file for libsndfile that drops rewrites: the lengths in a header, to which it seeks back, are already sent."""

    def __init__(self) -> None:
        self._new = bytearray()
        self._position = self._end = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        data = bytes(data)
        fresh = data[max(0, self._end - self._position) :]
        self._new += fresh
        self._position += len(data)
        self._end = max(self._end, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._end)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        new, self._new = bytes(self._new), bytearray()
        return new


def _options(format: str) -> dict[str, str | float]:
    """mp3: a constant 64 kbit/s (at 16 kHz). Players compute the length of a saved stream from it; with a variable bitrate
    they need a tag that is only known at the end."""
    return {"bitrate_mode": "CONSTANT", "compression_level": 0.6} if format == "mp3" else {}


def _set_page_latency(file: soundfile.SoundFile, milliseconds: float) -> None:
    """Limit Ogg pages to this length (the default is 1 s). Best effort: soundfile has no public call."""
    with contextlib.suppress(AttributeError):
        value = soundfile._ffi.new("double*", milliseconds)
        soundfile._snd.sf_command(file._file, _SET_OGG_PAGE_LATENCY_MS, value, 8)


def _wav_header(rate: int) -> bytes:
    """A 16-bit mono header with unknown lengths (0xFFFFFFFF), since a stream cannot seek back to fill them in."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", 0xFFFFFFFF),
    )


def _bounded(wav_T: Samples) -> Samples:
    return np.clip(np.asarray(wav_T, dtype=np.float32), -1.0, 1.0)


def _int16(wav_T: Samples) -> NDArray[np.int16]:
    """The inverse of reading: 16-bit samples stay the same bits when read and written again."""
    return np.clip(np.round(np.asarray(wav_T, dtype=np.float32) * 32768), -32768, 32767).astype("<i2")


def _stored(wav_T: Samples, subtype: str) -> NDArray[np.int16] | Samples:
    """Samples for libsndfile: integers for 16-bit formats, since it scales floats by 32767 but reads by 32768."""
    return _int16(wav_T) if subtype == "PCM_16" else _bounded(wav_T)


def _pcm(wav_T: Samples) -> bytes:
    return _int16(wav_T).tobytes()


def check_format(format: str) -> None:
    """Raises InputError for an unknown format, and for one whose extra is not installed."""
    if format not in FORMATS:
        raise InputError(f"format: {format!r} is not one of {', '.join(FORMATS)}", field="format")
    if format == "aac":
        check_aac()


def _check(format: str, rate: int) -> None:
    check_format(format)
    rates = RATES.get(format)
    if rates and rate not in rates:
        raise InputError(
            f"format: {format} cannot hold {rate} Hz, only {', '.join(map(str, rates))}", field="format"
        )
