"""The codec: shapes, streaming, folders. Random weights; the tiny presets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechx.errors import InputError
from speechx.models.codec.base import Codec
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.folder import load_codec, save_codec
from speechx.models.codec.spectral import SpectralCodec


@pytest.fixture(scope="module")
def codec() -> SpectralCodec:
    torch.manual_seed(1)
    codec = SpectralCodec.from_config(SpectralConfig.preset("tiny"))
    codec.mean_D.normal_()
    codec.scale_D.uniform_(0.5, 5.0)
    return codec


def noise(batch: int, samples: int, seed: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(seed))


def test_it_is_a_codec(codec: SpectralCodec) -> None:
    assert isinstance(codec, Codec)
    assert (codec.sample_rate, codec.frame_rate, codec.num_codebooks, codec.codebook_size) == (
        16000,
        25.0,
        8,
        1024,
    )


@pytest.mark.parametrize("samples", [1, 639, 640, 641, 16000])
def test_a_frame_for_every_640_samples_begun(codec: SpectralCodec, samples: int) -> None:
    codes_BKF = codec.encode(noise(1, samples))
    frames = -(-samples // 640)
    assert codes_BKF.shape == (1, 8, frames) and codes_BKF.dtype == torch.int64
    wav_BT = codec.decode(codes_BKF)
    assert (
        wav_BT.shape == (1, frames * 640) and wav_BT.dtype == torch.float32 and bool(wav_BT.isfinite().all())
    )


@settings(max_examples=12, deadline=None)
@given(
    frames=st.integers(1, 30),
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    seed=st.integers(0, 99),
)
def test_a_stream_equals_the_offline_decode(
    codec: SpectralCodec, frames: int, sizes: list[int], seed: int
) -> None:
    codes_BKF = torch.randint(1024, (2, 8, frames), generator=torch.Generator().manual_seed(seed))
    stream, parts, at = codec.stream(2), [], 0
    for size in sizes:
        parts.append(stream.push(codes_BKF[..., at : at + size]))
        at = min(frames, at + size)
    parts += [stream.push(codes_BKF[..., at:]), stream.flush()]
    torch.testing.assert_close(torch.cat(parts, 1), codec.decode(codes_BKF), atol=1e-4, rtol=0)


def test_a_stream_is_late_by_a_frame_and_some(codec: SpectralCodec) -> None:
    stream = codec.stream()
    lengths = [stream.push(torch.zeros(1, 8, 1, dtype=torch.int64)).shape[1] for _ in range(6)]
    assert sum(lengths[:1]) == 0 and sum(lengths) >= 4 * 640


def test_a_flushed_stream_is_over(codec: SpectralCodec) -> None:
    stream = codec.stream()
    assert stream.flush().shape == (1, 0)
    with pytest.raises(ValueError, match="flushed"):
        stream.push(torch.zeros(1, 8, 1, dtype=torch.int64))


def test_two_streams_do_not_meet(codec: SpectralCodec) -> None:
    a_KF, b_KF = torch.randint(1024, (2, 8, 12), generator=torch.Generator().manual_seed(5))
    first, second = codec.stream(), codec.stream()
    out_a, out_b = [], []
    for i in range(0, 12, 3):
        out_a.append(first.push(a_KF[None, :, i : i + 3]))
        out_b.append(second.push(b_KF[None, :, i : i + 3]))
    wav_BT = torch.cat([*out_a, first.flush()], 1)
    torch.testing.assert_close(wav_BT, codec.decode(a_KF[None]), atol=1e-4, rtol=0)


def test_a_batch_gives_what_each_item_alone_gives(codec: SpectralCodec) -> None:
    wav_BT = noise(3, 6400)
    together = codec.encode(wav_BT)
    alone = torch.cat([codec.encode(wav_BT[i : i + 1]) for i in range(3)])
    assert torch.equal(together, alone)
    torch.testing.assert_close(
        codec.decode(together),
        torch.cat([codec.decode(alone[i : i + 1]) for i in range(3)]),
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize(
    "codes",
    [
        torch.zeros(1, 7, 3, dtype=torch.int64),
        torch.zeros(1, 8, 3),
        torch.full((1, 8, 3), 1024),
        torch.full((1, 8, 3), -1),
    ],
)
def test_wrong_codes_are_refused(codec: SpectralCodec, codes: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="codes"):
        codec.decode(codes)


def test_no_sound_is_refused(codec: SpectralCodec) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        codec.encode(torch.zeros(1, 0))
    assert codec.decode(torch.zeros(1, 8, 0, dtype=torch.int64)).shape == (1, 0)


def test_a_folder_keeps_the_codec(codec: SpectralCodec, tmp_path: Path) -> None:
    save_codec(codec, tmp_path)
    loaded = load_codec(tmp_path)
    assert loaded.hash == codec.hash and loaded.weights_hash == codec.weights_hash
    assert loaded.config == codec.config
    # Weights are stored in half precision: from then on nothing changes any more.
    save_codec(loaded, tmp_path / "again")
    again = load_codec(tmp_path / "again")
    wav_BT = noise(1, 6400)
    assert torch.equal(loaded.encode(wav_BT), again.encode(wav_BT))


def test_other_weights_have_another_hash(codec: SpectralCodec) -> None:
    torch.manual_seed(9)
    assert SpectralCodec.from_config(codec.config).hash != codec.hash


def test_changed_weights_are_found_out(codec: SpectralCodec, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    save_codec(codec, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: weights[name] + np.float16(1)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="hash"):
        load_codec(tmp_path)


def test_folders_that_hold_no_codec(codec: SpectralCodec, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json is missing"):
        load_codec(tmp_path)
    save_codec(codec, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"name": "other"}))
    with pytest.raises(InputError, match="'other'"):
        load_codec(tmp_path)
    for version in (1, 3):
        (tmp_path / "config.json").write_text(json.dumps(config | {"version": version}))
        with pytest.raises(InputError, match=f"version {version}"):
            load_codec(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"dim": 48}))
    with pytest.raises(InputError, match="does not match the hash"):
        load_codec(tmp_path)
    save_codec(codec, tmp_path)
    data = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        load_codec(tmp_path)


def test_an_unknown_preset_or_key_is_an_error() -> None:
    with pytest.raises(ValueError, match="preset 'huge'"):
        SpectralConfig.preset("huge")
    with pytest.raises(ValueError, match="depth"):
        SpectralConfig(depth=3)  # type: ignore[call-arg]
