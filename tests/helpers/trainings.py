"""A tiny training of each kind, on made-up voices. Each reads its data from one folder, so that any process can run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from speechx.cli.recipes import packaged_recipes
from speechx.data.annotate.codes import encode_pack, phonemize_pack, read_tokens
from speechx.data.packs import AudioPack
from speechx.data.shards import Shards, ShardWriter
from speechx.data.synthetic import synthetic_pack
from speechx.models.aligner import AlignerConfig
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.folder import load_codec, save_codec
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.lm.prompt import Frames, Prompt, Text, TextTrack, Token
from speechx.models.refiner import RefinerConfig
from speechx.task.examples import TrainingPair
from speechx.tasks._shared.enrollment import ENR
from speechx.training import aligner, codec, lm, refiner
from speechx.training.refiner_data import RefinerShares

KINDS = ("codec", "aligner", "lm", "refiner")


def make_data(root: Path) -> None:
    """ROOT/pack (encoded), ROOT/codec, ROOT/shards (pairs of tts) and ROOT/estimates (none)."""
    pack_folder = synthetic_pack(root / "pack", utterances=40, speakers=4, noises=4, words=4)
    torch.manual_seed(1)
    made = SpectralCodec.from_config(SpectralConfig.preset("tiny"))
    pack = AudioPack(pack_folder)
    wavs = [pack.audio(row, 0, 25600) for row in pack.rows if row.samples >= 25600]
    made.train()
    with torch.no_grad():
        made(torch.from_numpy(np.stack(wavs)))  # codebooks that lie where the latents are
    save_codec(made.eval(), root / "codec")
    loaded = load_codec(root / "codec")
    phonemize_pack(pack_folder)
    encode_pack(pack_folder, loaded)
    with ShardWriter(root / "shards", "tts", loaded.hash, 1) as writer:
        for row in read_tokens(pack_folder, loaded):
            if row.text is None:
                continue
            ids, frames = row.text.ids, len(row.codes_FK)
            segments = (Token(ENR), Frames(row.codes_FK[:20]), Text(ids, "en"))
            prompt = Prompt(0, segments, TextTrack(ids, 0, len(ids)), None, None, None)
            pointer_F = (np.arange(frames) * len(ids) // frames).astype(np.int32)
            writer.add(TrainingPair(prompt, row.codes_FK, pointer_F))
    (root / "estimates").mkdir()


def train(kind: str, root: Path, out: Path, steps: int, **options: Any) -> None:
    """Leaves OUT/last.pt and OUT/log.csv, which has a row for every step."""
    torch.set_num_threads(1)
    {"codec": _codec, "aligner": _aligner, "lm": _lm, "refiner": _refiner}[kind](root, out, steps, options)


def train_gpu_recipe(kind: str, root: Path, out: Path, **options: Any) -> None:
    """Two steps of the recipe configs/gpu/KIND*.yaml, with a tiny network and tiny batches."""
    torch.set_num_threads(1)
    (recipe,) = packaged_recipes_of(f"gpu/{kind}")
    small = {"steps": 2, "log_every": 1}
    if kind == "codec":
        small |= {
            "codec": TINY_CODEC, "batch": 3, "crop_frames": 40, "workers": 0, "adversarial_from": 1,
            "adversarial_seconds": 0.4, "channels": 2,
        }  # fmt: skip
        config = codec.CodecTrainConfig.read(recipe).model_copy(update=small)
        codec.train(config, str(root / "pack"), str(out), False, "cpu", None, **options)
    else:
        small |= {"preset": "tiny", "batch_steps": 600, "workers": 0, "shares": {}}
        _train_lm(lm.LMTrainConfig.read(recipe).model_copy(update=small), root, out, options)


def packaged_recipes_of(prefix: str) -> list[Path]:
    return [path for name, path in packaged_recipes().items() if name.startswith(prefix)]


TINY_CODEC = SpectralConfig.preset("tiny", codebook_size=64)


def _codec(root: Path, out: Path, steps: int, options: dict[str, Any]) -> None:
    config = codec.CodecTrainConfig(
        codec=TINY_CODEC, steps=steps, batch=3, crop_frames=20, warmup=2, bf16=False,
        log_every=1, adversarial_from=10, stft_sizes=(256,), periods=(3,), channels=2, adversarial_seconds=0.4,
    )  # fmt: skip
    codec.train(config, str(root / "pack"), str(out), False, "cpu", None, **options)


def _aligner(root: Path, out: Path, steps: int, options: dict[str, Any]) -> None:
    made = load_codec(root / "codec")
    rows = read_tokens(root / "pack", made)
    config = aligner.AlignerTrainConfig(
        aligner=AlignerConfig.preset("tiny"), steps=steps, batch_frames=300, warmup=2, log_every=1
    )
    aligner.train(config, rows, [], made, str(out), **options)


def _lm(root: Path, out: Path, steps: int, options: dict[str, Any]) -> None:
    config = lm.LMTrainConfig(
        preset="tiny", model={"copies": True, "condition_dropout": 0.3}, aligned_noise=0.2, steps=steps,
        batch_steps=600, log_every=1, warmup=2, bf16=False, eval_every=10, eval_batches=1,
    )  # fmt: skip
    _train_lm(config, root, out, options)


def _train_lm(config: lm.LMTrainConfig, root: Path, out: Path, options: dict[str, Any]) -> None:
    made = load_codec(root / "codec")
    shards = Shards([root / "shards"], made.hash)
    lm.train(
        config, shards, shards, str(out), phone_table_version=1, codec=made, pause_phones=(1,), **options
    )  # fmt: skip


def _refiner(root: Path, out: Path, steps: int, options: dict[str, Any]) -> None:
    made = load_codec(root / "codec")
    config = refiner.RefinerTrainConfig(
        net=RefinerConfig(width=32, fused=32), shares=RefinerShares(rooms=0, fresh=1.0), steps=steps, batch=3, seconds=1.0,
        warmup=2, lr=5e-3, log_every=1,
    )  # fmt: skip
    refiner.train(config, str(root / "pack"), str(root / "estimates"), made, str(out), **options)
