"""Preference tuning: words that were understood become likelier than words that were not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.adapter import merge
from speechx.config import LMConfig
from speechx.data.shards import Pair, ShardWriter
from speechx.model import CodecLMCore
from speechx.prompt import Frames, Prompt, Text, Token, Track
from speechx.training.preference import PreferenceConfig, Tries, tune, word_likelihood
from speechx.training.run import read_log
from speechx.vocab import ENR

CONFIG = PreferenceConfig(
    rank=4, epochs=12, batch_steps=700, lr=3e-3, warmup=1, held_out=6, bf16=False, log_every=4
)


@pytest.fixture
def core() -> CodecLMCore:
    torch.manual_seed(0)
    return CodecLMCore(LMConfig.preset("tiny", codec_hash="abc", pause_phones=(1,)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve groups of three tries at two words. A first word is understood where its first codes are below 512."""
    rng, rows = np.random.default_rng(0), []
    ids = np.arange(6, 12)
    with ShardWriter(tmp_path / "tries", "tries", "abc", 1) as writer:
        for group in range(12):
            voice_FK = rng.integers(0, 1024, (10, 8)).astype(np.int16)
            segments = (Token(ENR), Frames(voice_FK), Text(ids, "en"))
            for attempt in range(3):
                frames, right = 12 + attempt, attempt != group % 3
                codes_FK = rng.integers(0, 1024, (frames, 8)).astype(np.int16)
                codes_FK[:6, 0] = rng.integers(0, 512, 6) + (0 if right else 512)
                pointer_F = np.sort(np.concatenate([np.repeat(np.arange(6), 2), np.full(frames - 12, 5)]))
                writer.add(Pair(Prompt(0, segments, Track(ids, 0, 6)), codes_FK, pointer_F.astype(np.int32)))
                spans = [[0, 6], [6, frames]]
                rows.append({"group": f"g{group}", "spans": spans, "right": [right, True]})
    (tmp_path / "tries/words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "tries"


def test_understood_words_become_likelier(core: CodecLMCore, folder: Path, tmp_path: Path) -> None:
    plain = {k: v.clone() for k, v in core.state_dict().items()}
    factors = tune(core, [folder], tmp_path / "out", CONFIG)
    log = read_log(tmp_path / "out/log.csv")
    assert log[-1]["preference"] < 0.6 < log[0]["preference"]
    assert log[-1]["dev_right"] > 0.6, "what was learned holds for groups that were only measured"
    tuned = CodecLMCore(core.shape)
    tuned.load_state_dict(plain)
    merge(tuned, factors)
    assert all(value.isfinite().all() for value in factors.values())
    assert not torch.equal(tuned.first_head.weight, plain["first_head.weight"])


def test_only_words_said_both_ways_count(core: CodecLMCore, folder: Path) -> None:
    tries = Tries(core, [folder], CONFIG)
    assert len(tries.training) == 10 and len(tries.measured) == 2
    for group in tries.training:
        assert group.right_BW.shape == (3, 1) and group.spans_BW2[:, 0].tolist() == [[0, 6]] * 3
    batches = tries.batches(tries.training, np.random.default_rng(1))
    assert sorted(i for batch in batches for g in batch for i in g.tries) == sorted(
        i for g in tries.training for i in g.tries
    )
    assert all(tries.batch(batch).num_steps <= CONFIG.batch_steps for batch in batches)


def test_likelihood_of_a_word_is_the_sum_over_its_frames(core: CodecLMCore, folder: Path) -> None:
    groups = Tries(core, [folder], CONFIG).training[:2]
    frames_B = [12, 13, 14] * 2
    nats_N = torch.arange(sum(frames_B), dtype=torch.float32)
    for number, (sums_BW, counts_BW) in enumerate(word_likelihood(nats_N, frames_B, groups)):
        for b in range(3):
            first = 39 * number + sum(frames_B[:b])
            assert sums_BW[b, 0] == nats_N[first : first + 6].sum() and counts_BW[b, 0] == 6


def test_what_does_not_fit_is_said(core: CodecLMCore, folder: Path) -> None:
    with pytest.raises(ValueError, match="no group is left"):
        Tries(core, [folder], CONFIG.model_copy(update={"max_length": 5}))
    words = folder / "words.jsonl"
    words.write_text("".join(words.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="36 tries and 35 rows"):
        Tries(core, [folder], CONFIG)
    with pytest.raises(ValueError, match="one frame a step"):
        Tries(CodecLMCore(core.shape.with_(frames_per_step=2)), [folder], CONFIG)
