"""Recipes that leave parts of a codec alone: a better decoder, a better acoustic path."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from speechx.errors import InputError
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.folder import export_checkpoint, load_codec
from speechx.training.codec import CodecTrainConfig, CodecTrainer, train
from speechx.training.jobs import CodecJob, RunOptions, check_job

SMALL = {"batch": 2, "crop_frames": 10, "warmup": 1, "bf16": False}
TINY = {**SMALL, "codec": SpectralConfig.preset("tiny")}


def test_codes_and_their_hash_stay(pack_folder: Path, tmp_path: Path) -> None:
    train(CodecTrainConfig(**TINY, steps=2), str(pack_folder), str(tmp_path / "all"), False, "cpu", None)
    before = export_checkpoint(tmp_path / "all/last.pt", tmp_path / "before")
    recipe = CodecTrainConfig(**TINY, steps=3, decoder_only=True, adversarial_from=1)
    start = str(tmp_path / "all/last.pt")
    train(recipe, str(pack_folder), str(tmp_path / "dec"), False, "cpu", None, start)
    after = export_checkpoint(tmp_path / "dec/last.pt", tmp_path / "after")

    assert after.hash == before.hash and after.weights_hash != before.weights_hash
    torch.manual_seed(2)
    wav_BT = 0.1 * torch.randn(1, 6400)
    codes_BKF = before.encode(wav_BT)
    assert torch.equal(codes_BKF, after.encode(wav_BT))
    assert not torch.equal(before.decode(codes_BKF), after.decode(codes_BKF))


def test_a_decoder_of_a_codec_folder(pack_folder: Path, tmp_path: Path) -> None:
    train(CodecTrainConfig(**TINY, steps=1), str(pack_folder), str(tmp_path / "one"), False, "cpu", None)
    before = export_checkpoint(tmp_path / "one/last.pt", tmp_path / "model")
    recipe = CodecTrainConfig(**TINY, steps=1, decoder_only=True)
    train(recipe, str(pack_folder), str(tmp_path / "two"), False, "cpu", None, str(tmp_path / "model"))
    after = export_checkpoint(tmp_path / "two/last.pt", tmp_path / "after")
    assert after.hash == before.hash and after.weights_hash != before.weights_hash


def test_what_a_recipe_that_leaves_the_codes_cannot_start_from(pack_folder: Path, tmp_path: Path) -> None:
    recipe = CodecTrainConfig(**TINY, steps=1, decoder_only=True)
    with pytest.raises(InputError, match="name that codec, for example box"):
        CodecJob(recipe, str(pack_folder)).run(RunOptions(str(tmp_path / "a")))
    with pytest.raises(InputError, match="name that codec, for example box"):
        check_job(CodecJob(recipe, str(pack_folder)), workers=1)
    check_job(CodecJob(recipe, str(pack_folder)), workers=1, resume=True)  # it goes on from its checkpoint
    train(CodecTrainConfig(**TINY, steps=1), str(pack_folder), str(tmp_path / "one"), False, "cpu", None)
    export_checkpoint(tmp_path / "one/last.pt", tmp_path / "model")
    (tmp_path / "text.pt").write_text("no checkpoint")
    wider = CodecTrainConfig(**SMALL, codec=SpectralConfig.preset("tiny", dim=48), steps=1, decoder_only=True)
    for config, start, message in (
        (recipe, tmp_path / "text.pt", "text.pt is no checkpoint of this kind of training"),
        (wider, tmp_path / "model", "does not fit the recipe's codec, and the recipe leaves it as it is"),
    ):
        with pytest.raises(InputError, match=message) as found:
            train(config, str(pack_folder), str(tmp_path / "b"), False, "cpu", None, str(start))
        assert found.value.field == "start_from"


def test_a_new_acoustic_path_keeps_the_first_codebook(pack_folder: Path, tmp_path: Path) -> None:
    """It begins with the semantic half of another codec: what a language model knows of it stays true."""
    train(CodecTrainConfig(**TINY, steps=2), str(pack_folder), str(tmp_path / "one"), False, "cpu", None)
    before = export_checkpoint(tmp_path / "one/last.pt", tmp_path / "before")
    recipe = CodecTrainConfig(**TINY, steps=3, semantic_fixed=True, adversarial_from=100)
    start = str(tmp_path / "one/last.pt")
    trainer = train(recipe, str(pack_folder), str(tmp_path / "two"), False, "cpu", None, start)
    after = export_checkpoint(tmp_path / "two/last.pt", tmp_path / "after")

    assert after.hash != before.hash and after.name == "spectral-v2"
    torch.manual_seed(2)
    wav_BT = 0.1 * torch.randn(1, 6400)
    first, second = before.encode(wav_BT), after.encode(wav_BT)
    assert torch.equal(first[:, 0], second[:, 0]) and not torch.equal(first[:, 1:], second[:, 1:])
    moved = {
        n.split(".")[1]
        for n, p in trainer.codec.encoder.named_parameters(prefix="encoder")
        if p.requires_grad
    }
    assert moved == {"acoustic"}
    assert bool((after.scale_D != 1).any()), "the axes were measured on the first batch"

    # On a grid, for a repository: the decoder's matrices, nothing else, and so no code changes.
    small = export_checkpoint(tmp_path / "two/last.pt", tmp_path / "small", step=0.125)
    assert load_codec(tmp_path / "small").hash == small.hash == after.hash
    assert load_codec(tmp_path / "small").weights_hash != after.weights_hash
    for (name, a), b in zip(after.named_parameters(), small.parameters(), strict=True):
        coarse = name.startswith("decoder.") and "pitch" not in name and a.ndim > 1
        assert torch.equal(a, b) or coarse
        torch.testing.assert_close(a, b, rtol=0, atol=0.1 * float(a.detach().square().mean().sqrt()))


def test_a_shape_that_changed_begins_anew(pack_folder: Path, tmp_path: Path) -> None:
    train(CodecTrainConfig(**TINY, steps=1), str(pack_folder), str(tmp_path / "one"), False, "cpu", None)
    recipe = CodecTrainConfig(**SMALL, codec=SpectralConfig.preset("tiny", acoustic_dim=24), steps=1)
    trainer = CodecTrainer(recipe, "cpu")
    trainer.load(torch.load(tmp_path / "one/last.pt", weights_only=False), weights_only=True)
    started = [bool(layer.started) for layer in trainer.codec.acoustic_quantizer.layers]
    assert not any(started) and bool(trainer.codec.semantic_quantizer.started)
