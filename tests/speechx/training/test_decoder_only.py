"""A better decoder for codes that stay what they are."""

from __future__ import annotations

from pathlib import Path

import torch

from speechx.codec.spectral import SpectralConfig
from speechx.codec.store import export_checkpoint
from speechx.training.codec import CodecTrainConfig, train

SMALL = {"codec": SpectralConfig.preset("tiny"), "batch": 2, "crop_frames": 10, "warmup": 1, "bf16": False}


def test_codes_and_their_hash_stay(pack_folder: Path, tmp_path: Path) -> None:
    train(CodecTrainConfig(**SMALL, steps=2), str(pack_folder), str(tmp_path / "all"), False, "cpu", None)
    before = export_checkpoint(tmp_path / "all/last.pt", tmp_path / "before")
    recipe = CodecTrainConfig(**SMALL, steps=3, decoder_only=True, adversarial_from=1)
    start = str(tmp_path / "all/last.pt")
    train(recipe, str(pack_folder), str(tmp_path / "dec"), False, "cpu", None, start)
    after = export_checkpoint(tmp_path / "dec/last.pt", tmp_path / "after")

    assert after.hash == before.hash and after.weights_hash != before.weights_hash
    torch.manual_seed(2)
    wav_BT = 0.1 * torch.randn(1, 6400)
    codes_BKF = before.encode(wav_BT)
    assert torch.equal(codes_BKF, after.encode(wav_BT))
    assert not torch.equal(before.decode(codes_BKF), after.decode(codes_BKF))
