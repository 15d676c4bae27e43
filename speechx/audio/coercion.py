"""What Python code has as audio, as one of the sources that are read: a path, the bytes of a file, or (samples, rate).

    as_source(open("a.wav", "rb"))                              # bytes of the file
    as_source({"array": samples, "sampling_rate": 16000})       # a row of `datasets`
    as_source(scipy.io.wavfile.read("a.wav"))                   # (rate, samples), or the other way round
    as_source((torch_tensor, 16000))                            # on any device

Shapes: T samples, C channels.
"""

from __future__ import annotations

import inspect
import io
import os
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechx.audio.types import AudioSource
from speechx.errors import InputError

__all__ = ["AudioLike", "as_source"]


class BinaryFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self) -> bytes: ...


AudioLike: TypeAlias = (
    AudioSource | memoryview | BinaryFile | Mapping[str, Any] | tuple[int, ArrayLike] | tuple[ArrayLike, int]
)
"""Whatever `as_source` takes; also anything with `wav_T` and `sample_rate`, such as a Speech."""

TAKEN = "a path, the bytes of a sound file, an open file, (samples, rate), or {'array', 'sampling_rate'}"


def as_source(value: object) -> AudioSource:
    """The audio as a source that `reading.read` takes. Raises InputError for what is no audio, or has no sample rate."""
    if hasattr(value, "wav_T") and hasattr(value, "sample_rate"):
        return _pair(value.wav_T, value.sample_rate)
    if isinstance(value, bytearray | memoryview):
        value = bytes(value)
    if isinstance(value, str | os.PathLike | bytes):
        if not (value if isinstance(value, bytes) else os.fspath(value)):
            raise InputError("is empty: give a sound file")
        return value
    if hasattr(value, "read"):
        return _rest_of(value)
    if isinstance(value, Mapping):
        return _of_row(value)
    if hasattr(value, "get_all_samples"):  # a decoder of torchcodec, which new versions of `datasets` give
        samples = value.get_all_samples()
        return _pair(samples.data, samples.sample_rate)
    if isinstance(value, tuple | list) and len(value) == 2:
        first, second = value
        if _is_number(second) != _is_number(first):
            return _pair(first, second) if _is_number(second) else _pair(second, first)
    if hasattr(value, "__array__"):
        raise InputError(f"has no sample rate: give (samples, rate), not the {type(value).__name__} alone")
    raise InputError(f"must be {TAKEN}, got {type(value).__name__}")


def _rest_of(file: Any) -> bytes:
    """The bytes of an open file from where it stands. An upload of an async framework is read by its file."""
    if inspect.iscoroutinefunction(file.read) and hasattr(file, "file"):
        file = file.file
    if getattr(file, "closed", False):
        raise InputError("is a closed file: read it while it is open")
    try:
        data = file.read()
    except UnicodeDecodeError:
        data = ""
    except io.UnsupportedOperation:
        raise InputError("is a file that is not open for reading: open it with mode 'rb'") from None
    if isinstance(data, str):
        raise InputError("is a file open as text: open it with mode 'rb'")
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"must be {TAKEN}; its read() gives {type(data).__name__}")
    if not data:
        raise InputError("is an open file with nothing left to read: call seek(0) first")
    return bytes(data)


def _of_row(row: Mapping[str, Any]) -> AudioSource:
    """A row of `datasets`: decoded, or with the bytes or the path of its file."""
    if "array" in row:
        if row.get("sampling_rate") is None:
            raise InputError("has an array without a sampling_rate")
        return _pair(row["array"], row["sampling_rate"])
    for name in ("bytes", "path"):
        if row.get(name):
            return as_source(row[name])
    raise InputError(
        f"must have array and sampling_rate, or bytes, or path; it has {', '.join(map(str, row))}"
    )


def _is_number(value: object) -> bool:
    """Whether it is one number, and so a rate: no samples, and not a bool."""
    several = isinstance(value, bool | np.bool | list | tuple)
    return not several and np.ndim(_on_cpu(value)) == 0 and hasattr(value, "__int__")


def _pair(samples: object, rate: Any) -> tuple[NDArray[Any], int]:
    """(samples, rate) of an array of any library."""
    hertz = float(rate)
    if not hertz.is_integer() or hertz <= 0:
        raise InputError(f"must have a sample rate that is a whole number of Hz, got {hertz:g}")
    if isinstance(samples, bytes | bytearray | memoryview):
        raise InputError(
            "has raw bytes beside the rate: give numpy.frombuffer(data, dtype) instead, (samples, rate)"
        )
    try:
        array = np.asarray(_on_cpu(samples))
    except ValueError:
        raise InputError(
            "has blocks of different lengths: give one array, numpy.concatenate(blocks)"
        ) from None
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        raise InputError(f"must have samples as real numbers (T,) or (T, C), got {array.dtype} {array.shape}")
    return array, int(hertz)


def _on_cpu(value: Any) -> Any:
    """A tensor of torch as one that numpy can read: without gradients, on the CPU, bfloat16 as float32."""
    if not hasattr(value, "detach"):
        return value
    tensor = value.detach().cpu()
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor
