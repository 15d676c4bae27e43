"""The recipes in the repository can be read, and say what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechx.models.lm.config import LMConfig
from speechx.training.aligner import AlignerTrainConfig
from speechx.training.codec import CodecTrainConfig
from speechx.training.lm import LMTrainConfig
from speechx.training.refiner import RefinerTrainConfig

FOLDER = Path(__file__).resolve().parents[3] / "configs"
KINDS = {
    "codec": CodecTrainConfig,
    "aligner": AlignerTrainConfig,
    "lm": LMTrainConfig,
    "refiner": RefinerTrainConfig,
}


PATHS = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_a_recipe_is_read(path: Path) -> None:
    kind = path.stem if path.parent.name == "smoke" else path.parent.name
    config = KINDS[kind.split("-")[0]].read(path)
    assert path.read_text().startswith("# ")
    if isinstance(config, LMTrainConfig):
        shape = LMConfig.preset(config.preset, **config.model)
        assert shape.max_positions >= config.max_length
        assert not config.shares or sum(config.shares.values()) == pytest.approx(1.0)
