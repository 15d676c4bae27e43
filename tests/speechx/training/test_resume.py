"""A run that was cut off and resumed gives the weights of one that was not: to the last bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import default_collate

from speechx.data.annotate.codes import TokenRow
from speechx.data.chunks import slim_checkpoint
from speechx.data.crops import CropDataset
from speechx.data.packs import AudioPack, write_rate
from speechx.data.shards import Shards
from speechx.errors import InputError
from speechx.models.adapter_file import AdapterInfo
from speechx.models.aligner import AlignerConfig
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.folder import export_checkpoint, load_codec
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.lm.config import LMConfig
from speechx.training import aligner, lm
from speechx.training import codec as codec_training
from speechx.training.loop import TrainingRun, read_log, rng_state, set_rng_state
from tests.helpers.codecs import TINY_CODEC

Stop = Callable[[int], None]


def assert_equal(a: Any, b: Any, where: str = "") -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for index, pair in enumerate(zip(a, b, strict=True)):
            assert_equal(*pair, f"{where}[{index}]")
    else:
        assert a == b, where


def states(whole: Path, parted: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The checkpoints of two runs, but for the time they took."""
    return tuple(TrainingRun(out, None).load() | {"seconds": None} for out in (whole, parted))  # type: ignore[return-value]


def codec_config(adversarial_from: int) -> codec_training.CodecTrainConfig:
    return codec_training.CodecTrainConfig(
        codec=SpectralConfig.preset("tiny"), steps=6, batch=2, crop_frames=20, warmup=2, bf16=False, log_every=2,
        adversarial_from=adversarial_from, stft_sizes=(256,), periods=(3,), channels=2, adversarial_seconds=0.4,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def small_codebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The k-means start of eight codebooks of 1024 would be most of the time of these tests."""
    monkeypatch.setattr("speechx.models.codec.quantizer.VectorQuantizer.start.__defaults__", (1,))


@pytest.mark.parametrize("adversarial_from", [2, 100])
def test_codec(pack_folder: Path, tmp_path: Path, stop_after: Stop, adversarial_from: int) -> None:
    config = codec_config(adversarial_from)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    codec_training.train(config, str(pack_folder), str(whole), False, "cpu", None)
    stop_after(3)
    codec_training.train(config, str(pack_folder), str(parted), False, "cpu", None)
    assert TrainingRun(parted, None).load()["step"] == 3
    stop_after(100)
    codec_training.train(config, str(pack_folder), str(parted), True, "cpu", None)
    a, b = states(whole, parted)
    assert a["step"] == b["step"] == 6
    assert_equal(a, b)
    made = export_checkpoint(parted / "last.pt", parted / "model")
    assert load_codec(parted / "model").hash == made.hash


def test_discriminators_may_join_by_the_clock(pack_folder: Path) -> None:
    config = codec_config(100).model_copy(update={"adversarial_from_share": 0.5})
    trainer = codec_training.CodecTrainer(config, "cpu")
    crops = CropDataset(AudioPack(pack_folder), config.crop_frames, 2, 1, {})
    batch = default_collate([crops[0], crops[1]])
    for trainer.share_of_time, joined in ((0.4, None), (0.6, 1), (0.7, 1)):
        metrics = trainer.train_step(*batch)
        assert trainer.joined == joined and ("disc" in metrics) == (joined is not None)


def test_a_pack_of_another_rate_is_refused(pack_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "pack"
    shutil.copytree(pack_folder, other)
    write_rate(other, 24000)
    with pytest.raises(
        InputError, match="24,000 Hz, the recipe's codec 16,000; prepare it with --rate 16000"
    ):
        codec_training.train(codec_config(100), str(other), str(tmp_path / "run"), False, "cpu", None)
    assert not (tmp_path / "run").exists()


def test_codec_from_other_weights(pack_folder: Path, tmp_path: Path) -> None:
    config = codec_config(100)
    first = codec_training.train(
        config.model_copy(update={"steps": 2}), str(pack_folder), str(tmp_path / "a"), False, "cpu", None
    )
    trainer = codec_training.CodecTrainer(config, "cpu")
    trainer.load(TrainingRun(tmp_path / "a", None).load(), weights_only=True)
    assert trainer.step == 0 and not trainer.opt_g.state_dict()["state"]
    assert_equal(dict(trainer.codec.named_parameters()), dict(first.codec.named_parameters()))


def test_aligner(rows: list[TokenRow], codec: SpectralCodec, tmp_path: Path, stop_after: Stop) -> None:
    config = aligner.AlignerTrainConfig(
        aligner=AlignerConfig.preset("tiny"), steps=6, batch_frames=300, log_every=3, warmup=2
    )
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    aligner.train(config, rows, rows[:1], codec, str(whole))
    stop_after(3)
    aligner.train(config, rows, rows[:1], codec, str(parted))
    assert TrainingRun(parted, None).load()["step"] == 3
    stop_after(100)
    aligner.train(config, rows, rows[:1], codec, str(parted), resume=True)
    a, b = states(whole, parted)
    assert a["step"] == b["step"] == 6
    assert_equal(a, b)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_lm(shards: Shards, tmp_path: Path, stop_after: Stop, optimizer: str) -> None:
    config = lm.LMTrainConfig(
        preset="tiny", model={"copies": True, "condition_dropout": 0.3},
        aligned_noise=0.2, optimizer=optimizer, steps=6, batch_steps=600, log_every=2,
        warmup=2, bf16=False, eval_every=3, eval_batches=1,
    )  # fmt: skip
    whole, parted = tmp_path / "whole", tmp_path / "parted"

    def run(out: Path, resume: bool) -> None:
        lm.train(
            config,
            shards,
            shards,
            str(out),
            phone_table_version=1,
            codec=TINY_CODEC,
            pause_phones=(1,),
            resume=resume,
        )

    run(whole, False)
    stop_after(3)
    run(parted, False)
    assert TrainingRun(parted, None).load()["step"] == 3
    stop_after(100)
    run(parted, True)
    a, b = states(whole, parted)
    assert a["step"] == b["step"] == 6
    assert_equal(a, b)
    assert {"loss", "ce_1", "advance_ce"} <= read_log(whole / "log.csv")[0].keys()


def test_workers_make_the_same_batches(shards: Shards) -> None:
    shape = LMConfig.preset("tiny")
    alone, many = (
        lm.LMBatchLoader(shards, lm.LMTrainConfig(preset="tiny", batch_steps=600, workers=n), shape)
        for n in (0, 2)
    )
    for a, b in zip(alone.steps(3, 12), many.steps(3, 12), strict=True):
        assert torch.equal(a.codes_BTG, b.codes_BTG) and torch.equal(a.tokens_BT, b.tokens_BT)


def test_a_slim_checkpoint_starts_another_run(shards: Shards, tmp_path: Path) -> None:
    config = lm.LMTrainConfig(preset="tiny", steps=2, batch_steps=600, bf16=False)
    first = lm.train(
        config, shards, None, str(tmp_path / "a"), phone_table_version=1, codec=TINY_CODEC, pause_phones=(1,)
    )
    slim = tmp_path / "slim.pt"
    slim_checkpoint(tmp_path / "a/last.pt", slim)
    assert slim.stat().st_size < 0.2 * (tmp_path / "a/last.pt").stat().st_size
    second = lm.LMTrainer(config, first.model_config, "cpu")
    second.load(torch.load(slim, weights_only=False), weights_only=True)
    for a, b in zip(first.average.parameters(), second.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=2e-3)


def test_the_learning_rate_falls_with_the_minutes(shards: Shards, tmp_path: Path) -> None:
    config = lm.LMTrainConfig(preset="tiny", steps=10**6, warmup=1, bf16=False)
    trainer = lm.LMTrainer(config, LMConfig.preset("tiny"), "cpu")
    batch = lm.LMBatchLoader(shards, config, LMConfig.preset("tiny")).make(0)
    rates = []
    for trainer.share_of_time in (0.0, 0.5, 1.0):
        trainer.train_step(batch)
        rates.append(trainer.opts[0].param_groups[0]["lr"])
    assert rates[0] == config.lr and rates[0] > rates[1] > rates[2] == pytest.approx(config.lr_final)


def test_minutes_add_up_over_resumes(shards: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = lm.LMTrainConfig(preset="tiny", steps=100, batch_steps=600, bf16=False, anneal_minutes=10)
    monkeypatch.setattr(TrainingRun, "seconds", lambda run: 240.0)
    for expected in (240.0, 480.0, 720.0):
        lm.train(
            config, shards, None, str(tmp_path), phone_table_version=1, codec=TINY_CODEC, pause_phones=(1,),
            resume=True, max_minutes=4,
        )  # fmt: skip
        assert TrainingRun(tmp_path, None).load()["seconds"] == expected
    # 12 of 10 minutes are used: one more run is one step.
    step = TrainingRun(tmp_path, None).load()["step"]
    assert step == 3


def test_resume_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no checkpoint"):
        TrainingRun(tmp_path, None).load()


def test_a_log_may_change_its_columns(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path, None)
    run.log(1, {"a": 1.0})
    run.log(2, {"a": 2.0, "b": 3.0})
    again = TrainingRun(tmp_path, None)
    again.log(3, {"b": 4.0})
    assert [(r["step"], r.get("a"), r.get("b")) for r in read_log(tmp_path / "log.csv")] == [
        (1, 1, None), (2, 2, 3), (3, None, 4)
    ]  # fmt: skip


def test_unknown_keys_of_a_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("steps: 10\nlearning_rate: 1\n")
    for config in (codec_training.CodecTrainConfig, aligner.AlignerTrainConfig, lm.LMTrainConfig):
        with pytest.raises(InputError, match=r"config: .*recipe.yaml: .* has no key learning_rate"):
            config.read(recipe)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"steps: many\n", "recipe.yaml: steps: Input should be a valid integer"),
        (b"steps: [\n", "recipe.yaml: it is no YAML: while parsing"),
        (b"- steps: 10\n", r"recipe.yaml: it must be a mapping \(lines `key: value`\)"),
        (b"steps", r"recipe.yaml: it must be a mapping \(lines `key: value`\)"),
        (b"# \xe9t\xe9\n", "recipe.yaml is not UTF-8 text; convert it, for example with `iconv"),
    ],
)
def test_recipes_that_cannot_be_read(tmp_path: Path, text: bytes, says: str) -> None:
    (tmp_path / "recipe.yaml").write_bytes(text)
    with pytest.raises(InputError, match=says) as caught:
        lm.LMTrainConfig.read(tmp_path / "recipe.yaml")
    assert caught.value.field == "config"


@pytest.mark.parametrize("text", ["", "# steps: 10\n", "{}\n"])
def test_an_empty_recipe_has_the_defaults(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    assert lm.LMTrainConfig.read(tmp_path / "recipe.yaml") == lm.LMTrainConfig()
    with pytest.raises(InputError, match=r"config: .*recipe.yaml: name: Field required"):
        AdapterInfo.read(tmp_path / "recipe.yaml")


def test_random_numbers_of_one_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rank of a node has its own GPU; all continue from the state of rank 0's."""
    there: dict[torch.device, torch.Tensor] = {}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: torch.tensor([7]))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: there.update({device: state}))
    state = rng_state(torch.device("cuda:0"))
    set_rng_state(state, torch.device("cuda:3"))
    set_rng_state(state | {"cuda": [torch.tensor([1]), torch.tensor([2])]}, torch.device("cuda:1"))
    set_rng_state(state, torch.device("cpu"))
    assert there == {torch.device("cuda:3"): torch.tensor([7]), torch.device("cuda:1"): torch.tensor([2])}
    assert rng_state().keys() == {"torch"}
