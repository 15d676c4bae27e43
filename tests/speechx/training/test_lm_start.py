"""All weights of a finished language model are trained further: from a checkpoint, or from a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from speechx.cli.console import part_folder
from speechx.data.shards import Shards
from speechx.errors import InputError
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import load_model, save_adapter, save_model
from speechx.models.lora import add_lora, lora_factors
from speechx.training import lm
from tests.helpers.codecs import TINY_CODEC

FACTS: dict[str, Any] = {"phone_table_version": 1, "codec": TINY_CODEC, "pause_phones": (1,)}
RECIPE = lm.LMTrainConfig(preset="tiny", steps=1, batch_steps=600, bf16=False, lr=1e-9, lr_final=1e-9)


def finished(codec_hash: str) -> lm.CodecLMCore:
    torch.manual_seed(5)
    return lm.CodecLMCore(LMConfig.preset("tiny", codec_name="x", codec_hash=codec_hash)).eval()


def test_a_model_folder_is_what_training_begins_with(shards: Shards, tmp_path: Path) -> None:
    save_model(finished(shards.codec_hash), tmp_path / "lm")
    trainer = lm.train(RECIPE, shards, None, str(tmp_path / "run"), start_from=str(tmp_path / "lm"), **FACTS)
    stored = load_model(tmp_path / "lm").state_dict()
    for name, value in trainer.average.state_dict().items():
        torch.testing.assert_close(value, stored[name], msg=name)


def test_the_adapter_of_the_folder_is_left_out(shards: Shards, tmp_path: Path) -> None:
    save_model(finished(shards.codec_hash), tmp_path / "lm")
    plain = load_model(tmp_path / "lm").state_dict()
    changed = finished(shards.codec_hash)
    add_lora(changed, 2, 0, ("blocks.",))
    save_adapter(tmp_path / "lm", {name: torch.ones_like(v) for name, v in lora_factors(changed).items()})
    trainer = lm.train(RECIPE, shards, None, str(tmp_path / "run"), start_from=str(tmp_path / "lm"), **FACTS)
    for name, value in trainer.average.state_dict().items():
        torch.testing.assert_close(value, plain[name], msg=name)


def test_the_command_takes_a_part_a_model_or_the_box(tmp_path: Path) -> None:
    save_model(finished("x"), tmp_path / "model" / "lm")
    for given in (tmp_path / "model", tmp_path / "model" / "lm"):
        assert part_folder(given, "lm", "start-from") == tmp_path / "model" / "lm"
    box = part_folder(Path("box"), "lm", "start-from")
    assert box is not None and load_model(box).shape.codec_hash
    with pytest.raises(InputError, match="holds no model"):
        part_folder(tmp_path, "lm", "start-from")


def test_a_folder_of_another_codec_is_refused(shards: Shards, tmp_path: Path) -> None:
    save_model(finished("another"), tmp_path / "lm")
    with pytest.raises(ValueError, match="trained with codec another"):
        lm.train(RECIPE, shards, None, str(tmp_path / "run"), start_from=str(tmp_path / "lm"), **FACTS)


def test_a_file_that_is_no_checkpoint_is_refused(shards: Shards, tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="is no checkpoint of this kind of training") as found:
        lm.train(RECIPE, shards, None, str(tmp_path / "run"), start_from=str(tmp_path / "last.pt"), **FACTS)
    assert found.value.field == "start_from"
