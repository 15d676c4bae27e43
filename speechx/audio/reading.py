"""Reads audio: a file, bytes or an array to mono float32 at 16 kHz. Raises InputError where it cannot be used.

    wav_T = read("me.m4a", max_seconds=30, field="voice")

Files are decoded, mixed to mono and resampled in blocks, so that memory grows with the 16 kHz result. A file that is too
long is refused from its header, before anything is decoded. Nothing here needs torch.
Shapes: T samples, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr
from numpy.typing import ArrayLike

from speechx.audio import decoders
from speechx.audio.decoders import BLOCK, open_decoder, source_name
from speechx.audio.truncation import missing_bytes
from speechx.audio.types import AudioFile, AudioInfo, AudioSource, Samples
from speechx.errors import InputError

__all__ = [
    "MAX_SECONDS",
    "SAMPLE_RATE",
    "probe",
    "read",
    "resample",
]

SAMPLE_RATE = 16000
MAX_SECONDS = 3600.0
MIN_RATE, MAX_RATE, MAX_CHANNELS = 4000, 384_000, 64


def read(
    source: AudioSource,
    *,
    max_seconds: float = MAX_SECONDS,
    min_seconds: float = 0.0,
    field: str | None = None,
    rate: int = SAMPLE_RATE,
    whole: bool = True,
) -> Samples:
    """Mono float32 at 16 kHz (or `rate`), within [-1, 1], round(seconds * rate) samples.

    source: a path, the bytes of a file, or (samples (T,) or (T, C) or (C, T), rate).
    whole: refuse a damaged file; else return the part of it that decodes.
    Raises InputError: missing, empty, not audio, truncated, no samples, NaN, shorter or longer than the limits.
    """
    try:
        wav_T = _read(source, max_seconds, rate, whole)
        if len(wav_T) < min_seconds * rate:
            seconds = len(wav_T) / rate
            raise InputError(
                f"{source_name(source)} is {seconds:.2f} s long, at least {min_seconds:g} s are needed"
            )
    except InputError as error:
        if field is None:
            raise
        raise error.located(field) from error
    return wav_T


def probe(source: AudioSource) -> AudioInfo:
    """The header of `source`; raises InputError where it cannot be read."""
    if isinstance(source, tuple):
        x_TC, rate = _as_samples(*source)
        return AudioInfo(rate, x_TC.shape[1], len(x_TC), "array")
    with open_decoder(source) as decoder:
        return decoder.info


def resample(wav_T: Samples, rate: int, to: int = SAMPLE_RATE) -> Samples:
    """(T,) at `rate` -> (round(T * to / rate),) at `to`, float32."""
    wav_T = np.ascontiguousarray(wav_T, dtype=np.float32)
    if rate == to or not len(wav_T):
        return wav_T
    return _fit(soxr.resample(wav_T, rate, to), round(len(wav_T) * to / rate))


def _read(source: AudioSource, max_seconds: float, to: int, whole: bool) -> Samples:
    if isinstance(source, tuple):
        x_TC, rate = _as_samples(*source)
        _check_header(AudioInfo(rate, x_TC.shape[1], len(x_TC), "array"), max_seconds, source_name(source))
        blocks: Iterator[Samples] = (x_TC[i : i + BLOCK] for i in range(0, len(x_TC), BLOCK))
        wav_T, _ = _mix(blocks, rate, to, max_seconds, source_name(source))
    else:
        name = source_name(source)
        with open_decoder(source) as decoder:
            info = decoder.info
            _check_header(info, max_seconds, name)
            wav_T, decoded = _mix(decoder.blocks(), info.rate, to, max_seconds, name)
        if decoder.damaged and (other := decoders.open_with_av(source)) is not None:
            with other:  # FFmpeg decodes files that libsndfile does not, such as Ogg with gaps between pages
                wav_T, decoded = _mix(other.blocks(), other.info.rate, to, max_seconds, name)
                decoded = round(decoded * info.rate / other.info.rate)
        if whole:
            _check_whole(source, info, decoded, name)
    if not len(wav_T):
        raise InputError(f"{source_name(source)} holds no samples")
    peak = float(np.max(np.abs(wav_T)))
    if not np.isfinite(peak):
        raise InputError(f"{source_name(source)} holds NaN or infinite samples")
    if peak > 64:
        raise InputError(
            f"{source_name(source)} has a peak of {peak:.0f}: float samples must lie within [-1, 1]"
        )
    return wav_T / peak if peak > 1 else wav_T


def _mix(blocks: Iterator[Samples], rate: int, to: int, max_seconds: float, name: str) -> tuple[Samples, int]:
    """Blocks (T, C) at `rate` -> (mono at `to`, samples a channel decoded)."""
    stream = None if rate == to else soxr.ResampleStream(rate, to, 1, dtype="float32")
    parts: list[Samples] = []
    total = 0
    for block_TC in blocks:
        total += len(block_TC)
        if total > (max_seconds + 1) * rate:  # the header has no length, or a wrong one
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


def _check_whole(source: AudioFile, info: AudioInfo, decoded: int, name: str) -> None:
    """Refuse a truncated file. A few missing milliseconds are tolerated: some writers store wrong lengths."""
    missing = missing_bytes(source)
    if info.frames is not None and decoded < 0.98 * info.frames - 0.1 * info.rate:
        raise InputError(
            f"{name} is truncated or damaged: not all of the {info.frames / info.rate:.2f} s that its header "
            f"promises can be decoded"
        )
    if missing:
        raise InputError(f"{name} is truncated: at least {missing} bytes are missing at its end")


def _as_samples(samples: ArrayLike, rate: int) -> tuple[Samples, int]:
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
