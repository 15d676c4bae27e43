"""A language model that meets a codec with new codebooks keeps what it knows of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from speechx.data.shards import Shards
from speechx.models.lm.config import LMConfig
from speechx.training import lm
from speechx.training.new_codebooks import start_codes
from tests.helpers.codecs import TINY_CODEC

VECTORS_KVD = torch.randn(8, 1024, 6, generator=torch.Generator().manual_seed(3))
VECTORS_KVD[:, 1] = VECTORS_KVD[:, 0] + 0.01  # two codes that sound alike


def model() -> Any:
    torch.manual_seed(1)
    return lm.CodecLMCore(LMConfig.preset("tiny", copies=True))


@pytest.mark.parametrize("vectors", [None, VECTORS_KVD])
def test_old_codebooks_stay_and_new_ones_begin_anew(vectors: torch.Tensor | None) -> None:
    old, new = model(), model()
    torch.nn.init.ones_(old.copy.gates)
    torch.nn.init.ones_(new.copy.gates)
    start_codes(new, 6, vectors, seed=1)
    V, first = 1024, old.rows.code
    assert torch.equal(old.embed.weight[: first + 2 * V], new.embed.weight[: first + 2 * V])
    assert torch.equal(old.first_head.weight, new.first_head.weight)
    assert torch.equal(old.local_heads[0], new.local_heads[0]), "what says the second code"
    assert torch.equal(old.local_embed.weight[: 2 * V], new.local_embed.weight[: 2 * V])
    for s in range(2, 8):
        rows = slice(first + s * V, first + (s + 1) * V)
        assert not torch.equal(old.embed.weight[rows], new.embed.weight[rows])
        assert not torch.equal(old.local_heads[s - 1], new.local_heads[s - 1])
    assert bool((new.copy.gates[0] == 1).all()) and bool((new.copy.gates[1:] == 0).all())


def test_codes_that_sound_alike_are_alike() -> None:
    made = model()
    start_codes(made, 7, VECTORS_KVD, seed=1)
    table = made.embed.weight[made.rows.code + 1024 : made.rows.code + 2048]
    near, far = (table[0] - table[1]).norm(), (table[0] - table[2:]).norm(dim=1).median()
    assert near < 0.3 * far
    old = model()
    torch.testing.assert_close(made.embed.weight.std(), old.embed.weight.std(), rtol=0.2, atol=0)


def test_another_codec_is_refused_unless_the_recipe_says_what_is_new(shards: Shards, tmp_path: Path) -> None:
    config = lm.LMTrainConfig(preset="tiny", steps=1, batch_steps=600, bf16=False)
    facts: dict[str, Any] = {"phone_table_version": 1, "codec": TINY_CODEC, "pause_phones": (1,)}
    first = lm.train(config, shards, None, str(tmp_path / "a"), **facts)
    state = torch.load(tmp_path / "a/last.pt", weights_only=False)
    state["model_config"]["codec_hash"] = "another"
    with pytest.raises(ValueError, match="new_codebooks"):
        lm.LMTrainer(config, first.model_config, "cpu").load(state, weights_only=True)
    second = lm.LMTrainer(config.model_copy(update={"new_codebooks": 7}), first.model_config, "cpu")
    second.load(state, weights_only=True, vectors_KVD=VECTORS_KVD)
    assert torch.equal(second.model.first_head.weight, first.average.first_head.weight)
    for a, b in zip(second.model.parameters(), second.average.parameters(), strict=True):
        assert torch.equal(a, b), "the average begins where the model does"
    with pytest.raises(ValueError, match="the codec has 8"):
        start_codes(second.model, 9, None, 1)
