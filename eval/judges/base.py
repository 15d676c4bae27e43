"""Protocols of the measuring models, and how their weights are found in installed packages. Light: no torch.

Shapes: N recordings, T samples at 16 kHz, D values of an embedding.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from speechx.eval.scores import Absent

__all__ = [
    "About",
    "Mos",
    "Recognizer",
    "SpeakerEncoder",
    "Transcript",
    "VoiceActivity",
    "cache_folder",
    "packaged",
]


@dataclass(frozen=True)
class About:
    """What the report says of a measuring model. hash: 16 hex digits over its weights."""

    name: str
    source: str
    version: str
    hash: str
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Transcript:
    """text: "" where nothing is said. log_probability: mean of the tokens."""

    text: str
    log_probability: float = 0.0
    no_speech: float = 0.0


class Recognizer(Protocol):
    about: About

    def transcribe(self, wavs: Sequence[np.ndarray], languages: Sequence[str]) -> list[Transcript]:
        """One transcript each."""
        ...

    def languages(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        """Probability of each language. Raises Unmeasurable where the model knows but one."""
        ...


class SpeakerEncoder(Protocol):
    about: About

    def embed(self, wavs: Sequence[np.ndarray]) -> np.ndarray:
        """(N, D) of length 1."""
        ...


class Mos(Protocol):
    about: About
    names: tuple[str, ...]

    def predict(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        """A value for each of `names`, 1-5."""
        ...


class VoiceActivity(Protocol):
    about: About

    def speech(self, wav_T: np.ndarray) -> list[tuple[float, float]]:
        """Start and end in seconds of what sounds like speech."""
        ...


def packaged(package: str, file: str, wheel: str) -> Path:
    """A file of an installed package, found without importing it: what it imports may be missing here.

    wheel: the name to install. Raises Unmeasurable where it is not installed.
    """
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    for place in places:
        if (path := Path(place) / file).is_file():
            return path
    raise Absent(f"package {wheel} is not installed: `make eval` installs it, see docs/evaluation.md")


def package_version(wheel: str) -> str:
    try:
        return version(wheel)
    except PackageNotFoundError:
        return "?"


@cache
def file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def threads() -> int:
    """CPU threads of a measuring model: OMP_NUM_THREADS where that is set, else at most four of the machine's cores."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else min(4, os.cpu_count() or 1)


def cache_folder() -> Path:
    """$SPEECHX_CACHE, else ~/.cache/speechx."""
    return Path(os.environ.get("SPEECHX_CACHE") or Path.home() / ".cache" / "speechx")
