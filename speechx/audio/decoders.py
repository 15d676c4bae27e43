"""Decoders of sound files: libsndfile for wav, flac, ogg and mp3, PyAV (the extra `m4a`) for other containers.

A decoder gives the header at once and the samples in blocks (T, C) of float32. Shapes: T samples, C channels.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import soundfile

from speechx.audio.mp3 import with_length
from speechx.audio.truncation import missing_bytes
from speechx.audio.types import AudioFile, AudioInfo, AudioSource, Samples
from speechx.errors import InputError

__all__ = ["BLOCK", "Decoder", "open_decoder", "open_with_av", "source_name"]

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


def source_name(source: AudioSource) -> str:
    """How a message names the source."""
    if isinstance(source, tuple):
        return "the array"
    return "the audio" if isinstance(source, bytes | bytearray) else f"the file {os.fspath(source)}"


class _SequentialFile(soundfile.SoundFile):
    """A SoundFile that is only read on. soundfile seeks after every read of a seekable file; with some Ogg files and
    with flac of unknown length that fails at the end, and the samples just read are lost."""

    def seekable(self) -> bool:
        return False


class SoundFileDecoder:
    """A file open in libsndfile."""

    damaged = False

    def __init__(self, handle: str | io.BytesIO) -> None:
        self.file = _SequentialFile(handle)
        frames = self.file.frames if 0 <= self.file.frames < 1 << 40 else None
        self.info = AudioInfo(self.file.samplerate, self.file.channels, frames, self.file.format.lower())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def blocks(self) -> Iterator[Samples]:
        while True:
            try:
                block_TC = self.file.read(BLOCK, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                self.damaged = True
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


def open_decoder(source: AudioFile) -> Decoder:
    """A decoder of a path or of the bytes of a file. Raises InputError: missing, empty, not audio."""
    name = source_name(source)
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
        decoder = SoundFileDecoder(handle)
        if decoder.info.format == "mp3":
            data = bytes(source) if isinstance(source, bytes | bytearray) else Path(source).read_bytes()
            if (longer := with_length(data)) is not data:
                decoder = SoundFileDecoder(io.BytesIO(longer))
        return decoder
    except soundfile.LibsndfileError as error:
        other = open_with_av(source)
        if other is None:
            if missing := missing_bytes(source):
                raise InputError(
                    f"{name} is truncated: at least {missing} bytes are missing at its end"
                ) from error
            known = "wav, flac, ogg, opus, mp3, and with the extra 'm4a' installed m4a"
            raise InputError(f"{name} is not audio that can be read ({known})") from error
        return other


def open_with_av(source: AudioFile) -> AvDecoder | None:
    """None where PyAV is not installed or finds no audio stream."""
    try:
        import av
    except ImportError:
        return None
    try:
        container = av.open(
            io.BytesIO(source) if isinstance(source, bytes | bytearray) else os.fspath(source)
        )
    except (av.FFmpegError, ValueError):
        return None
    streams = container.streams.audio
    # A stream of an unknown codec has no attribute `rate`.
    if not streams or not getattr(streams[0], "rate", 0):
        container.close()
        return None
    return AvDecoder(container)
