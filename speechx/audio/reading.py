"""Sound in: any file, bytes or array becomes mono float32 at 16 kHz, or a sentence that says why not.

    wav_T = read("me.m4a", max_seconds=30, field="voice")

wav, flac, ogg (Vorbis, Opus) and mp3 are decoded by libsndfile; m4a and what else FFmpeg knows by PyAV, where the
extra `m4a` is installed. Files are decoded, mixed to mono and resampled in blocks, so that memory goes with the
16 kHz result. Too long is refused from the header, before anything is decoded. Nothing here needs torch.
Shapes: T samples, C channels.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import soundfile
import soxr

from speechx.audio.mp3 import with_length
from speechx.audio.truncation import missing_bytes
from speechx.errors import InputError

__all__ = [
    "MAX_SECONDS",
    "SAMPLE_RATE",
    "Audio",
    "AudioInfo",
    "probe",
    "read",
    "resample",
]

SAMPLE_RATE = 16000
MAX_SECONDS = 3600.0
MIN_RATE, MAX_RATE, MAX_CHANNELS = 4000, 384_000, 64
BLOCK = 1 << 14  # samples a channel decoded at once

Samples: TypeAlias = "np.ndarray[Any, np.dtype[np.float32]]"
Audio: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | tuple[np.ndarray[Any, Any], int]"


@dataclass(frozen=True)
class AudioInfo:
    """What the header says. frames: samples a channel, None where it does not say."""

    rate: int
    channels: int
    frames: int | None
    format: str

    @property
    def seconds(self) -> float | None:
        return None if self.frames is None else self.frames / self.rate


def read(
    source: Audio,
    *,
    max_seconds: float = MAX_SECONDS,
    min_seconds: float = 0.0,
    field: str | None = None,
    rate: int = SAMPLE_RATE,
    whole: bool = True,
) -> Samples:
    """Mono float32 at 16 kHz (or `rate`), within [-1, 1], round(seconds * rate) samples.

    source: a path, the bytes of a file, or (samples (T,) or (T, C) or (C, T), rate).
    whole: refuse a damaged file; else what can be decoded of it is returned.
    Raises InputError: missing, empty, not audio, truncated, no samples, NaN, shorter or longer than the limits.
    """
    try:
        wav_T = _read(source, max_seconds, rate, whole)
        if len(wav_T) < min_seconds * rate:
            seconds = len(wav_T) / rate
            raise InputError(
                f"{_name(source)} is {seconds:.2f} s long, at least {min_seconds:g} s are needed"
            )
    except InputError as error:
        if field is None:
            raise
        raise error.located(field) from error
    return wav_T


def probe(source: Audio) -> AudioInfo:
    """The header of `source`; raises InputError where it cannot be read."""
    if isinstance(source, tuple):
        x_TC, rate = _as_samples(*source)
        return AudioInfo(rate, x_TC.shape[1], len(x_TC), "array")
    with _open(source) as reader:
        return reader.info


def resample(wav_T: Samples, rate: int, to: int = SAMPLE_RATE) -> Samples:
    """(T,) at `rate` -> (round(T * to / rate),) at `to`, float32."""
    wav_T = np.ascontiguousarray(wav_T, dtype=np.float32)
    if rate == to or not len(wav_T):
        return wav_T
    return _fit(soxr.resample(wav_T, rate, to), round(len(wav_T) * to / rate))


def _read(source: Audio, max_seconds: float, to: int, whole: bool) -> Samples:
    if isinstance(source, tuple):
        x_TC, rate = _as_samples(*source)
        _check_header(AudioInfo(rate, x_TC.shape[1], len(x_TC), "array"), max_seconds, _name(source))
        blocks: Iterator[Samples] = (x_TC[i : i + BLOCK] for i in range(0, len(x_TC), BLOCK))
        wav_T, _ = _mix(blocks, rate, to, max_seconds, _name(source))
    else:
        name = _name(source)
        with _open(source) as reader:
            info = reader.info
            _check_header(info, max_seconds, name)
            wav_T, decoded = _mix(reader.blocks(), info.rate, to, max_seconds, name)
        if reader.damaged and (other := _open_with_av(source)) is not None:
            with other:  # FFmpeg bears what libsndfile does not, such as gaps between Ogg pages
                wav_T, decoded = _mix(other.blocks(), other.info.rate, to, max_seconds, name)
                decoded = round(decoded * info.rate / other.info.rate)
        if whole:
            _check_whole(source, info, decoded, name)
    if not len(wav_T):
        raise InputError(f"{_name(source)} holds no samples")
    peak = float(np.max(np.abs(wav_T)))
    if not np.isfinite(peak):
        raise InputError(f"{_name(source)} holds NaN or infinite samples")
    if peak > 64:
        raise InputError(f"{_name(source)} has a peak of {peak:.0f}: float samples must lie within [-1, 1]")
    return wav_T / peak if peak > 1 else wav_T


def _mix(blocks: Iterator[Samples], rate: int, to: int, max_seconds: float, name: str) -> tuple[Samples, int]:
    """Blocks (T, C) at `rate` -> (mono at `to`, samples a channel decoded)."""
    stream = None if rate == to else soxr.ResampleStream(rate, to, 1, dtype="float32")
    parts: list[Samples] = []
    total = 0
    for block_TC in blocks:
        total += len(block_TC)
        if total > (max_seconds + 1) * rate:  # the header said nothing, or less than the truth
            raise InputError(f"{name} is longer than the limit of {max_seconds:g} s")
        mono_T = np.ascontiguousarray(block_TC.mean(axis=1, dtype=np.float32))
        if not np.isfinite(mono_T).all():
            raise InputError(f"{name} holds NaN or infinite samples")
        parts.append(stream.resample_chunk(mono_T) if stream else mono_T)
    if stream:
        parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    wav_T = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return _fit(wav_T, round(total * to / rate)), total


def _fit(wav_T: Samples, length: int) -> Samples:
    return wav_T[:length] if len(wav_T) >= length else np.pad(wav_T, (0, length - len(wav_T)))


def _check_header(info: AudioInfo, max_seconds: float, name: str) -> None:
    if not MIN_RATE <= info.rate <= MAX_RATE:
        raise InputError(
            f"{name} has a sample rate of {info.rate} Hz, it must be within {MIN_RATE}..{MAX_RATE}"
        )
    if not 1 <= info.channels <= MAX_CHANNELS:
        raise InputError(f"{name} has {info.channels} channels, it must have 1..{MAX_CHANNELS}")
    if info.seconds is not None and info.seconds > max_seconds:
        raise InputError(f"{name} is {info.seconds:.1f} s long, the limit is {max_seconds:g} s")


def _check_whole(source: Audio, info: AudioInfo, decoded: int, name: str) -> None:
    """Refuse a file that was cut off; a few missing milliseconds (sloppy writers, odd Ogg ends) are let pass."""
    missing = missing_bytes(source)
    if info.frames is not None and decoded < 0.98 * info.frames - 0.1 * info.rate:
        raise InputError(
            f"{name} is truncated or damaged: not all of the {info.frames / info.rate:.2f} s that its header "
            f"promises can be decoded"
        )
    if missing:
        raise InputError(f"{name} is truncated: at least {missing} bytes are missing at its end")


def _as_samples(samples: Any, rate: int) -> tuple[Samples, int]:
    """(T,), (T, C) or (C, T) of float in [-1, 1] or integers of full scale -> float32 (T, C)."""
    x = np.asarray(samples)
    if x.ndim not in (1, 2) or x.dtype.kind not in "fiu":
        raise InputError(f"the array must be 1-D or 2-D and real, not {x.ndim}-D {x.dtype}")
    if x.dtype.kind == "u":
        middle = float(np.iinfo(x.dtype).max // 2 + 1)
        x = (x.astype(np.float32) - middle) / middle
    elif x.dtype.kind == "i":
        x = x.astype(np.float32) / (float(np.iinfo(x.dtype).max) + 1)
    if x.ndim == 1:
        x = x[:, None]
    elif x.shape[0] < x.shape[1] and x.shape[0] <= MAX_CHANNELS:
        x = x.T
    return x.astype(np.float32, copy=False), int(rate)


def _name(source: Audio) -> str:
    """How a message names the source."""
    if isinstance(source, tuple):
        return "the array"
    return "the audio" if isinstance(source, bytes | bytearray) else f"the file {os.fspath(source)}"


class _StraightFile(soundfile.SoundFile):
    """A SoundFile that is only read on. soundfile seeks after every read of a seekable file; with some Ogg files and
    with flac of unknown length that fails at the end, and the samples just read are lost."""

    def seekable(self) -> bool:
        return False


class _SoundFileReader:
    """A file open in libsndfile. damaged: `blocks` met something that it cannot decode, and ended there."""

    damaged = False

    def __init__(self, handle: str | io.BytesIO) -> None:
        self.file = _StraightFile(handle)
        frames = self.file.frames if 0 <= self.file.frames < 1 << 40 else None
        self.info = AudioInfo(self.file.samplerate, self.file.channels, frames, self.file.format.lower())

    def __enter__(self) -> _SoundFileReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def blocks(self) -> Iterator[Samples]:
        """What decodes, in order, until the end or a damaged spot."""
        while True:
            try:
                block_TC = self.file.read(BLOCK, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                self.damaged = True
                return
            if not len(block_TC):
                return
            yield block_TC


def _open(source: Any) -> Any:
    """A reader: a context manager with `info` and `blocks()`."""
    name = _name(source)
    if isinstance(source, bytes | bytearray):
        if not source:
            raise InputError(f"{name} is empty (0 bytes)")
        handle: str | io.BytesIO = io.BytesIO(source)
    else:
        path = Path(source)
        if path.is_dir():
            raise InputError(f"{name} is a folder")
        if not path.exists():
            raise InputError(f"{name} does not exist")
        if not os.access(path, os.R_OK):
            raise InputError(f"{name} cannot be read: permission denied")
        if not path.stat().st_size:
            raise InputError(f"{name} is empty (0 bytes)")
        handle = str(path)
    try:
        reader = _SoundFileReader(handle)
        if reader.info.format == "mp3":
            data = bytes(source) if isinstance(source, bytes | bytearray) else Path(source).read_bytes()
            if (longer := with_length(data)) is not data:
                reader = _SoundFileReader(io.BytesIO(longer))
        return reader
    except soundfile.LibsndfileError as error:
        other = _open_with_av(source)
        if other is None:
            if missing := missing_bytes(source):
                raise InputError(
                    f"{name} is truncated: at least {missing} bytes are missing at its end"
                ) from error
            known = "wav, flac, ogg, opus, mp3, and with the extra 'm4a' installed m4a"
            raise InputError(f"{name} is not audio that can be read ({known})") from error
        return other


def _open_with_av(source: Any) -> Any:
    from speechx.audio.container import open_with_av  # PyAV takes a while to import

    return open_with_av(io.BytesIO(source) if isinstance(source, bytes | bytearray) else os.fspath(source))
