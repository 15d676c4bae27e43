"""EnCodec, DAC and Mimi behind the codec protocol, with small random weights; published ones with SPEECHX_HUB=1."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from speechx.errors import InputError
from speechx.models.codec.base import Codec
from speechx.models.codec.pretrained import PretrainedCodec
from speechx.models.codec.sources import CODECS, open_codec, write_codec
from speechx.models.codec.spectral import SpectralCodec
from tests.helpers.codecs import ARCHITECTURES, small_codec

RATES = {"encodec": (24000, 75.0), "dac": (16000, 50.0), "mimi": (24000, 12.5)}
NAMES = {"encodec": "encodec-24khz", "dac": "dac-16khz", "mimi": "mimi"}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def codec(request: pytest.FixtureRequest) -> PretrainedCodec:
    made = small_codec(request.param)
    assert isinstance(made, PretrainedCodec)
    return made


def test_it_is_a_codec(codec: PretrainedCodec) -> None:
    assert isinstance(codec, Codec)
    assert (codec.sample_rate, codec.frame_rate) == RATES[codec.model_type]
    assert (codec.num_codebooks, codec.codebook_size, len(codec.hash)) == (4, 64, 16)
    assert codec.name == NAMES[codec.model_type] and codec.license


@pytest.mark.parametrize("frames", [0.2, 1, 1.01, 7])
def test_a_frame_for_every_hop_begun(codec: PretrainedCodec, frames: float) -> None:
    codes_BKF = codec.encode(0.1 * torch.randn(2, round(frames * codec.hop)))
    whole = -int(-frames // 1)
    assert codes_BKF.shape == (2, 4, whole) and codes_BKF.dtype == torch.int64
    assert codec.decode(codes_BKF).shape == (2, whole * codec.hop)


@pytest.mark.parametrize("sizes", [[1], [3], [9], [40], [5, 1, 2]])
@pytest.mark.parametrize("frames", [1, 7, 41])
def test_a_stream_equals_the_offline_decode(codec: PretrainedCodec, frames: int, sizes: list[int]) -> None:
    codes_BKF = torch.randint(64, (2, 4, frames), generator=torch.Generator().manual_seed(frames))
    stream, parts, at = codec.stream(2), [], 0
    while at < frames:
        size = sizes[len(parts) % len(sizes)]
        parts.append(stream.push(codes_BKF[..., at : at + size]))
        at += size
    wav_BT = torch.cat([*parts, stream.flush()], 1)
    torch.testing.assert_close(wav_BT, codec.decode(codes_BKF), atol=1e-4, rtol=0)
    assert stream.flush().shape == (2, 0)
    with pytest.raises(ValueError, match="flushed"):
        stream.push(codes_BKF)


def test_code_vectors_add_up_to_the_latent(codec: PretrainedCodec) -> None:
    vectors_KVD = codec.code_vectors()
    assert vectors_KVD.shape == (4, 64, codec.latent_dim)
    codes_BKF = torch.randint(64, (1, 4, 3))
    sum_FD = sum(vectors_KVD[k][codes_BKF[0, k]] for k in range(4))
    torch.testing.assert_close(codec.latent(codes_BKF)[0], sum_FD, atol=1e-4, rtol=1e-4)
    assert codec.features(codes_BKF).shape == (1, 3, codec.feature_dim)


def test_a_folder_keeps_the_codec(codec: PretrainedCodec, tmp_path: Path) -> None:
    write_codec(codec, tmp_path)
    loaded = open_codec(tmp_path)
    assert (loaded.name, loaded.hash, loaded.num_codebooks) == (codec.name, codec.hash, 4)
    wav_BT = 0.1 * torch.randn(1, 3 * codec.hop)
    assert torch.equal(loaded.encode(wav_BT), codec.encode(wav_BT))
    fewer = open_codec(f"{tmp_path}:2")
    assert fewer.num_codebooks == 2 and fewer.hash != codec.hash
    assert torch.equal(fewer.encode(wav_BT), codec.encode(wav_BT)[:, :2])


def test_our_own_codec_by_the_same_door(tiny_folder: Path) -> None:
    assert isinstance(open_codec(tiny_folder / "codec"), SpectralCodec)


def test_wrong_input(codec: PretrainedCodec) -> None:
    with pytest.raises(ValueError, match="4 codebooks"):
        codec.decode(torch.zeros(1, 8, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"0\.\.63"):
        codec.decode(torch.full((1, 4, 3), 64))
    with pytest.raises(ValueError, match="at least one sample"):
        codec.encode(torch.zeros(1, 0))
    with pytest.raises(ValueError, match="num_codebooks is 99"):
        type(codec)(codec.model, 99)


def test_folders_that_are_no_codec(codec: PretrainedCodec, tmp_path: Path) -> None:
    """One sentence each, and nothing half-loaded."""
    write_codec(codec, tmp_path / "whole")

    def broken(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "whole", tmp_path / name))

    def reason(source: str | Path) -> str:
        with pytest.raises(InputError) as caught:
            open_codec(source)
        assert caught.value.field == "codec" and "\n" not in str(caught.value)
        return str(caught.value)

    other = broken("other")
    values = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(values | {"model_type": "llama"}))
    assert "holds a model of type llama" in reason(other)
    (other / "config.json").write_text("{")
    assert "not valid JSON" in reason(other)
    (other / "config.json").unlink()
    assert "config.json is missing" in reason(other)
    (bad := broken("bad") / "model.safetensors").write_bytes(b"these are no tensors")
    assert "cannot be read as" in reason(bad.parent)
    bad.unlink()
    assert "model.safetensors is missing" in reason(bad.parent)
    torch.save(codec.model.state_dict(), bad.parent / "pytorch_model.bin")
    assert "pickled weights" in reason(bad.parent) and "--allow-pickle" in reason(bad.parent)
    assert "pickled weights" in reason(bad.parent / "pytorch_model.bin")
    assert "neither a folder nor one of box, encodec-24khz, mimi" in reason("nocodec")
    assert "must be a number of codebooks" in reason("mimi:many")


def test_a_part_of_the_weights_is_refused(codec: PretrainedCodec, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    write_codec(codec, tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: value for name, value in tensors.items() if "quantizer" not in name}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="tensors are missing"):
        open_codec(tmp_path)


@pytest.mark.skipif("SPEECHX_HUB" not in os.environ, reason="SPEECHX_HUB=1 tests the published checkpoints")
@pytest.mark.parametrize("name", CODECS)
def test_published_weights_code_a_tone_well(name: str) -> None:
    codec = open_codec(name)
    assert codec.name == name
    time_T = torch.arange(codec.sample_rate) / codec.sample_rate
    wav_BT = 0.3 * torch.sin(2 * torch.pi * 220 * time_T)[None]
    made_BT = codec.decode(codec.encode(wav_BT))[:, : wav_BT.shape[1]]
    spectrum_BF = torch.fft.rfft(made_BT).abs()
    assert int(spectrum_BF.argmax()) == 220


def test_the_codec_in_the_package_has_a_name() -> None:
    codec = open_codec("box")
    assert codec.sample_rate == 16000 and codec.hash == "331fbdd8e8ae30d2"
