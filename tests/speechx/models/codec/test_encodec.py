"""EnCodec behind the codec protocol. Random weights; real ones where SPEECHX_ENCODEC names a folder or .th file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from speechx.errors import InputError
from speechx.models.codec.base import Codec
from speechx.models.codec.encodec import EncodecCodec, package_name


@pytest.fixture(scope="module")
def codec() -> EncodecCodec:
    from transformers import EncodecConfig

    torch.manual_seed(1)
    config = EncodecConfig(num_filters=4, hidden_size=16, codebook_size=64)
    made = EncodecCodec.from_config(config, num_codebooks=4)
    for layer in made.model.quantizer.layers:
        layer.codebook.embed.copy_(torch.randn(64, 16))
    return made


def test_it_is_a_codec(codec: EncodecCodec) -> None:
    assert isinstance(codec, Codec)
    assert (codec.sample_rate, codec.frame_rate, codec.num_codebooks, codec.codebook_size) == (
        24000,
        75.0,
        4,
        64,
    )
    assert len(codec.hash) == 16


@pytest.mark.parametrize("samples", [1, 320, 321, 4000])
def test_frames(codec: EncodecCodec, samples: int) -> None:
    codes_BKF = codec.encode(0.1 * torch.randn(2, samples))
    frames = -(-samples // 320)
    assert codes_BKF.shape == (2, 4, frames) and codes_BKF.dtype == torch.int64
    assert codec.decode(codes_BKF).shape == (2, frames * 320)


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 40])
@pytest.mark.parametrize("frames", [1, 5, 8, 33])
def test_a_stream_equals_the_offline_decode(codec: EncodecCodec, frames: int, size: int) -> None:
    codes_BKF = torch.randint(64, (2, 4, frames), generator=torch.Generator().manual_seed(frames))
    stream = codec.stream(2)
    parts = [stream.push(codes_BKF[..., i : i + size]) for i in range(0, frames, size)]
    wav_BT = torch.cat([*parts, stream.flush()], 1)
    torch.testing.assert_close(wav_BT, codec.decode(codes_BKF), atol=1e-4, rtol=0)


def test_wrong_input(codec: EncodecCodec, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="4 codebooks"):
        codec.decode(torch.zeros(1, 8, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="at least one sample"):
        codec.encode(torch.zeros(1, 0))
    with pytest.raises(ValueError, match="num_codebooks is 99"):
        EncodecCodec(codec.model, 99)
    with pytest.raises(InputError, match="neither"):
        EncodecCodec.load(tmp_path)


def test_a_folder_of_transformers(codec: EncodecCodec, tmp_path: Path) -> None:
    codec.model.save_pretrained(tmp_path)
    assert EncodecCodec.load(tmp_path, num_codebooks=4).hash == codec.hash


def test_names_of_the_package() -> None:
    assert package_name("encoder.model.1.block.1.conv.conv.weight_g") == (
        "encoder.layers.1.block.1.conv.parametrizations.weight.original0"
    )
    assert package_name("decoder.model.3.convtr.convtr.bias") == "decoder.layers.3.conv.bias"
    assert package_name("decoder.model.1.lstm.weight_ih_l0") == "decoder.layers.1.lstm.weight_ih_l0"
    assert package_name("quantizer.vq.layers.7._codebook.embed") == "quantizer.layers.7.codebook.embed"


def test_the_package_gives_the_same_codes_and_sound(tmp_path: Path) -> None:
    encodec = pytest.importorskip(
        "encodec", reason="the package encodec is not installed", exc_type=ImportError
    )
    torch.manual_seed(2)
    theirs = encodec.EncodecModel.encodec_model_24khz(pretrained=False).eval()
    for layer in theirs.quantizer.vq.layers:
        layer._codebook.embed.copy_(torch.randn(1024, 128))
        layer._codebook.inited.fill_(1)
    theirs.set_target_bandwidth(6.0)
    torch.save(theirs.state_dict(), tmp_path / "encodec_24khz.th")
    ours = EncodecCodec.load(tmp_path / "encodec_24khz.th")
    assert ours.hash == EncodecCodec.from_package_state(theirs.state_dict()).hash
    wav_BT = 0.1 * torch.randn(1, 9600)
    with torch.inference_mode():
        frames = theirs.encode(wav_BT[None])
        assert torch.equal(ours.encode(wav_BT), frames[0][0])
        torch.testing.assert_close(ours.decode(frames[0][0]), theirs.decode(frames)[:, 0], atol=1e-4, rtol=0)


@pytest.mark.skipif(
    "SPEECHX_ENCODEC" not in os.environ, reason="SPEECHX_ENCODEC names no checkpoint of EnCodec"
)
def test_real_weights_code_a_tone_well() -> None:
    codec = EncodecCodec.load(os.environ["SPEECHX_ENCODEC"])
    time_T = torch.arange(24000) / 24000
    wav_BT = 0.3 * torch.sin(2 * torch.pi * 220 * time_T)[None]
    made_BT = codec.decode(codec.encode(wav_BT))
    assert float((made_BT - wav_BT).square().mean() / wav_BT.square().mean()) < 0.2
