"""A small test set of generated speech, and judges that need no weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speechx.data.synthetic import synthetic_pack
from speechx.eval.items import Item
from speechx.eval.judges.judges import Judges
from speechx.eval.report.write import machine
from speechx.eval.run.score import score_items
from speechx.eval.sets.build import BuildOptions, build_set
from speechx.eval.sets.store import TestSet, load_set
from speechx.eval.systems.systems import built_in
from tests.helpers.judges import ContrastPredictor, LoudnessDetector, SetRecognizer, SpectrumEncoder

TASKS = ("tts", "noise_suppression", "target_speaker_extraction", "speech_removal", "speech_editing")


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_pack(tmp_path_factory.mktemp("pack"), utterances=24, speakers=4, noises=8, words=9)


@pytest.fixture(scope="session")
def small() -> BuildOptions:
    return BuildOptions(split="train", count=2, seconds=(2.0, 10.0))


@pytest.fixture(scope="session")
def test_set(pack: Path, small: BuildOptions, tmp_path_factory: pytest.TempPathFactory) -> TestSet:
    folder = tmp_path_factory.mktemp("sets") / "toy"
    build_set([pack], folder, TASKS, small)
    return load_set(folder)


@pytest.fixture
def fakes(test_set: TestSet) -> dict[str, Any]:
    return {
        "asr": SetRecognizer(test_set.items),
        "speaker": SpectrumEncoder(),
        "distillmos": ContrastPredictor(),
        "dnsmos": ContrastPredictor(),
        "vad": LoudnessDetector(),
    }


@pytest.fixture
def judges(fakes: dict[str, Any], frontend: Any) -> Judges:
    return Judges(models=fakes, codec=lambda wav_T: frontend.decode(frontend.encode(wav_T))[: len(wav_T)])


HEADER: dict[str, Any] = {
    "set": {"name": "toy", "hash": "h", "seed": 1}, "model": "m", "measures": "x", "command": "speechx eval run", "seed": 1,
    "date": "2026-01-01", "machine": machine(),
}  # fmt: skip


@pytest.fixture
def score_set(test_set: TestSet, judges: Judges, monkeypatch: pytest.MonkeyPatch) -> Any:
    few = ("no_processing", "ground_truth", "codec_round_trip")
    monkeypatch.setattr("speechx.eval.noise_suppression.NoiseSuppressionEvaluator.references", few)

    def start(out: Path, system: Any, task: str = "noise_suppression", **header: Any) -> list[Item]:
        items = test_set.chosen([task])
        score_items(out, items, [system], lambda n: built_in(n, judges), judges, {**HEADER, **header})
        return items

    return start
