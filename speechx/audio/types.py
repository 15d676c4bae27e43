"""Types of sound that every module here shares."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["AudioFile", "AudioFormat", "AudioInfo", "AudioSource", "Samples"]

Samples: TypeAlias = NDArray[np.float32]
"""(T,) mono samples in [-1, 1], unless a shape is given."""

AudioFile: TypeAlias = str | os.PathLike[str] | bytes | bytearray
"""A path, or the bytes of a file."""

AudioSource: TypeAlias = AudioFile | tuple[NDArray[Any], int]
"""A file, or (samples, rate)."""


AudioFormat: TypeAlias = Literal["wav", "flac", "opus", "mp3", "aac", "pcm"]
"""What audio is written as. aac needs the extra `m4a`."""


@dataclass(frozen=True)
class AudioInfo:
    """Fields of a file header. frames: samples per channel, None where the header has no length."""

    rate: int
    channels: int
    frames: int | None
    format: str

    @property
    def seconds(self) -> float | None:
        return None if self.frames is None else self.frames / self.rate
