"""The whole chain with other codecs: prepare, encode, train the aligner, mix, train the language model, speak, serve.

Small random weights of EnCodec (24 kHz, 75 frames/s), DAC (16 kHz, 50) and Mimi (24 kHz, 12.5).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechx.api import SpeechX
from speechx.audio import reading
from speechx.cli.main import main
from speechx.data.packs import AudioPack
from speechx.data.shards import Shards
from speechx.data.synthetic import synthetic_pack
from speechx.errors import InputError
from speechx.models.aligner import Aligner
from speechx.models.codec.sources import open_codec, write_codec
from speechx.models.lm.folder import LM_FOLDER
from speechx.models.refiner import RefinerConfig, load_refiner, make_refiner
from speechx.pipeline.loading import load_front
from tests.helpers.codecs import ARCHITECTURES, small_codec

TASKS = ("tts", "noise_suppression", "speech_editing")
LM_STEPS = 50


@dataclass(frozen=True)
class Chain:
    """What the commands have made with one codec."""

    architecture: str
    codec: Path
    pack: Path
    shards: Path
    model: Path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings with transcripts and noise, as files."""
    root = tmp_path_factory.mktemp("corpus")
    made = AudioPack(synthetic_pack(root / "pack", utterances=12, speakers=3, noises=3, words=5))
    lines = []
    for row in made.rows:
        soundfile.write(root / f"{row.id}.wav", made.audio(row), 16000)
        facts = {"audio": f"{row.id}.wav", "split": row.split, "speaker": row.speaker, "text": row.text}
        facts |= {"language": row.language, "kind": row.kind, "id": row.id}
        lines.append(json.dumps({k: v for k, v in facts.items() if v is not None}) + "\n")
    (root / "metadata.jsonl").write_text("".join(lines))
    return root


def run(*arguments: object) -> None:
    assert main([str(a) for a in arguments]) == 0, arguments


