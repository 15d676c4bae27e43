"""Training pairs that actors make are those of one process, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from speechx.batch.job import ClusterOptions
from speechx.data.pairs import PairMapper, mix_shards
from speechx.data.shards import Shards, encode_pair
from speechx.data.synthetic import synthetic_pack
from speechx.serving.cluster.mixing import ray_mixer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


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
