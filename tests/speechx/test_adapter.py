"""Low-rank changes: nothing at first, the same merged as trained, and refused where they do not belong."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from speechx.adapter import adapt, factors, merge
from speechx.checkpoint import grid_unit, load_model, on_grid, save_adapter, save_model, small, whole
from speechx.config import LMConfig
from speechx.errors import InputError
from speechx.model import CodecLMCore


@pytest.fixture
def core() -> CodecLMCore:
    torch.manual_seed(0)
    return CodecLMCore(LMConfig.preset("tiny", codec_name="spectral", codec_hash="abc"))


def learned(core: CodecLMCore) -> dict[str, torch.Tensor]:
    """Factors that change something."""
    made = factors(core)
    return {k: torch.randn(v.shape, generator=torch.Generator().manual_seed(1)) / 8 for k, v in made.items()}


def test_at_first_nothing_changes_and_only_the_factors_learn(core: CodecLMCore) -> None:
    x_ND = torch.randn(3, 64)
    before = core.first_logits(x_ND)
    parameters = adapt(core, rank=4)
    names = {name.rpartition(".")[0] for name in factors(core)}
    torch.testing.assert_close(core.first_logits(x_ND), before, rtol=0, atol=0)
    assert len(parameters) == 2 * len(names) == len(factors(core))
    assert {id(p) for p in core.parameters() if p.requires_grad} == {id(p) for p in parameters}
    assert not any(name.startswith(("embed", "local_embed")) for name in names), "tables stay as they are"


def test_merged_into_a_plain_model_it_is_what_was_trained(core: CodecLMCore) -> None:
    plain = {k: v.clone() for k, v in core.state_dict().items()}
    adapt(core, rank=4)
    tensors = learned(core)
    for name, value in factors(core).items():
        value.copy_(tensors[name])
    merged = CodecLMCore(core.shape)
    merged.load_state_dict(plain)
    merge(merged, tensors)
    h_ND, codes_MG = torch.randn(5, 64), torch.randint(0, 1024, (5, 8))
    torch.testing.assert_close(merged.local_logits(h_ND, codes_MG), core.local_logits(h_ND, codes_MG))
    torch.testing.assert_close(merged.blocks[0].qkv.weight, core.blocks[0].qkv.weight)


def test_a_folder_with_an_adapter_loads_tuned(core: CodecLMCore, tmp_path: Path) -> None:
    save_model(core, tmp_path)
    plain = load_model(tmp_path)
    adapt(core, rank=4)
    save_adapter(tmp_path, learned(core))
    tuned = load_model(tmp_path)
    assert not torch.equal(tuned.first_head.weight, plain.first_head.weight)
    torch.testing.assert_close(tuned.embed.weight, plain.embed.weight)
    save_model(tuned, tmp_path / "whole")
    torch.testing.assert_close(
        load_model(tmp_path / "whole").first_head.weight, tuned.first_head.weight, rtol=1e-3, atol=1e-4
    )


def test_an_adapter_that_does_not_belong(core: CodecLMCore, tmp_path: Path) -> None:
    save_model(core, tmp_path)
    adapt(core, rank=4)
    made = learned(core)
    with pytest.raises(ValueError, match="half of first_head"):
        save_adapter(tmp_path, {k: v for k, v in made.items() if k != "first_head.weight.up"})
    with pytest.raises(ValueError, match=r"first_head\.weight does not have the model's shape"):
        save_adapter(tmp_path, made | {"first_head.weight.up": torch.zeros(3, 4)})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    save_adapter(tmp_path, made)
    path = tmp_path / "adapter.safetensors"
    tensors = load_file(path)
    tensors["first_head.weight.up"][0, 0] += 1
    save_file(tensors, path)
    with pytest.raises(InputError, match=r"adapter\.safetensors does not match the hash"):
        load_model(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"adapter\.safetensors is missing"):
        load_model(tmp_path)


def test_files_of_matrices_on_a_grid_are_small_and_lose_half_a_unit_at_most() -> None:
    matrix_MN = torch.randn(64, 48, generator=torch.Generator().manual_seed(2))
    far_MN = matrix_MN.clone()
    far_MN[0, 0] = 300.0
    tensors = {"matrix": matrix_MN, "far": far_MN, "bias": matrix_MN[0]}
    stored = small(tensors, 0.25)
    assert {k: v.dtype for k, v in stored.items()} == {
        "matrix": torch.int8, "matrix.unit": torch.float32, "far": torch.float16, "bias": torch.float16,
    }  # fmt: skip
    back = whole(stored)
    assert back.keys() == tensors.keys() and all(v.dtype == torch.float32 for v in back.values())
    unit = grid_unit(matrix_MN, 0.25)
    assert 0 < (back["matrix"] - matrix_MN).abs().max() <= unit / 2
    assert torch.equal(back["matrix"], on_grid(matrix_MN, 0.25))
    assert all(v.dtype == torch.float16 for v in small(tensors, 0.0).values())
    assert not whole(small({"none": torch.zeros(2, 2)}, 0.25))["none"].any()
