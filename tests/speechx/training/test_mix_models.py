"""scripts/mix_models.py: the mean of two language models."""

from __future__ import annotations

import runpy
from pathlib import Path

import torch

from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import load_model, save_model
from speechx.models.lm.model import CodecLMCore

SCRIPT = Path(__file__).parents[3] / "scripts/mix_models.py"


def test_a_quarter_of_the_way(tmp_path: Path) -> None:
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = CodecLMCore(LMConfig.preset("tiny", codec_name="x", codec_hash="abc"))
        save_model(model, tmp_path / str(seed))
    main = runpy.run_path(str(SCRIPT), run_name="script")["main"]
    main(*(str(tmp_path / p) for p in "12"), "0.25", str(tmp_path / "out"))
    one, two, mixed = (load_model(tmp_path / name).state_dict() for name in ("1", "2", "out"))
    assert any(not torch.equal(one[name], two[name]) for name in one)
    for name, value in mixed.items():
        torch.testing.assert_close(value, 0.75 * one[name] + 0.25 * two[name], atol=2e-3, rtol=0)
