"""A finished language model learns which of two outputs of a request is the better one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.data.shards import Shards, ShardWriter
from speechx.errors import InputError
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.lm.batch import LMBatch, collate
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import load_model, save_model
from speechx.models.lm.model import CodecLMCore
from speechx.training.lm_config import PreferenceConfig
from speechx.training.lm_data import to_example
from speechx.training.preference import log_probs, train

RECIPE = PreferenceConfig(
    preset="tiny", steps=12, batch_steps=300, pair_steps=1500, bf16=False, lr=1e-3, warmup=1, log_every=1, beta=0.5,
)  # fmt: skip


def tiny(codec_hash: str) -> CodecLMCore:
    torch.manual_seed(5)
    return CodecLMCore(LMConfig.preset("tiny", codec_name="x", codec_hash=codec_hash)).eval()


@pytest.fixture
def start(shards: Shards, tmp_path: Path) -> Path:
    """Folder of a finished language model."""
    save_model(tiny(shards.codec_hash), tmp_path / "lm")
    return tmp_path / "lm"


@pytest.fixture
def worse(shards: Shards, tmp_path: Path) -> Shards:
    """The same requests, answered with codes in another order."""
    with ShardWriter(tmp_path / "worse", "tts", shards.codec_hash, 1) as writer:
        for pair in shards:
            order = np.random.default_rng(1).permutation(len(pair.target_FK))
            writer.add(replace(pair, target_FK=pair.target_FK[order]))
    return Shards([tmp_path / "worse"])


def batch_of(shards: Shards, model: CodecLMCore, count: int = 3) -> LMBatch:
    return collate([to_example(shards[i], model.shape) for i in range(count)], model.shape)


def test_log_probabilities_are_the_loss_of_training(shards: Shards) -> None:
    model = tiny("x")
    model.shape = model.shape.with_(local_fraction=1.0)
    batch = batch_of(shards, model)
    found = model(batch).metrics
    frames = len(batch.target_index_N)
    wanted = frames * (found["advance_ce"] + sum(found[f"ce_{k}"] for k in range(1, 9)))
    torch.testing.assert_close(-log_probs(model, batch, 8).sum(), wanted)
    first = frames * (found["advance_ce"] + found["ce_1"])
    torch.testing.assert_close(-log_probs(model, batch, 1).sum(), first)


def test_each_output_has_a_probability_of_its_own(shards: Shards) -> None:
    model = tiny("x")
    together_B = log_probs(model, batch_of(shards, model), 8)
    alone = [
        log_probs(model, collate([to_example(shards[i], model.shape)], model.shape), 8) for i in range(3)
    ]
    torch.testing.assert_close(together_B, torch.cat(alone))


def test_the_better_output_becomes_the_likelier_one(
    shards: Shards, worse: Shards, codec: SpectralCodec, start: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "run")
    trainer = train(RECIPE, shards, shards, worse, None, out, start_from=str(start), codec=codec)
    begun = load_model(start).state_dict()
    assert all(torch.equal(value, begun[name]) for name, value in trainer.reference.state_dict().items())
    model = trainer.model.eval()
    gains = [
        log_probs(model, batch_of(side, model, 12), 8)
        - log_probs(trainer.reference, batch_of(side, model, 12), 8)
        for side in (shards, worse)
    ]
    assert (gains[0] > gains[1]).float().mean() > 0.9
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert {"preference", "right", "plain"} <= set(rows[0].split(","))


def test_outputs_that_do_not_belong_together_are_refused(
    shards: Shards, codec: SpectralCodec, start: Path, tmp_path: Path
) -> None:
    with ShardWriter(tmp_path / "few", "tts", shards.codec_hash, 1) as writer:
        writer.add(shards[0])
    few = Shards([tmp_path / "few"])
    with pytest.raises(InputError, match=r"worse: it has 1 outputs, and --better \d+"):
        train(RECIPE, shards, shards, few, None, str(tmp_path / "run"), start_from=str(start), codec=codec)
