"""The recipes in the repository can be read, and say what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from speechx.models.aligner import Aligner
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.lm.config import LMConfig
from speechx.models.lm.model import CodecLMCore
from speechx.models.refiner import make_refiner
from speechx.training.aligner import AlignerTrainConfig
from speechx.training.codec import CodecTrainConfig
from speechx.training.discriminators import Discriminators
from speechx.training.lm import LMTrainConfig
from speechx.training.lm_config import PreferenceConfig
from speechx.training.refiner_recipe import RefinerTrainConfig

FOLDER = Path(__file__).resolve().parents[3] / "configs"
KINDS = {
    "codec": CodecTrainConfig,
    "aligner": AlignerTrainConfig,
    "lm": LMTrainConfig,
    "preference": PreferenceConfig,
    "refiner": RefinerTrainConfig,
}


GPU_KINDS = ("codec", "aligner", "lm-base", "refiner")
PATHS = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_a_recipe_is_read(path: Path) -> None:
    kind = path.stem if path.parent.name in ("smoke", "gpu") else path.parent.name
    config = KINDS[kind.split("-")[0]].read(path)
    assert path.read_text().startswith("# ")
    if isinstance(config, LMTrainConfig):
        shape = LMConfig.preset(config.preset, **config.model)
        assert shape.max_positions >= config.max_length
        assert not config.shares or sum(config.shares.values()) == pytest.approx(1.0)


def parameters(network: type[nn.Module], config: object) -> float:
    """In millions, without the memory for them."""
    with torch.device("meta"):
        return sum(p.numel() for p in network(config).parameters()) / 1e6


def test_networks_of_the_large_recipes() -> None:
    read = {kind: KINDS[kind.split("-")[0]].read(FOLDER / f"gpu/{kind}.yaml") for kind in GPU_KINDS}
    codec, aligner, lm, refiner = (read[kind] for kind in GPU_KINDS)
    assert parameters(SpectralCodec, codec.codec) == pytest.approx(16.1, abs=0.1)
    assert parameters(Aligner, aligner.aligner) == pytest.approx(1.7, abs=0.1)
    assert parameters(CodecLMCore, LMConfig.preset(lm.preset, **lm.model)) == pytest.approx(147, abs=1)
    assert parameters(make_refiner, refiner.net) == pytest.approx(0.4, abs=0.1)
    judges = {"stft_sizes": codec.stft_sizes, "periods": codec.periods, "channels": codec.channels}
    with torch.device("meta"):
        assert sum(p.numel() for p in Discriminators(**judges).parameters()) < 5e6
    for workers in (8, 16):
        assert codec.batch % workers == refiner.batch % 8 == 0
