"""Training data that actors make is that of one process: pairs to the byte, examples of the refiner but for rounding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from speechx.batch.job import ClusterOptions
from speechx.data.pairs import PairMapper, mix_shards
from speechx.data.refiner_examples import EstimateMapper, RefinerExample, make_estimates, read_estimates
from speechx.data.shards import Shards, encode_pair
from speechx.data.synthetic import synthetic_pack
from speechx.pipeline.loading import load_pipeline
from speechx.serving.cluster.mixing import ray_estimator, ray_mixer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_same_pairs(cluster: None, tiny_folder: Path, tmp_path: Path) -> None:
    pack = synthetic_pack(tmp_path / "pack", utterances=24, speakers=3, noises=4, words=5)

    def mixed(name: str, mapper: PairMapper | None) -> list[bytes]:
        report = mix_shards(
            pack, tiny_folder / "codec", tiny_folder / "aligner", tmp_path / name,
            tasks=["speech_removal"], count=40, rooms=0, mapper=mapper,
        )  # fmt: skip
        assert report["speech_removal"].startswith("40 pairs")
        return [encode_pair(pair).tobytes() for pair in Shards([tmp_path / name])]

    here = mixed("here", None)
    assert len(here) == 40
    assert mixed("cluster", ray_mixer(ClusterOptions(actors=(2, 2), cpus=0.5))) == here


def test_the_same_examples(cluster: None, tiny_folder: Path, tmp_path: Path) -> None:
    pack = synthetic_pack(tmp_path / "pack", utterances=24, speakers=3, noises=4, words=5)

    def made(name: str, count: int, mapper: EstimateMapper | None) -> dict[int, RefinerExample]:
        """By their numbers: one process writes them in the order in which its engine finishes them."""
        pipeline = load_pipeline(tiny_folder, slots=2) if mapper is None else None
        index = make_estimates(
            pack, pipeline, tmp_path / name, task="target_speaker_extraction", count=count, mapper=mapper
        )  # fmt: skip
        numbers = [json.loads(line)["index"] for line in index.read_text().splitlines()]
        return dict(zip(numbers, read_estimates(tmp_path / name), strict=True))

    here = made("here", 8, None)
    made("cluster", 2, None)  # what is there is kept
    there = made("cluster", 8, ray_estimator(ClusterOptions(cpus=0.5, slots=2, model=str(tiny_folder))))
    assert here.keys() == there.keys() and len(here) == 8
    for number, one in here.items():
        other = there[number]
        assert np.array_equal(one.recording_T, other.recording_T) and np.array_equal(
            one.target_T, other.target_T
        )
        assert one.voice_FK is not None and np.array_equal(one.voice_FK, other.voice_FK)
        assert one.estimate_T.shape == other.estimate_T.shape
        np.testing.assert_allclose(one.estimate_T, other.estimate_T, atol=2e-3)
