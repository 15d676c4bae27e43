"""A finished language model learns more as a low-rank change, which its folder then holds beside the old weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from typer.testing import CliRunner

from speechx.adapter import factors
from speechx.checkpoint import load_model, save_adapter, save_model
from speechx.codec.spectral import SpectralCodec
from speechx.codec.store import save_codec
from speechx.commands.train import app
from speechx.config import LMConfig
from speechx.data.shards import Shards
from speechx.training import lm

FACTS: dict[str, Any] = {"phone_table_version": 1, "codec_name": "x", "pause_phones": (1,)}
RECIPE = lm.LMTrainConfig(
    preset="tiny", steps=4, batch_steps=600, bf16=False, rank=2, adapted=("blocks.",), lr=1e-2, lr_final=1e-2,
    warmup=1, ema=0.1,
)  # fmt: skip


def finished(shards: Shards) -> lm.CodecLMCore:
    torch.manual_seed(0)
    return lm.CodecLMCore(LMConfig.preset("tiny", codec_name="x", codec_hash=shards.codec_hash)).eval()


def test_the_change_alone_is_learned(shards: Shards, tmp_path: Path) -> None:
    before = {k: v.clone() for k, v in finished(shards).state_dict().items()}
    trainer = lm.train(RECIPE, shards, None, str(tmp_path), finished=finished(shards), **FACTS)
    after = trainer.average.state_dict()
    learned = [name for name in after if name.endswith((".up", ".down"))]
    assert learned and all(name.startswith("blocks.") for name in learned)
    assert all(after[name].any() for name in learned)
    for name, value in before.items():
        owner, _, field = name.rpartition(".")
        kept = after.get(name, after.get(f"{owner}.parametrizations.{field}.original"))
        assert kept is not None and torch.equal(kept, value), name


def test_a_run_in_two_parts_is_the_run(shards: Shards, tmp_path: Path) -> None:
    def run(folder: str, steps: int, resume: bool = False) -> dict[str, torch.Tensor]:
        recipe = RECIPE.model_copy(update={"steps": steps})
        out = str(tmp_path / folder)
        return factors(
            lm.train(recipe, shards, None, out, finished=finished(shards), resume=resume, **FACTS).average
        )

    whole = run("whole", 4)
    run("parts", 2)
    parts = run("parts", 4, resume=True)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value)


def test_its_folder_is_what_was_trained(shards: Shards, tmp_path: Path) -> None:
    save_model(finished(shards), tmp_path / "lm")
    trainer = lm.train(
        RECIPE, shards, None, str(tmp_path / "run"), finished=load_model(tmp_path / "lm"), **FACTS
    )
    save_adapter(tmp_path / "lm", factors(trainer.average))
    loaded = load_model(tmp_path / "lm")
    for name in ("blocks.0.qkv.weight", "first_head.weight"):
        owner, _, field = name.rpartition(".")
        trained = getattr(trainer.average.get_submodule(owner), field)
        torch.testing.assert_close(loaded.get_parameter(name), trained, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("rank", [0, 2])
def test_rank_and_model_belong_together(shards: Shards, tmp_path: Path, rank: int) -> None:
    recipe = RECIPE.model_copy(update={"rank": rank})
    with pytest.raises(ValueError, match="--adapt"):
        lm.train(recipe, shards, None, str(tmp_path), finished=None if rank else finished(shards), **FACTS)


def test_parts_that_the_model_does_not_have(shards: Shards, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"adapted": ("layers.",)})
    with pytest.raises(ValueError, match=r"begins with any of layers\."):
        lm.train(recipe, shards, None, str(tmp_path), finished=finished(shards), **FACTS)


def test_what_was_changed_can_be_changed_again(
    shards: Shards, shards_folder: Path, codec: SpectralCodec, tmp_path: Path
) -> None:
    save_codec(codec, tmp_path / "codec")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE.model_dump(mode="json")))
    save_model(finished(shards), tmp_path / "lm0")
    for n in range(2):
        fields = {
            "config": "recipe.yaml", "codec": "codec", "adapt": f"lm{n}", "out": f"run{n}", "shards": shards_folder,
        }  # fmt: skip
        told = [part for k, v in fields.items() for part in (f"--{k}", str(tmp_path / v))]
        result = CliRunner().invoke(app, ["lm", *told])
        assert result.exit_code == 0, result.output
        (tmp_path / f"run{n}/model").rename(tmp_path / f"lm{n + 1}")
    first, second = (load_model(tmp_path / f"lm{n}") for n in (1, 2))
    assert not torch.equal(first.blocks[0].qkv.weight, second.blocks[0].qkv.weight)
    (tmp_path / "lm2/adapter.safetensors").unlink()
    facts = json.loads((tmp_path / "lm2/config.json").read_text())
    del facts["adapter_hash"]
    (tmp_path / "lm2/config.json").write_text(json.dumps(facts))
    base = load_model(tmp_path / "lm2")
    torch.testing.assert_close(base.blocks[0].qkv.weight, first.blocks[0].qkv.weight, rtol=1e-3, atol=1e-4)
