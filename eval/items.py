"""Items of a test set, outputs of a system, and how their recordings are read. Light: no torch.

Shapes: T samples at 16 kHz, mono, float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from speechx.audio import reading
from speechx.errors import InputError
from speechx.eval.scores import Unmeasurable

__all__ = ["RATE", "Item", "JsonObject", "Output", "check_output", "read_recording"]

RATE = 16000
MIN_SECONDS = 0.1

JsonObject: TypeAlias = dict[str, Any]
"""A row of a JSON file, or facts of an item."""


@dataclass(frozen=True)
class Output:
    """The output of a system for an item. info: as in the final Chunk of the pipeline, where the system has it."""

    wav_T: np.ndarray
    rate: int = RATE
    info: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One row of a test set: a request and its references.

    fields: the request as in the manifest, paths absolute. text: transcript of the target. target, references: paths
    of 16 kHz recordings. meta: numbers and names for slices.
    """

    id: str
    task: str
    fields: JsonObject
    text: str | None
    language: str
    speaker: str
    target: Path
    references: dict[str, Path] = field(default_factory=dict)
    meta: JsonObject = field(default_factory=dict)

    @property
    def ability(self) -> str:
        """The section of the report: the task, or its variant that keeps the background."""
        return f"{self.task}_background" if self.meta.get("keep_background") else self.task

    @property
    def target_T(self) -> np.ndarray:
        return read_recording(self.target)

    def reference(self, name: str) -> np.ndarray:
        """A reference recording. Raises Unmeasurable where the set has none of this name."""
        if name not in self.references:
            raise Unmeasurable(f"the set has no reference {name!r} for this item")
        return read_recording(self.references[name])

    def recording(self, name: str) -> np.ndarray:
        """A recording of the request, by field name."""
        return read_recording(Path(self.fields[name]))

    @property
    def input_field(self) -> str:
        """The field of the input recording: audio where there is one, else the voice."""
        return next(name for name in ("audio", "voice", "enrollment") if name in self.fields)


def read_recording(path: Path) -> np.ndarray:
    """(T,) at 16 kHz. Raises Unmeasurable for a recording that is missing or broken."""
    try:
        return reading.read(path)
    except InputError as error:
        raise Unmeasurable(f"reference cannot be read: {error}") from error


def check_output(output: Output) -> np.ndarray:
    """The samples (T,) of an output. Silence passes. Raises Unmeasurable: too short, not mono, not finite."""
    wav_T = np.asarray(output.wav_T, np.float32)
    if wav_T.ndim != 1:
        raise Unmeasurable(f"output has {wav_T.ndim} dimensions, not one")
    if len(wav_T) < MIN_SECONDS * output.rate:
        raise Unmeasurable("output is empty or shorter than 0.1 s")
    if not np.isfinite(wav_T).all():
        raise Unmeasurable("output has samples that are not finite")
    return wav_T if output.rate == RATE else reading.resample(wav_T, output.rate, RATE)
