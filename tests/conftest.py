"""Fixtures: a tiny model with random weights, and an engine that echoes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@dataclass
class StepOutput:
    """As speechx.engine.engine.Emission."""

    id: int
    codes_FK: np.ndarray
    pointer_F: np.ndarray
    finished: bool
    reason: str | None
    waits: bool = False


@dataclass
class EchoEngine:
    """An engine without a model: aligned prompts give their own frames back, others random ones, two a phone.

    Every step gives each sequence up to `stride` frames, none while it waits. Prompts are not packed. All say a phone in the
    same time, so a fork needs nothing copied.
    """

    stride: int = 5
    added: list[tuple[Any, Any]] = field(default_factory=list)
    aborted: list[int] = field(default_factory=list)
    forks: list[tuple[int, int]] = field(default_factory=list)
    _left: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    _stops: dict[int, tuple[int, ...]] = field(default_factory=dict)
    _held: set[int] = field(default_factory=set)

    def warm_up(self) -> None:
        pass

    def add(self, prompt: Any, params: Any, stops: tuple[int, ...] = ()) -> int:
        self.added.append((prompt, params))
        pointer_F = np.full(prompt.frames or 0, -1, np.int32)
        if prompt.track is not None:
            start, stop = prompt.track.start, prompt.track.stop
            frames = prompt.frames or 2 * (stop - start)
            pointer_F = start + np.arange(frames) * (stop - start) // frames
        if prompt.track_codes_FK is not None:
            codes_FK = prompt.track_codes_FK
        else:
            codes_FK = np.random.default_rng(params.seed).integers(0, 1024, (len(pointer_F), 8))
        self._left[len(self.added)] = codes_FK.astype(np.int16), pointer_F.astype(np.int32)
        self._stops[len(self.added)] = stops
        return len(self.added)

    def fork(self, source: int, target: int) -> None:
        assert {source, target} <= self._held
        self.forks.append((source, target))

    def resume(self, sequence: int) -> None:
        self._held.remove(sequence)

    def abort(self, sequence: int) -> None:
        self.aborted.append(sequence)
        self._left.pop(sequence, None)

    @property
    def has_work(self) -> bool:
        return bool(self._left)

    def step(self) -> list[StepOutput]:
        out = []
        for key, (codes_FK, pointer_F) in list(self._left.items()):
            if key in self._held:
                continue
            count, waits = self.stride, False
            if stops := self._stops[key]:
                until = int(np.searchsorted(pointer_F, stops[0]))
                count, waits = min(count, until), until <= count
            now, later = slice(None, count), slice(count, None)
            finished = len(codes_FK) <= count
            reason = "stop" if finished else None
            out.append(StepOutput(key, codes_FK[now], pointer_F[now], finished, reason, waits))
            if waits:
                self._stops[key] = stops[1:]
                self._held.add(key)
            self._left[key] = codes_FK[later], pointer_F[later]
            if finished:
                del self._left[key]
        return out


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _no_voices_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEECHX_VOICES", str(tmp_path_factory.mktemp("enrolled")))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow ones first: of files side by side, the longest must not be the last to begin."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def no_added_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process: the languages that a test adds are forgotten after it."""
    monkeypatch.setattr("speechx.text.languages._added", {})


@pytest.fixture(scope="session")
def tiny_codec() -> Any:
    import torch

    from speechx.models.codec.config import SpectralConfig
    from speechx.models.codec.spectral import SpectralCodec

    torch.manual_seed(0)
    return SpectralCodec.from_config(SpectralConfig.preset("tiny"))


@pytest.fixture(scope="session")
def tiny_aligner() -> Any:
    import torch

    from speechx.models.aligner import Aligner, AlignerConfig

    torch.manual_seed(0)
    return Aligner(AlignerConfig.preset("tiny")).eval()


@pytest.fixture(scope="session")
def frontend(tiny_codec: Any, tiny_aligner: Any) -> Any:
    """The front end of a model that has learned nothing: any transcript is as good as any other to it."""
    from speechx.task.frontend import Frontend
    from speechx.task.voices import VoiceStore
    from speechx.text import TextFrontend

    return Frontend(tiny_codec, TextFrontend(), tiny_aligner, VoiceStore(), max_phone_errors=np.inf)


@pytest.fixture
def echo_engine() -> EchoEngine:
    return EchoEngine()


@pytest.fixture
def pipeline(frontend: Any, echo_engine: EchoEngine) -> Any:
    """A pipeline without a language model."""
    from speechx.pipeline.job_runner import JobRunner
    from speechx.pipeline.pipeline import Pipeline

    return Pipeline(frontend, JobRunner(echo_engine, lambda prompt: prompt), model="echo")


def voice(seconds: float, seed: int = 0, rate: int = 16000, pitch: float = 120.0) -> np.ndarray:
    """Something like speech: a buzz whose loudness comes and goes, (T,) float32."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * pitch * k * t + rng.uniform(0, 6)) / k for k in range(1, 20))
    loudness = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * t + rng.uniform(0, 6))
    return (0.1 * buzz * loudness + 0.003 * rng.standard_normal(len(t))).astype(np.float32)


@pytest.fixture(scope="session")
def speech() -> Any:
    """Maker of speech-like sound: speech(seconds, seed=0, rate=16000, pitch=120)."""
    return voice


@pytest.fixture
def wav_file(tmp_path: Any) -> Iterator[Any]:
    """A 3 s recording."""
    import soundfile

    path = tmp_path / "in.wav"
    soundfile.write(path, voice(3.0), 16000)
    yield path


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: Any, tiny_codec: Any) -> Path:
    """A model folder with random weights that belong together."""
    import torch

    from speechx.models.aligner import Aligner, AlignerConfig
    from speechx.models.codec.folder import load_codec, save_codec
    from speechx.models.lm.config import LMConfig
    from speechx.models.lm.folder import save_model
    from speechx.models.lm.model import CodecLMCore

    folder = tmp_path_factory.mktemp("model")
    save_codec(tiny_codec, folder / "codec")
    codec = load_codec(folder / "codec")
    torch.manual_seed(0)
    Aligner(AlignerConfig.preset("tiny", codec_hash=codec.hash)).save(folder / "aligner")
    save_model(
        CodecLMCore(LMConfig.preset("tiny", codec_name=codec.name, codec_hash=codec.hash)), folder / "lm"
    )
    return folder
