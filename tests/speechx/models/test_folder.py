"""Model folders: plain fp16 files, grids, and adapters that belong to their weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from speechx.errors import InputError
from speechx.models.aligner import ALIGNER_FOLDER, AlignerConfig
from speechx.models.config import ModelConfig
from speechx.models.folder import ModelFolder, matrices_on_grid, on_grid
from speechx.models.lora import LoRAAdapter, LoRAScope


class ToyConfig(ModelConfig):
    width: int = 48


TOY = ModelFolder("toy", ToyConfig, "toy", parts={"far": "far.safetensors"})


def test_a_grid_moves_values_by_half_a_unit_at_most() -> None:
    matrix_MN = torch.randn(64, 48, generator=torch.Generator().manual_seed(2))
    coarse_MN = on_grid(matrix_MN, 0.25)
    unit = float(coarse_MN[coarse_MN != 0].abs().min())
    assert torch.tensor(unit).log2() == torch.tensor(unit).log2().round(), "a power of two"
    assert 0 < (coarse_MN - matrix_MN).abs().max() <= unit / 2
    assert torch.equal(on_grid(matrix_MN, 0.0), matrix_MN)
    assert not on_grid(torch.zeros(2, 2), 0.25).any()


def test_the_files_are_plain_and_keep_a_grid_exactly(tmp_path: Path) -> None:
    matrix_MN = torch.randn(64, 48, generator=torch.Generator().manual_seed(2))
    tensors = matrices_on_grid({"matrix": matrix_MN, "far": 9 * matrix_MN, "bias": matrix_MN[0]}, 0.25)
    assert torch.equal(tensors["bias"], matrix_MN[0])
    TOY.write(tmp_path, ToyConfig(), tensors)
    stored = load_file(tmp_path / "model.safetensors") | load_file(tmp_path / "far.safetensors")
    assert all(value.dtype == torch.float16 for value in stored.values())
    assert torch.equal(stored["matrix"].float(), tensors["matrix"])
    config, back = TOY.read(tmp_path)
    assert config == ToyConfig() and back.keys() == tensors.keys()
    assert torch.equal(back["far"], tensors["far"]) and back["far"].dtype == torch.float32


def test_an_adapter_belongs_to_its_weights(tmp_path: Path) -> None:
    adapter = LoRAAdapter(
        LoRAScope(("es",)), {"matrix.up": torch.ones(64, 1), "matrix.down": torch.ones(1, 48)}
    )
    for name, value in (("one", 1.0), ("two", 2.0)):
        TOY.write(tmp_path / name, ToyConfig(), {"matrix": torch.full((64, 48), value)})
        assert TOY.read_adapter(tmp_path / name) is None
        TOY.write_adapter(tmp_path / name, adapter)
        found = TOY.read_adapter(tmp_path / name)
        assert found is not None and found.scope == adapter.scope
    (tmp_path / "one/adapter.safetensors").replace(tmp_path / "two/adapter.safetensors")
    config = tmp_path / "two/config.json"
    facts = json.loads((tmp_path / "one/config.json").read_text())
    config.write_text(json.dumps(json.loads(config.read_text()) | {"adapter_hash": facts["adapter_hash"]}))
    with pytest.raises(InputError, match="does not match the hash"):
        TOY.read_adapter(tmp_path / "two")


def test_unknown_keys_and_other_networks(tmp_path: Path) -> None:
    TOY.write(tmp_path, ToyConfig(), {"matrix": torch.ones(2, 2)})
    with pytest.raises(InputError, match="describes a model of type toy, not a SpeechX aligner"):
        ALIGNER_FOLDER.read(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"height": 3}))
    with pytest.raises(InputError, match="ToyConfig has no key height; it has width"):
        TOY.read(tmp_path)
    with pytest.raises(ValueError, match="AlignerConfig has no preset 'huge'"):
        AlignerConfig.preset("huge")
