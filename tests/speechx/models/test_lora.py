"""Low-rank changes: nothing at first, the same merged as trained, and refused where they do not belong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from speechx.engine.engine import Engine
from speechx.engine.sampling import SamplingParams
from speechx.errors import InputError
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import load_model, save_adapter, save_model
from speechx.models.lm.model import CodecLMCore
from speechx.models.lm.prompt import Frames, Prompt, Text, TextTrack, pack
from speechx.models.lora import LoRAScope, add_lora, balanced_factors, lora_factors, merge_lora, mix_lora
from tests.helpers.engines import codes_of, run


@pytest.fixture
def core() -> CodecLMCore:
    torch.manual_seed(0)
    return CodecLMCore(LMConfig.preset("tiny", codec_name="spectral", codec_hash="abc"))


def learned(core: CodecLMCore) -> dict[str, torch.Tensor]:
    """Factors that change something."""
    made = lora_factors(core)
    return {k: torch.randn(v.shape, generator=torch.Generator().manual_seed(1)) / 8 for k, v in made.items()}


def test_at_first_nothing_changes_and_only_the_factors_learn(core: CodecLMCore) -> None:
    x_ND = torch.randn(3, 64)
    before = core.first_logits(x_ND)
    parameters = add_lora(core, rank=4)
    names = {name.rpartition(".")[0] for name in lora_factors(core)}
    torch.testing.assert_close(core.first_logits(x_ND), before, rtol=0, atol=0)
    assert len(parameters) == 2 * len(names) == len(lora_factors(core))
    assert {id(p) for p in core.parameters() if p.requires_grad} == {id(p) for p in parameters}
    assert not any(name.startswith(("embed", "local_embed")) for name in names), "tables stay as they are"


def test_merged_into_a_plain_model_it_is_what_was_trained(core: CodecLMCore) -> None:
    plain = {k: v.clone() for k, v in core.state_dict().items()}
    add_lora(core, rank=4)
    tensors = learned(core)
    for name, value in lora_factors(core).items():
        value.copy_(tensors[name])
    merged = CodecLMCore(core.shape)
    merged.load_state_dict(plain)
    merge_lora(merged, tensors)
    h_ND, codes_MG = torch.randn(5, 64), torch.randint(0, 1024, (5, 8))
    torch.testing.assert_close(merged.local_logits(h_ND, codes_MG), core.local_logits(h_ND, codes_MG))
    torch.testing.assert_close(merged.blocks[0].qkv.weight, core.blocks[0].qkv.weight)


def test_what_is_stored_is_the_same_change_largest_first(core: CodecLMCore) -> None:
    add_lora(core, rank=4)
    tensors = learned(core)
    for name, value in lora_factors(core).items():
        value.copy_(tensors[name])
    made = balanced_factors(core)
    assert made.keys() == tensors.keys()
    for name in {key.rpartition(".")[0] for key in made}:
        up, down = made[f"{name}.up"], made[f"{name}.down"]
        torch.testing.assert_close(up @ down, tensors[f"{name}.up"] @ tensors[f"{name}.down"])
        torch.testing.assert_close(up.norm(dim=-2), down.norm(dim=-1))
        assert (down.norm(dim=-1).diff() <= 1e-6).all()


def test_a_folder_with_an_adapter_loads_tuned(core: CodecLMCore, tmp_path: Path) -> None:
    save_model(core, tmp_path)
    plain = load_model(tmp_path)
    add_lora(core, rank=4)
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
    add_lora(core, rank=4)
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


def test_a_scope_is_of_the_task_and_of_what_is_to_be_said() -> None:
    scope = LoRAScope(languages=("es", "fr"), slots=(0, 1))

    def asked(slot: int, *languages: str) -> bool:
        texts = tuple(Text(np.array([3, 4]), language) for language in languages)
        return scope.holds(pack(Prompt(slot, texts, frames=3)).tokens_T)

    assert asked(0, "es") and asked(1, "en", "fr")
    assert not asked(1, "fr", "en"), "a Spanish voice that speaks English"
    assert not asked(5, "es") and not asked(0, "de")
    assert asked(0), "without a text, no language"
    assert LoRAScope(slots=(5,)).holds(pack(Prompt(5, (), frames=3)).tokens_T)
    with pytest.raises(ValueError, match="language 'xx' is not supported"):
        LoRAScope(languages=("xx",))


def test_some_requests_alone_are_of_the_changed_model(core: CodecLMCore, tmp_path: Path) -> None:
    """In one batch: Spanish as the changed model speaks it, English as the plain one does, to the bit."""
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.mul_(3.0)
    for name in ("plain", "some", "all"):
        save_model(core, tmp_path / name)
    add_lora(core, rank=2)
    save_adapter(tmp_path / "some", learned(core), scope=LoRAScope(languages=("es",)))
    save_adapter(tmp_path / "all", learned(core))
    greedy = SamplingParams(greedy=True, max_frames=8, guidance=2.0, fine_guidance=2.0)
    voice = Frames(np.random.default_rng(1).integers(0, 1024, (6, 8)), cache_key="voice")
    phones = np.arange(5, 14)
    prompts = {
        language: pack(Prompt(0, (voice, Text(phones, language)), TextTrack(phones, 1, 8)))
        for language in ("en", "es")
    }

    def spoken(name: str, *languages: str) -> list[np.ndarray]:
        loaded = load_model(tmp_path / name)
        loaded.shape = loaded.shape.with_(condition_dropout=0.1)
        engine = Engine(loaded, slots=2, precision="float32")
        made = []
        for _ in range(2):  # once more, with the voice in the cache
            ids = [engine.add(prompts[language], greedy) for language in languages]
            out = run(engine)
            made = [codes_of(out[id]) for id in ids]
        return made

    english, spanish = spoken("some", "en", "es")
    np.testing.assert_array_equal(english, spoken("plain", "en")[0])
    np.testing.assert_array_equal(spanish, spoken("some", "es")[0])
    np.testing.assert_array_equal(spanish, spoken("all", "es")[0])
    assert not np.array_equal(spanish, spoken("plain", "es")[0])


def test_a_model_is_saved_with_its_change(core: CodecLMCore, tmp_path: Path) -> None:
    save_model(core, tmp_path / "one")
    add_lora(core, rank=2)
    save_adapter(tmp_path / "one", learned(core), step=0.5, scope=LoRAScope(languages=("es",)))
    before = load_model(tmp_path / "one")
    save_model(before, tmp_path / "two")
    (after,) = load_model(tmp_path / "two").adapters
    assert after.scope == before.adapters[0].scope
    assert all(torch.equal(after.tensors[name], value) for name, value in before.adapters[0].tensors.items())


def test_a_scope_that_was_tampered_with(core: CodecLMCore, tmp_path: Path) -> None:
    save_model(core, tmp_path)
    add_lora(core, rank=2)
    save_adapter(tmp_path, learned(core), scope=LoRAScope(languages=("es",)))
    config = tmp_path / "config.json"
    facts = json.loads(config.read_text())
    for scope, message in (
        ({"languages": ["fr"], "slots": []}, "does not match the hash"),
        ({"languages": ["xx"]}, "language 'xx' is not supported"),
        ({"voices": ["heart"]}, "unexpected keyword"),
    ):
        config.write_text(json.dumps(facts | {"adapter_scope": scope}))
        with pytest.raises(InputError, match=message):
            load_model(tmp_path)


def test_tables_are_changed_for_all_or_not_at_all(core: CodecLMCore, tmp_path: Path) -> None:
    save_model(core, tmp_path)
    add_lora(core, rank=2, matrices=("track.",))
    with pytest.raises(ValueError, match=r"track\.weight cannot be changed for some languages"):
        save_adapter(tmp_path, learned(core), scope=LoRAScope(slots=(2,)))
    save_adapter(tmp_path, learned(core))


def test_half_way_between_two_adapters() -> None:
    torch.manual_seed(1)
    one = {
        "a.up": torch.randn(6, 3),
        "a.down": torch.randn(3, 5),
        "b.up": torch.randn(2, 6, 1),
        "b.down": torch.randn(2, 1, 5),
    }
    other = {"a.up": torch.randn(6, 1), "a.down": torch.randn(1, 5)}
    mixed = mix_lora(one, other, 0.25, rank=4)
    product = 0.25 * one["a.up"] @ one["a.down"] + 0.75 * other["a.up"] @ other["a.down"]
    torch.testing.assert_close(mixed["a.up"] @ mixed["a.down"], product)
    torch.testing.assert_close(mixed["b.up"] @ mixed["b.down"], 0.25 * one["b.up"] @ one["b.down"])
    assert mixed["a.up"].shape == (6, 4)
    smaller = mix_lora(one, other, 0.25, rank=2)
    assert smaller["a.up"].shape == (6, 2)
    assert 0 < (smaller["a.up"] @ smaller["a.down"] - product).norm() < product.norm()
    with pytest.raises(ValueError, match="between 0 and 1"):
        mix_lora(one, other, 1.5, rank=4)
    with pytest.raises(ValueError, match="only one of the adapters changes b"):
        mix_lora(other, one, 0.5, rank=4)
