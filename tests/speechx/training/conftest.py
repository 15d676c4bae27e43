"""A pack of made-up voices with the codes of a tiny random codec, and pairs of tts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.data.annotate.codes import TokenRow, encode_pack, phonemize_pack, read_tokens
from speechx.data.packs import AudioPack
from speechx.data.shards import Shards, ShardWriter
from speechx.data.synthetic import synthetic_pack
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.lm.prompt import Frames, Prompt, Text, TextTrack, Token
from speechx.task.examples import TrainingPair
from speechx.tasks._shared.enrollment import ENR
from speechx.training.loop import TrainingRun


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_pack(tmp_path_factory.mktemp("pack"), utterances=40, speakers=4, noises=4, words=4)


@pytest.fixture(scope="session")
def codec(pack_folder: Path) -> SpectralCodec:
    """Random weights, but codebooks that lie where the latents are: then codes tell sounds apart."""
    torch.manual_seed(1)
    codec = SpectralCodec.from_config(SpectralConfig.preset("tiny"))
    pack = AudioPack(pack_folder)
    wav_BT = torch.from_numpy(
        np.stack([pack.audio(row, 0, 25600) for row in pack.rows if row.samples >= 25600])
    )
    codec.train()
    with torch.no_grad():
        codec(wav_BT)
    return codec.eval()


@pytest.fixture(scope="session")
def rows(pack_folder: Path, codec: SpectralCodec) -> list[TokenRow]:
    phonemize_pack(pack_folder)
    encode_pack(pack_folder, codec)
    return read_tokens(pack_folder, codec)


@pytest.fixture(scope="session")
def shards_folder(
    rows: list[TokenRow], codec: SpectralCodec, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    with ShardWriter(folder, "tts", codec.hash, 1) as writer:
        for row in rows:
            if row.text is None:
                continue
            ids, frames = row.text.ids, len(row.codes_FK)
            segments = (Token(ENR), Frames(row.codes_FK[:20]), Text(ids, "en"))
            prompt = Prompt(0, segments, TextTrack(ids, 0, len(ids)), None, None, None)
            writer.add(
                TrainingPair(prompt, row.codes_FK, (np.arange(frames) * len(ids) // frames).astype(np.int32))
            )
    return folder


@pytest.fixture(scope="session")
def shards(shards_folder: Path, codec: SpectralCodec) -> Shards:
    return Shards([shards_folder], codec.hash)


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the next run stop, as if its minutes were over, after so many steps."""

    def arrange(steps: int) -> None:
        asked = iter(range(1, 10**6))
        monkeypatch.setattr(TrainingRun, "out_of_time", lambda run: next(asked) >= steps)

    return arrange
