"""What is EnCodec's own: the package `encodec`, whose checkpoint is the same under other names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from speechx.errors import InputError
from speechx.models.codec.encodec import EncodecCodec, package_name
from speechx.models.codec.sources import open_codec, unpickled
from tests.helpers.optional import need


def test_names_of_the_package() -> None:
    assert package_name("encoder.model.1.block.1.conv.conv.weight_g") == (
        "encoder.layers.1.block.1.conv.parametrizations.weight.original0"
    )
    assert package_name("decoder.model.3.convtr.convtr.bias") == "decoder.layers.3.conv.bias"
    assert package_name("decoder.model.1.lstm.weight_ih_l0") == "decoder.layers.1.lstm.weight_ih_l0"
    assert package_name("quantizer.vq.layers.7._codebook.embed") == "quantizer.layers.7.codebook.embed"


def test_a_pickle_is_read_where_asked_and_holds_nothing_but_tensors(tmp_path: Path) -> None:
    torch.save({"encoder": torch.zeros(1)}, tmp_path / "other.th")
    with pytest.raises(InputError, match="pickled weights"):
        open_codec(tmp_path / "other.th")
    with pytest.raises(InputError, match="not those of the 24 kHz EnCodec"):
        unpickled(tmp_path / "other.th")
    torch.save({"encoder": Path("x")}, tmp_path / "code.th")
    with pytest.raises(InputError, match="cannot be read as pickled tensors"):
        unpickled(tmp_path / "code.th")
    (tmp_path / "text.th").write_text("no pickle")
    with pytest.raises(InputError, match="cannot be read as pickled tensors"):
        unpickled(tmp_path / "text.th")


def test_the_package_gives_the_same_codes_and_sound(tmp_path: Path) -> None:
    encodec = need("encodec", "the package encodec is not installed")
    torch.manual_seed(2)
    theirs = encodec.EncodecModel.encodec_model_24khz(pretrained=False).eval()
    for layer in theirs.quantizer.vq.layers:
        layer._codebook.embed.copy_(torch.randn(1024, 128))
        layer._codebook.inited.fill_(1)
    theirs.set_target_bandwidth(6.0)
    torch.save(theirs.state_dict(), tmp_path / "encodec_24khz.th")
    ours = unpickled(tmp_path / "encodec_24khz.th")
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
    path = Path(os.environ["SPEECHX_ENCODEC"])
    codec = EncodecCodec.load(path) if path.is_dir() else unpickled(path)
    time_T = torch.arange(24000) / 24000
    wav_BT = 0.3 * torch.sin(2 * torch.pi * 220 * time_T)[None]
    made_BT = codec.decode(codec.encode(wav_BT))
    assert float((made_BT - wav_BT).square().mean() / wav_BT.square().mean()) < 0.2
