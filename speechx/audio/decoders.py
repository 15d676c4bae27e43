"""Decoders of sound files: libsndfile for wav, flac, ogg and mp3, PyAV (the extra `m4a`) for other containers.

A decoder gives the header at once and the samples in blocks (T, C) of float32. Shapes: T samples, C channels.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol, Self

import numpy as np
import soundfile

from speechx.audio.parts import FilePart, foreign_format, start_of_text
from speechx.audio.types import AudioInfo, Samples
from speechx.errors import InputError

__all__ = ["BLOCK", "Decoder", "open_decoder", "open_with_av"]

BLOCK = 1 << 14  # samples per channel in a block


class Decoder(Protocol):
    """An open file. damaged: `blocks` met samples that cannot be decoded, and ended there."""

    info: AudioInfo
    damaged: bool

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def blocks(self) -> Iterator[Samples]:
        """Decoded blocks (T, C), in order, until the end or a damaged spot."""
        ...


class _SequentialFile(soundfile.SoundFile):
    """A SoundFile that is only read on. soundfile seeks after every read of a seekable file; with some Ogg files and
    with flac of unknown length that fails at the end, and the samples just read are lost."""

    def seekable(self) -> bool:
        return False


class SoundFileDecoder:
    """A file open in libsndfile."""

    damaged = False

    def __init__(self, data: str | BinaryIO) -> None:
        if not isinstance(data, str):
            data.seek(0)
        self.file = _SequentialFile(data)
        frames = self.file.frames if 0 <= self.file.frames < 1 << 40 else None
        self.info = AudioInfo(self.file.samplerate, self.file.channels, frames, self.file.format.lower())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def blocks(self) -> Iterator[Samples]:
        while True:
            read_TC = np.full((BLOCK, self.info.channels), np.nan, np.float32)
            try:
                block_TC = self.file.read(out=read_TC)
            except soundfile.LibsndfileError:
                self.damaged = True
                if len(block_TC := read_TC[~np.isnan(read_TC).any(1)]):  # what was decoded before the damage
                    yield block_TC
                return
            if not len(block_TC):
                return
            yield block_TC


class AvDecoder:
    """The first audio stream of a container, through PyAV."""

    damaged = False

    def __init__(self, container: Any) -> None:
        self.container = container
        stream = container.streams.audio[0]
        duration = None if stream.duration is None else float(stream.duration * stream.time_base)
        if duration is None and container.duration:
            duration = container.duration / 1e6
        self.rate, self.channels = int(stream.rate), int(stream.channels)
        frames = None if duration is None else int(duration * self.rate)
        self.info = AudioInfo(self.rate, self.channels, frames, container.format.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def blocks(self) -> Iterator[Samples]:
        import av

        resampler = av.AudioResampler(format="fltp", rate=self.rate)
        try:
            for frame in self.container.decode(audio=0):
                for block in resampler.resample(frame):
                    yield np.asarray(block.to_ndarray().T, dtype=np.float32)
        except (av.FFmpegError, ValueError):
            return


def open_decoder(part: FilePart, name: str) -> Decoder:
    """A decoder of a recording. name: of its source, for messages. Raises InputError: not audio, cut off in its header."""
    try:
        return SoundFileDecoder(part.data)
    except soundfile.LibsndfileError as error:
        if (other := open_with_av(part)) is not None:
            return other
        if part.missing:
            raise InputError(
                f"{name} is truncated: at least {part.missing} bytes are missing at its end"
            ) from error
        raise InputError(f"{name} is {_description(part)}") from error


def open_with_av(part: FilePart) -> AvDecoder | None:
    """None where PyAV is not installed or finds no audio stream."""
    try:
        import av
    except ImportError:
        return None
    if not isinstance(part.data, str):
        part.data.seek(0)
    try:
        container = av.open(part.data)
    except (av.FFmpegError, ValueError):
        return None
    streams = container.streams.audio
    # A stream of an unknown codec has no attribute `rate`.
    if not streams or not getattr(streams[0], "rate", 0):
        container.close()
        return None
    return AvDecoder(container)


def _description(part: FilePart) -> str:
    """What the file is instead, and what to install where that helps."""
    kind = foreign_format(part)
    if kind is not None and importlib.util.find_spec("av") is None:
        return f"{kind}: install PyAV to read it (pip install 'speechx[m4a]')"
    if (text := start_of_text(part)) is not None:
        return f"text, not audio: it begins with {text!r}"
    readable = "wav, flac, ogg, opus, mp3, aiff"
    also = ", and with the extra 'm4a' installed m4a, webm and video" if kind is None else ""
    return (
        f"{kind} without audio that can be decoded"
        if kind
        else f"not audio that can be read ({readable}{also})"
    )
