"""m4a and other containers through PyAV (FFmpeg), where the extra `m4a` is installed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["open_with_av"]


class _AvReader:
    """The first audio stream of a container; same shape as the libsndfile reader in speechx.audio.reading."""

    damaged = False

    def __init__(self, container: Any) -> None:
        from speechx.audio.reading import AudioInfo

        self.container = container
        stream = container.streams.audio[0]
        duration = None if stream.duration is None else float(stream.duration * stream.time_base)
        if duration is None and container.duration:
            duration = container.duration / 1e6
        self.rate, self.channels = int(stream.rate), int(stream.channels)
        frames = None if duration is None else int(duration * self.rate)
        self.info = AudioInfo(self.rate, self.channels, frames, container.format.name)

    def __enter__(self) -> _AvReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def blocks(self) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
        """Decoded blocks (T, C) of float32 until the end, or until a packet no longer decodes."""
        import av

        resampler = av.AudioResampler(format="fltp", rate=self.rate)
        try:
            for frame in self.container.decode(audio=0):
                for block in resampler.resample(frame):
                    yield np.asarray(block.to_ndarray().T, dtype=np.float32)
        except (av.FFmpegError, ValueError):
            return


def open_with_av(handle: str | io.BytesIO) -> _AvReader | None:
    """A reader, or None: PyAV is not installed, or finds no sound in it."""
    try:
        import av
    except ImportError:
        return None
    try:
        container = av.open(handle)
    except (av.FFmpegError, ValueError):
        return None
    streams = container.streams.audio
    if not streams or not getattr(
        streams[0], "rate", 0
    ):  # a stream of an unknown codec has no such attribute
        container.close()
        return None
    return _AvReader(container)
