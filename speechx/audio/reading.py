"""Reads audio: a file, bytes or an array to mono float32 at 16 kHz. Raises InputError where it cannot be used.

    wav_T = read("me.m4a", max_seconds=30, field="voice")

Files are decoded, mixed to mono and resampled in blocks, so that memory grows with the 16 kHz result. A file that is too
long is refused from its header, before anything is decoded. Nothing here needs torch.
Shapes: T samples, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import soxr
from numpy.typing import ArrayLike

from speechx.audio import decoders
from speechx.audio.decoders import BLOCK, Decoder, open_decoder
from speechx.audio.mono import Limit, fit, to_mono
from speechx.audio.parts import FilePart, parts
from speechx.audio.sources import materialized, source_name
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
    """The header of `source`; raises InputError where it cannot be read. Of joined files: the first, with all frames."""
    source = materialized(source)
    if isinstance(source, tuple):
        x_TC, rate = _as_samples(*source)
        return AudioInfo(rate, x_TC.shape[1], len(x_TC), "array")
    with parts(source) as found:
        infos = [_header(part, source_name(source)) for part in found]
    frames = [None if i.seconds is None else round(i.seconds * infos[0].rate) for i in infos]
    return replace(infos[0], frames=None if None in frames else sum(n for n in frames if n is not None))


def resample(wav_T: Samples, rate: int, to: int = SAMPLE_RATE) -> Samples:
    """(T,) at `rate` -> (round(T * to / rate),) at `to`, float32."""
    wav_T = np.ascontiguousarray(wav_T, dtype=np.float32)
    if rate == to or not len(wav_T):
        return wav_T
    return fit(soxr.resample(wav_T, rate, to), round(len(wav_T) * to / rate))


def _read(source: AudioSource, max_seconds: float, to: int, whole: bool) -> Samples:
    source = materialized(source)
    name = source_name(source)
    if isinstance(source, tuple):
        x_TC, rate = _as_samples(*source)
        _check_header(AudioInfo(rate, x_TC.shape[1], len(x_TC), "array"), max_seconds, name)
        blocks = partial(_slices, x_TC)
        wav_T, _ = to_mono(blocks, rate, to, Limit(max_seconds, max_seconds, name))
    else:
        wav_T = _read_file(source, max_seconds, to, whole)
    if not len(wav_T):
        raise InputError(f"{name} holds no samples")
    peak = float(np.max(np.abs(wav_T)))
    if not np.isfinite(peak):
        raise InputError(f"{name} holds NaN or infinite samples")
    if peak > 64:
        raise InputError(f"{name} has a peak of {peak:.0f}: float samples must lie within [-1, 1]")
    return wav_T / peak if peak > 1 else wav_T


def _read_file(source: AudioFile, max_seconds: float, to: int, whole: bool) -> Samples:
    name = source_name(source)
    pieces: list[Samples] = []
    with parts(source) as found:
        infos = [_header(part, name) for part in found]
        for info in infos:
            _check_header(info, max_seconds, name)
        if len(infos) > 1:
            _check_seconds(sum(info.seconds or 0.0 for info in infos), max_seconds, name)
        for part, info in zip(found, infos, strict=True):
            limit = Limit(max_seconds - sum(map(len, pieces)) / to, max_seconds, name)
            wav_T, decoded = _read_part(part, info, to, limit)
            if whole:
                _check_whole(part, info, decoded, name)
            pieces.append(wav_T)
    return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]


def _header(part: FilePart, name: str) -> AudioInfo:
    with open_decoder(part, name) as decoder:
        return decoder.info if part.frames is None else replace(decoder.info, frames=part.frames)


def _read_part(part: FilePart, info: AudioInfo, to: int, limit: Limit) -> tuple[Samples, int]:
    """(mono at `to`, samples per channel decoded of those that `info` promises)."""
    decoding = _Decoding(partial(open_decoder, part, limit.name))
    wav_T, decoded = to_mono(decoding.blocks, info.rate, to, limit)
    # What follows a flac is no damage.
    damaged = (decoding.damaged and part.frames is None) or _falls_short(info, decoded)
    if damaged and (other := decoders.open_with_av(part)) is not None:
        # FFmpeg decodes files that libsndfile does not, such as Ogg with gaps between pages or two ends.
        rate = other.info.rate
        decoding = _Decoding(lambda: decoders.open_with_av(part) or open_decoder(part, limit.name))
        wav_T, decoded = to_mono(decoding.blocks, rate, to, limit)
        decoded = round(decoded * info.rate / rate)
    return wav_T, decoded


class _Decoding:
    """Blocks of a file that may be decoded more than once. damaged: the last time ended at a damaged spot."""

    def __init__(self, open: Callable[[], Decoder]) -> None:
        self._open = open
        self.damaged = False

    def blocks(self) -> Iterator[Samples]:
        with self._open() as decoder:
            yield from decoder.blocks()
            self.damaged = decoder.damaged


def _slices(x_TC: Samples) -> Iterator[Samples]:
    return (x_TC[i : i + BLOCK] for i in range(0, len(x_TC), BLOCK))


def _check_header(info: AudioInfo, max_seconds: float, name: str) -> None:
    if not MIN_RATE <= info.rate <= MAX_RATE:
        raise InputError(
            f"{name} has a sample rate of {info.rate} Hz, it must be within {MIN_RATE}..{MAX_RATE}"
        )
    if not 1 <= info.channels <= MAX_CHANNELS:
        raise InputError(f"{name} has {info.channels} channels, it must have 1..{MAX_CHANNELS}")
    if info.seconds is not None:
        _check_seconds(info.seconds, max_seconds, name)


def _check_seconds(seconds: float, max_seconds: float, name: str) -> None:
    if seconds > max_seconds:
        raise InputError(f"{name} is {seconds:.1f} s long, the limit is {max_seconds:g} s")


def _check_whole(part: FilePart, info: AudioInfo, decoded: int, name: str) -> None:
    """Refuse a truncated file. A few missing milliseconds are tolerated: some writers store wrong lengths."""
    if part.fault:
        raise InputError(f"{name} {part.fault}")
    if info.frames is not None and _falls_short(info, decoded):
        raise InputError(
            f"{name} is truncated or damaged: not all of the {info.frames / info.rate:.2f} s that its header "
            f"promises can be decoded"
        )
    if part.missing:
        raise InputError(f"{name} is truncated: at least {part.missing} bytes are missing at its end")


def _falls_short(info: AudioInfo, decoded: int) -> bool:
    return info.frames is not None and decoded < 0.98 * info.frames - 0.1 * info.rate


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
