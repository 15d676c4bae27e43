"""Adapters of voices: each row of a batch is decoded with its own, and with no other's."""

import numpy as np
import pytest
import torch

from speechx.engine import engine as engine_module
from speechx.engine.engine import Engine
from speechx.engine.sampling import SamplingParams
from speechx.models.lm.config import LMConfig
from speechx.models.lm.model import CodecLMCore
from speechx.models.lm.prompt import Frames, PackedPrompt, Prompt, Text, TextTrack, pack
from speechx.models.lora import LoRAAdapter, LoRAScope, add_lora, lora_factors
from tests.helpers.engines import codes_of, run

GREEDY = SamplingParams(greedy=True, max_frames=8, guidance=2.0, fine_guidance=2.0)


def model(seed: int = 0) -> CodecLMCore:
    torch.manual_seed(seed)
    core = CodecLMCore(
        LMConfig.preset("tiny", codec_name="spectral", codec_hash="abc", condition_dropout=0.1)
    )
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.mul_(3.0)
    return core.eval()


def adapter(name: str, seed: int, rank: int = 2) -> LoRAAdapter:
    core = model()
    add_lora(core, rank=rank)
    generator = torch.Generator().manual_seed(seed)
    tensors = {k: torch.randn(v.shape, generator=generator) / 8 for k, v in lora_factors(core).items()}
    return LoRAAdapter(tensors=tensors, name=name)


def prompt(of: LoRAAdapter | None = None) -> PackedPrompt:
    """The same words in the same voice, with or without an adapter."""
    voice = Frames(np.random.default_rng(1).integers(0, 1024, (6, 8)), cache_key="voice")
    phones = np.arange(5, 14)
    return pack(Prompt(0, (voice, Text(phones, "en")), TextTrack(phones, 1, 8), adapter=of))


def spoken(engine: Engine, *prompts: PackedPrompt) -> list[np.ndarray]:
    ids = [engine.add(one, GREEDY) for one in prompts]
    out = run(engine)
    return [codes_of(out[id]) for id in ids]


def test_rows_of_a_batch_have_adapters_of_their_own() -> None:
    anna, bert = adapter("anna", 1), adapter("bert", 2)
    prompts = [prompt(), prompt(anna), prompt(bert)]
    alone = [spoken(Engine(model(), slots=3, precision="float32"), one)[0] for one in prompts]
    assert not np.array_equal(alone[0], alone[1]) and not np.array_equal(alone[1], alone[2])
    engine = Engine(model(), slots=3, precision="float32")
    for _ in range(2):  # once more, with each voice's keys and values in the cache
        for together, single in zip(spoken(engine, *prompts), alone, strict=True):
            np.testing.assert_array_equal(together, single)


def test_the_adapter_of_a_voice_is_used_in_place_of_the_models_own() -> None:
    own, anna = adapter("", 3), adapter("anna", 1)
    core = model()
    core.adapters = (LoRAAdapter(LoRAScope(languages=("en",)), own.tensors),)
    engine = Engine(core, slots=2, precision="float32")
    plain, of_anna = spoken(engine, prompt(), prompt(anna))
    np.testing.assert_array_equal(of_anna, spoken(Engine(model(), precision="float32"), prompt(anna))[0])
    assert not np.array_equal(plain, spoken(Engine(model(), precision="float32"), prompt())[0])


def test_only_some_adapters_are_kept_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "ADAPTERS", 2)
    engine = Engine(model(), slots=3, precision="float32")
    made = {name: adapter(name, seed) for seed, name in enumerate("abc")}
    first = {name: spoken(engine, prompt(one))[0] for name, one in made.items()}
    block = engine.runner.blocks[0]
    assert set(block.qkv.adapted) == {"b", "c"}
    ids = [engine.add(prompt(one), GREEDY) for one in made.values()]
    assert set(block.qkv.adapted) == {"a", "b", "c"}, "what is in use is kept"
    out = run(engine)
    for id, name in zip(ids, made, strict=True):
        np.testing.assert_array_equal(codes_of(out[id]), first[name])


def test_an_adapter_of_another_shape_is_an_error() -> None:
    tensors = {"first_head.weight.up": torch.zeros(3, 2), "first_head.weight.down": torch.zeros(2, 64)}
    engine = Engine(model(), slots=1, precision="float32")
    with pytest.raises(ValueError, match="does not have the model's shape"):
        engine.add(prompt(LoRAAdapter(tensors=tensors, name="odd")), GREEDY)
    assert not engine.has_work
