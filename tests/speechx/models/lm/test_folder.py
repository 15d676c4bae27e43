"""Model folders: the round trip, what is refused and how it is said, and transformers' view of them."""

import json
import zlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from speechx.errors import InputError
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import load_model, save_model
from speechx.models.lm.model import CodecLMCore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_model(CodecLMCore(LMConfig.preset("tiny", codec_name="spectral", codec_hash="abc")), tmp_path)
    return tmp_path


def edit(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_round_trip(folder: Path) -> None:
    core = load_model(folder, codec_name="spectral", codec_hash="abc", phone_table_version=1)
    assert core.shape.codec_hash == "abc" and not core.training
    stored = load_file(folder / "model.safetensors")
    assert all(t.dtype == torch.float16 for t in stored.values())
    for name, value in core.state_dict().items():
        torch.testing.assert_close(value, stored[name].float())
    assert load_model(folder, dtype=torch.bfloat16).embed.weight.dtype == torch.bfloat16
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_weights_on_a_grid_are_near_and_pack_smaller(folder: Path, tmp_path: Path) -> None:
    core = load_model(folder)
    sizes = []
    for step in (0, 0.125):
        save_model(core, tmp_path / str(step), step)
        sizes.append(len(zlib.compress((tmp_path / str(step) / "model.safetensors").read_bytes())))
        for name, value in load_model(tmp_path / str(step)).state_dict().items():
            before = core.state_dict()[name]
            # The grid's unit is a power of two, at most the square root of two times `step`, and rounding half of it.
            far = 0.71 * step * before.square().mean().sqrt() if value.ndim > 1 else 0
            torch.testing.assert_close(value, before, rtol=0, atol=float(far) + 1e-7)
            if step and value.ndim > 1:
                assert torch.equal(value, value.bfloat16().float()), "bfloat16 holds the grid, too"
    assert sizes[1] < 0.7 * sizes[0]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ({"codec_name": "encodec"}, "trained with codec spectral abc, not with encodec"),
        ({"codec_hash": "xyz"}, "trained with codec spectral abc, not with xyz"),
        ({"phone_table_version": 0}, "needs phone table 1"),
    ],
)
def test_a_model_used_with_what_it_does_not_know(folder: Path, use: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_model(folder, **use)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 0}, "this release reads format 2"),
        ({"model_type": "gpt2"}, "of type gpt2, not a SpeechX language model"),
        ({"dim": 63}, "multiple of"),
        ({"advance_weight": 0.7}, "does not match the hash"),
        ({"layers": 3}, "does not match the hash"),
    ],
)
def test_a_config_that_was_changed(folder: Path, changes: dict[str, object], message: str) -> None:
    edit(folder, **changes)
    with pytest.raises(InputError, match=message):
        load_model(folder)


def test_damaged_files(folder: Path) -> None:
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    tensors["track.weight"][0, 0] += 1
    save_file(tensors, weights)
    with pytest.raises(InputError, match="does not match the hash"):
        load_model(folder)
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be read"):
        load_model(folder)
    weights.unlink()
    with pytest.raises(InputError, match="is missing"):
        load_model(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        load_model(folder)


def test_weights_that_are_not_numbers_are_not_saved(tmp_path: Path) -> None:
    core = CodecLMCore(LMConfig.preset("tiny"))
    with torch.no_grad():
        core.track.weight[0, 0] = 1e6  # infinite in fp16
    with pytest.raises(ValueError, match=r"not finite.*track\.weight"):
        save_model(core, tmp_path)
    assert not list(tmp_path.iterdir())


def test_as_a_transformers_model(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from transformers import AutoModel

    from speechx.models.lm.pretrained import CodecLM, CodecLMConfig

    model = CodecLM.from_pretrained(folder)
    assert isinstance(model.config, CodecLMConfig) and model.config.codec_hash == "abc"
    model.save_pretrained(tmp_path / "again")
    again = AutoModel.from_pretrained(tmp_path / "again")
    assert isinstance(again, CodecLM)
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert CodecLM(CodecLMConfig.preset("tiny")).num_parameters() == model.num_parameters()
