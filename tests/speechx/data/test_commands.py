"""`speechx data ...` from end to end, and the teacher's input."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from speechx.cli.data import app
from speechx.data.annotate.teacher import log_mel
from speechx.data.packs import AudioPack
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.folder import save_codec
from speechx.models.codec.spectral import SpectralCodec


def run(*words: object) -> str:
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_from_recordings_to_codes_and_away(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        soundfile.write(corpus / f"{name}.flac", 0.1 * rng.standard_normal(24000), 24000)
    rows = [
        {
            "id": "a",
            "audio": "a.flac",
            "text": "Hello there.",
            "speaker": "s",
            "language": "en",
            "split": "train",
        },
        {"id": "b", "audio": "b.flac", "kind": "hiss", "split": "train"},
    ]
    (corpus / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pack = tmp_path / "pack"
    assert "2 recordings" in run("prepare", corpus, "--out", pack, "--workers", 1)
    assert "1 speakers" in run("stats", "--pack", pack)
    torch.manual_seed(1)
    codec = SpectralCodec.from_config(SpectralConfig.preset("tiny"))
    save_codec(codec, tmp_path / "codec")
    run("encode", "--pack", pack, "--codec", tmp_path / "codec")
    codes = np.fromfile(next(pack.glob("codes-*.i16")), np.int16).reshape(-1, 8)
    assert len(codes) == 2 * 25 and codes.min() >= 0 and codes.max() < 1024
    assert "part-0000.tar" in run("split", pack, "--out", tmp_path / "parts")
    assert "2 recordings" in run("join", tmp_path / "parts", "--out", tmp_path / "joined", "--workers", 1)
    joined = AudioPack(tmp_path / "joined")
    assert {(r.id, r.samples, r.text, r.kind) for r in joined.rows} == {
        ("a", 16000, "Hello there.", None), ("b", 16000, None, "hiss")
    }  # fmt: skip
    assert "pcm.i16.000" in run("split", pack / "pcm.i16", "--out", tmp_path / "chunks")
    run("join", tmp_path / "chunks/pcm.i16.chunks.json", "--out", tmp_path / "again")
    assert (tmp_path / "again/pcm.i16").read_bytes() == (pack / "pcm.i16").read_bytes()


def test_the_teacher_hears_what_whisper_hears() -> None:
    feature_extractor = pytest.importorskip(
        "faster_whisper.feature_extractor", reason="faster-whisper is not installed", exc_type=ImportError
    )
    wav_T = (0.1 * np.random.default_rng(1).standard_normal(16000)).astype(np.float32)
    theirs_MS = feature_extractor.FeatureExtractor()(wav_T, padding=0)[:, :100]
    np.testing.assert_allclose(log_mel(wav_T), theirs_MS, atol=1e-4)


@pytest.mark.skipif(
    "SPEECHX_WHISPER" not in os.environ, reason="SPEECHX_WHISPER names no Whisper base of CTranslate2"
)
def test_features_of_a_real_teacher(tmp_path: Path) -> None:
    from speechx.data.annotate.teacher import add_teacher
    from speechx.data.synthetic import synthetic_pack

    pack = synthetic_pack(tmp_path, utterances=2, speakers=2, noises=1)
    for name in ("teacher.f16", "teacher.jsonl"):
        (pack / name).unlink()
    frames = add_teacher(pack, os.environ["SPEECHX_WHISPER"])
    rows = [row for row in AudioPack(pack).rows if row.speaker]
    assert frames == sum(-(-row.samples // 640) for row in rows)
    assert all(row.teacher and row.teacher[1] == -(-row.samples // 640) for row in rows)
