"""A finished language model learns to say words as in those of its tries that were understood."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.data.shards import Shards
from speechx.data.tries import Try, read_tries, try_row
from speechx.errors import InputError
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.lm.batch import collate
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import load_model, save_model
from speechx.models.lm.model import CodecLMCore
from speechx.training.lm_config import PreferenceConfig
from speechx.training.lm_data import to_example
from speechx.training.loop import read_log
from speechx.training.preference import said_words, step_log_probs, train

RECIPE = PreferenceConfig(
    steps=12, batch_steps=300, tries_steps=1500, bf16=False, lr=1e-3, warmup=1, log_every=1, beta=0.5,
    eval_every=12, dev_requests=2,
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
def tries(shards: Shards) -> list[list[Try]]:
    """Two tries of each request: a recording, and one whose first word has other codes and was not understood."""
    groups = []
    for number in range(len(shards)):
        pair = shards[number]
        assert pair.pointer_F is not None
        half = int(pair.pointer_F.max()) // 2 + 1
        words_W3 = np.array([[0, half, 1], [half, half + half, 1]])
        wrong_FK = pair.target_FK.copy()
        first = pair.pointer_F < half
        wrong_FK[first] = np.random.default_rng(number).integers(0, 1024, wrong_FK[first].shape)
        misheard_W3 = words_W3.copy()
        misheard_W3[0, 2] = 0
        groups.append([Try(pair, words_W3), Try(replace(pair, target_FK=wrong_FK), misheard_W3)])
    return groups


def test_log_probabilities_are_the_loss_of_training(shards: Shards) -> None:
    model = tiny("x")
    model.shape = model.shape.with_(local_fraction=1.0)
    batch = collate([to_example(shards[i], model.shape) for i in range(3)], model.shape)
    found = model(batch).metrics
    frames = len(batch.target_index_N)
    wanted = frames * (found["advance_ce"] + sum(found[f"ce_{k}"] for k in range(1, 9)))
    torch.testing.assert_close(-step_log_probs(model, batch, 8).sum(), wanted)
    first = frames * (found["advance_ce"] + found["ce_1"])
    torch.testing.assert_close(-step_log_probs(model, batch, 1).sum(), first)


def test_only_words_that_were_understood_in_one_try_alone_are_compared(tries: list[list[Try]]) -> None:
    said = said_words(tries[:3], tiny("x").shape)
    assert said.pairs_P2.tolist() == [[0, 2], [4, 6], [8, 10]], (
        "the first word of each request: right, then wrong"
    )
    lengths = [len(one.frames(word)) for group in tries[:3] for one in group for word in (0, 1)]
    ones_N = torch.ones(len(said.word_N))
    assert said.sums(ones_N).tolist() == lengths
    assert (said.word_N < 0).sum() == len(said.word_N) - sum(lengths)


def test_understood_words_become_likelier(
    shards: Shards, tries: list[list[Try]], codec: SpectralCodec, start: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    trainer = train(RECIPE, shards, tries, None, str(out), start_from=str(start), codec=codec)
    begun = load_model(start).state_dict()
    assert all(torch.equal(value, begun[name]) for name, value in trainer.reference.state_dict().items())
    assert trainer.measure(tries[2:])["dev_right"] > 0.9, "learned"
    (row,) = [row for row in read_log(out / "log.csv") if "dev_right" in row]
    assert row["dev_margin"] > 0, "also for requests that were held out"


def test_tries_that_are_all_held_out(
    shards: Shards, tries: list[list[Try]], codec: SpectralCodec, start: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="holds out 2 requests, and the tries have 2 of use"):
        train(RECIPE, shards, tries[:2], None, str(tmp_path / "run"), start_from=str(start), codec=codec)


def test_a_word_without_frames_at_the_end(tries: list[list[Try]]) -> None:
    """The pointer may pass a short word within a frame."""
    (right, wrong), *_ = tries
    last = int(right.words_W3[1, 1])
    words_W3 = [np.vstack([one.words_W3, [last, last + 1, one is right]]) for one in (right, wrong)]
    group = [replace(one, words_W3=w_W3) for one, w_W3 in zip((right, wrong), words_W3, strict=True)]
    said = said_words([group], tiny("x").shape)
    assert said.sums(torch.ones(len(said.word_N)))[said.pairs_P2].tolist()[-1] == [0, 0]


def test_a_file_of_tries(tries: list[list[Try]], tmp_path: Path) -> None:
    path = tmp_path / "heard.jsonl"
    same = [tries[1][0], tries[1][0]]  # nothing to learn: each word was understood in both
    lines = []
    for name, group in (("a", tries[0]), ("b", same)):
        for one in group:
            words = [(int(a), int(b), bool(c)) for a, b, c in one.words_W3]
            lines.append(json.dumps({"id": name} | try_row(one.pair, words, "abc")) + "\n")
    path.write_text("".join(lines))
    ((good, bad),) = read_tries(path, "abc")
    assert good.words_W3.tolist() == tries[0][0].words_W3.tolist()
    assert np.array_equal(bad.pair.target_FK, tries[0][1].pair.target_FK)
    with pytest.raises(InputError, match="they are of codec abc, the model is of def"):
        read_tries(path, "def")
    path.write_text("".join(lines[2:]))
    with pytest.raises(InputError, match="no request has a word that was understood in one try"):
        read_tries(path, "abc")
    path.write_text('{"id": "a"}\n')
    with pytest.raises(InputError, match="row 1 is no try"):
        read_tries(path, "abc")
    with pytest.raises(InputError, match=r"nothing\.jsonl cannot be read"):
        read_tries(tmp_path / "nothing.jsonl", "abc")