@pytest.fixture(scope="module", params=ARCHITECTURES)
def chain(request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    root = tmp_path_factory.mktemp(request.param)
    codec, pack, model = root / "codec", root / "pack", root / "model"
    made = small_codec(request.param)
    write_codec(made, codec)
    run("data", "prepare", corpus, "--output", pack, "--rate", made.sample_rate, "--workers", 1)
    run("data", "encode", "--pack", pack, "--codec", codec)
    (root / "aligner.yaml").write_text(
        "aligner: {dim: 16, blocks: 1}\nsteps: 3\nbatch_frames: 600\nmax_frames: 1000\nlog_every: 1\n"
    )
    run(
        "train",
        "aligner",
        "--config",
        root / "aligner.yaml",
        "--pack",
        pack,
        "--codec",
        codec,
        "-o",
        root / "a",
    )
    mix = [
        "--pack",
        pack,
        "--codec",
        codec,
        "--aligner",
        root / "a/model",
        "-o",
        root / "shards",
        "--count",
        4,
    ]
    run("data", "mix", *mix, "--rooms", 0, "--max-per", 9, *(x for t in TASKS for x in ("--task", t)))
    (root / "lm.yaml").write_text(
        f"preset: tiny\nsteps: {LM_STEPS}\nbatch_steps: 200\nmax_length: 2000\nbf16: false\nlog_every: 10\n"
        "model: {dim: 32, layers: 1, ffn_dim: 32, max_positions: 2048}\nlr: 0.01\nwarmup: 5\n"
    )
    run(
        "train",
        "lm",
        "--config",
        root / "lm.yaml",
        "--shards",
        root / "shards",
        "--codec",
        codec,
        "-o",
        root / "l",
    )
    shutil.copytree(root / "l/model", model / "lm")
    shutil.copytree(root / "a/model", model / "aligner")
    make_refiner(RefinerConfig(width=8, fused=8).for_codec(made)).save(model / "mask")
    shutil.copytree(codec, model / "codec")
    return Chain(request.param, codec, pack, root / "shards", model)


@pytest.fixture(scope="module")
def sx(chain: Chain) -> SpeechX:
    return SpeechX.load(chain.model, slots=4)


def test_every_network_takes_its_shape_from_the_codec(chain: Chain) -> None:
    codec = open_codec(chain.codec)
    assert AudioPack(chain.pack).sample_rate == codec.sample_rate
    lm = LM_FOLDER.read_config(chain.model / "lm")
    assert (lm.num_codebooks, lm.codebook_size, lm.codec_hash) == (4, 64, codec.hash)
    assert lm.max_phone_frames == round(codec.frame_rate)
    aligner = Aligner.load(chain.model / "aligner").config
    assert (aligner.codec_hash, aligner.frame_rate) == (codec.hash, codec.frame_rate)
    assert aligner.step_rate >= 50
    refiner = load_refiner(chain.model / "mask").config
    assert refiner.hop == round(0.016 * codec.sample_rate)
    losses = (chain.shards.parent / "l/log.csv").read_text().splitlines()
    at = losses[0].split(",").index("loss")
    assert float(losses[-1].split(",")[at]) < 0.9 * float(losses[1].split(",")[at]), "it learns"


def test_pairs_are_on_the_codecs_frames(chain: Chain) -> None:
    frame_rate = open_codec(chain.codec).frame_rate
    for pair in Shards([chain.shards]):
        assert pair.target_FK.shape[1] == 4 and pair.target_FK.max() < 64
        assert len(pair.target_FK) < 10 * frame_rate


@pytest.mark.parametrize("stream", [False, True])
def test_it_speaks(chain: Chain, sx: SpeechX, stream: bool) -> None:
    codec = open_codec(chain.codec)
    voice = (AudioPack(chain.pack).audio_at(16000, AudioPack(chain.pack).rows[0]), 16000)
    chunks = list(sx.stream("tts", text="Blue river.", voice=voice, seed=1))
    wav_T = np.concatenate([chunk.wav_T for chunk in chunks])
    assert chunks[-1].sample_rate == codec.sample_rate and len(wav_T) % codec.hop == 0
    assert 0.1 < len(wav_T) / codec.sample_rate < 8 and np.isfinite(wav_T).all()
    assert len(chunks) > 1 or not stream
    spoken = [word.text for word in chunks[-1].words]
    assert spoken == ["Blue", "river."] or spoken == ["Blue", "river"]


def test_it_follows_and_edits_a_recording(chain: Chain, sx: SpeechX, corpus: Path) -> None:
    row = next(r for r in AudioPack(chain.pack).rows if r.language == "en")
    assert row.text is not None
    path = corpus / f"{row.id}.wav"
    rate, seconds = open_codec(chain.codec).sample_rate, len(reading.read(path)) / 16000
    clean = sx.noise_suppression(path, text=row.text, seed=1)
    assert clean.sample_rate == rate and abs(clean.seconds - seconds) < 0.01
    # The edited recording keeps its own rate, and its own samples outside the span.
    sx.pipeline.frontend.max_phone_errors = np.inf
    edited = sx.speech_editing(path, text=row.text, span=(0.3, 0.6), seed=1)
    assert edited.sample_rate == 16000
    head = round(0.15 * 16000)
    np.testing.assert_allclose(edited.wav_T[:head], reading.read(path)[:head], atol=1e-4)


def test_networks_of_another_codec_are_refused(chain: Chain, tmp_path: Path) -> None:
    """The sentence names both hashes."""
    other = small_codec(next(a for a in ARCHITECTURES if a != chain.architecture))
    used = open_codec(chain.codec)
    write_codec(other, tmp_path / "codec")
    for part in ("lm", "aligner", "mask"):
        folder = tmp_path / part
        shutil.copytree(chain.model / part, folder / part)
        shutil.copytree(chain.model / "lm", folder / "lm", dirs_exist_ok=True)
        load = SpeechX.load if part == "lm" else load_front
        with pytest.raises(InputError, match=rf"{used.hash}.*{other.hash}"):
            load(folder, codec=tmp_path / "codec")
        load(folder, codec=chain.codec)
    pack = ["--pack", str(chain.pack), "--codec", str(tmp_path / "codec")]
    rest = ["--aligner", str(chain.model / "aligner"), "-o", str(tmp_path / "shards")]
    assert main(["data", "mix", *pack, *rest]) == 2
    assert not (tmp_path / "shards").exists(), "the error comes before the work"


def test_it_serves(chain: Chain) -> None:
    from fastapi.testclient import TestClient

    from speechx.pipeline.local_engine import LocalEngine
    from speechx.serving.app import build_app
    from speechx.serving.cluster.replica import ReplicaOptions, make_engine
    from speechx.serving.settings import Settings

    options = ReplicaOptions(model=str(chain.model), codec=str(chain.codec), slots=4)
    engine = make_engine(options)
    assert isinstance(engine, LocalEngine)
    try:
        with TestClient(build_app(engine, Settings(page=False))) as client:
            voice = client.get("/v1/voices").json()["voices"][0]["id"]
            answer = client.post("/v1/tts", json={"text": "Blue river.", "voice": voice, "seed": 1})
            assert answer.status_code == 200, answer.text
        wav_T = reading.read(answer.content, rate=(rate := open_codec(chain.codec).sample_rate))
        assert reading.probe(answer.content).rate == rate and len(wav_T)
    finally:
        engine.close()


def test_a_batch_job(chain: Chain, corpus: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "jobs.jsonl"
    voice = str(corpus / "u0000.wav")
    manifest.write_text(
        json.dumps({"id": "a", "task": "tts", "text": "River.", "voice": voice, "seed": 1}) + "\n"
    )
    job = ["batch", manifest, "-o", tmp_path / "out", "--model", chain.model, "--codec", chain.codec]
    run(*job, "--slots", 4)
    assert soundfile.info(tmp_path / "out/a.wav").samplerate == open_codec(chain.codec).sample_rate
