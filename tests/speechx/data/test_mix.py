"""Pairs of every task, made from a pack of made-up voices with a tiny random codec and aligner."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.data.pairs import mix_shards
from speechx.data.shards import Shards, decode_pair, encode_pair
from speechx.data.synthetic import synthetic_pack
from speechx.errors import InputError
from speechx.models import aligner
from speechx.models.aligner import Aligner, AlignerConfig
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.folder import load_codec, save_codec
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.lm.prompt import Token
from speechx.models.vocab import SYNTHETIC
from speechx.task import registry


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("mix")
    torch.manual_seed(0)
    codec = SpectralCodec.from_config(SpectralConfig.preset("tiny"))
    with torch.no_grad():  # codebooks that lie where the latents are: then codes tell sounds apart
        codec.train()(torch.randn(8, 25600) * torch.logspace(-4, -1, 25600))
    codec.eval()
    save_codec(codec, root / "codec")
    facts = {"codec_hash": codec.hash, "latent_dim": 64, "dim": 32, "blocks": 1}
    Aligner(AlignerConfig(**facts)).save(root / "aligner")
    pack = synthetic_pack(root / "pack", utterances=24, speakers=3, noises=4, words=5)
    return {"pack": pack, "codec": root / "codec", "aligner": root / "aligner"}


def mixed(folders: dict[str, Path], out: Path, **options: object) -> list[bytes]:
    report = mix_shards(folders["pack"], folders["codec"], folders["aligner"], out, rooms=0, **options)  # type: ignore[arg-type]
    assert all(line.split()[0] == "3" for line in report.values()), report
    return [encode_pair(pair).tobytes() for pair in Shards([out], load_codec(folders["codec"]).hash)]


def test_every_task_and_the_same_again(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligner, "_phone_error_rate", lambda *_: 0.1)  # a random aligner would fit no text
    one = mixed(folders, tmp_path / "one", count=3)
    slots = Counter(Shards([tmp_path / "one"]).slots().tolist())
    assert sum(slots.values()) == 3 * len(registry.task_names())
    assert mixed(folders, tmp_path / "two", count=3) == one
    assert mixed(folders, tmp_path / "three", count=3, seed=2) != one


def test_pairs_of_synthetic_speech_are_marked(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligner, "_phone_error_rate", lambda *_: 0.1)
    plain = mixed(folders, tmp_path / "plain", count=3)
    index = folders["pack"] / "index.jsonl"
    recorded = index.read_text()
    index.write_text(
        "".join(json.dumps(json.loads(r) | {"synthetic": True}) + "\n" for r in recorded.splitlines())
    )
    marked = mixed(folders, tmp_path / "marked", count=3)
    index.write_text(recorded)
    for before, after in zip(plain, marked, strict=True):
        pair = decode_pair(np.frombuffer(after, np.int16))
        mark, *rest = pair.prompt.segments
        assert mark == Token(SYNTHETIC)
        unmarked = replace(pair, prompt=replace(pair.prompt, segments=tuple(rest)))
        assert encode_pair(unmarked).tobytes() == before


def test_texts_that_fit_nowhere(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in folders["pack"].glob("words-*"):
        path.unlink()
    monkeypatch.setattr(aligner, "_phone_error_rate", lambda *_: 0.9)
    with pytest.raises(ValueError, match="phone error rate"):
        mixed(folders, tmp_path, tasks=["tts"], count=3)


def test_a_corpus_without_noise(folders: dict[str, Path], tmp_path: Path) -> None:
    """Its other tasks are not lost: what is missing is counted, like what does not fit."""
    quiet = synthetic_pack(tmp_path / "pack", utterances=12, speakers=3, noises=0, words=5)
    (said,) = mix_shards(
        quiet,
        folders["codec"],
        folders["aligner"],
        tmp_path / "out",
        tasks=["noise_suppression"],
        count=1,
        rooms=0,
    ).values()
    assert said.startswith("0 pairs; ") and "the corpus has no noise" in said


def test_tasks_are_looked_at_first(folders: dict[str, Path], tmp_path: Path) -> None:
    for options, says in (
        ({"tasks": ["noise_supression"]}, "'noise_supression' is unknown"),
        ({"tasks": ["noise_suppression"], "from_codes": True}, "from_codes: noise_suppression needs sound"),
    ):
        with pytest.raises(InputError, match=says):
            mix_shards(
                folders["pack"], tmp_path / "no codec", tmp_path / "no aligner", tmp_path / "out", **options
            )  # type: ignore[arg-type]


def test_short_sounds_are_silence_for_the_most_part(folders: dict[str, Path], tmp_path: Path) -> None:
    def still(name: str, **options: float) -> float:
        """Share of target frames like the one before."""
        mixed(folders, tmp_path / name, tasks=["speech_removal"], count=3, **options)
        pairs = list(Shards([tmp_path / name]))
        return float(np.mean([(p.target_FK[1:] == p.target_FK[:-1]).all(1).mean() for p in pairs]))

    assert still("short", short=1.0) > 0.3 > still("long")


def test_a_split_without_speech_is_an_error_before_anything_is_made(
    pack_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=r"has no speech in the split 'trian' \(recordings: .*train \d+\)"
    ) as caught:
        mix_shards(
            pack_folder, tmp_path / "no codec", tmp_path / "no aligner", tmp_path / "out", split="trian"
        )
    assert caught.value.field == "split" and not (tmp_path / "out").exists()
