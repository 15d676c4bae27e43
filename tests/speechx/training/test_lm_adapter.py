"""A finished language model learns more as a low-rank change, which its folder then holds beside the old weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from typer.testing import CliRunner

from speechx.cli.train import app
from speechx.data.shards import Shards
from speechx.models.codec.folder import save_codec
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import (
    add_voice_adapter,
    last_adapter,
    load_for_voice,
    load_model,
    read_adapter,
    save_adapter,
    save_model,
    voice_adapters,
)
from speechx.models.lora import LoRAAdapter, LoRAScope, add_lora, lora_factors
from speechx.training import lm
from speechx.training.adapt import rank_of
from speechx.training.export import export_adapter
from speechx.training.loop import read_log
from tests.helpers.adapters import adapter_bytes
from tests.helpers.codecs import TINY_CODEC

FACTS: dict[str, Any] = {"phone_table_version": 1, "codec": TINY_CODEC, "pause_phones": (1,)}
RECIPE = lm.LMTrainConfig(
    preset="tiny", steps=4, batch_steps=600, bf16=False, rank=2, adapted=("blocks.",), lr=1e-2, lr_final=1e-2,
    warmup=1, ema=0.1,
)  # fmt: skip


def finished(shards: Shards) -> lm.CodecLMCore:
    torch.manual_seed(0)
    return lm.CodecLMCore(LMConfig.preset("tiny", codec_name="x", codec_hash=shards.codec_hash)).eval()


def test_the_change_alone_is_learned(shards: Shards, tmp_path: Path) -> None:
    before = {k: v.clone() for k, v in finished(shards).state_dict().items()}
    trainer = lm.train(RECIPE, shards, None, str(tmp_path), finished=finished(shards), **FACTS)
    after = trainer.average.state_dict()
    learned = [name for name in after if name.endswith((".up", ".down"))]
    assert learned and all(name.startswith("blocks.") for name in learned)
    assert all(after[name].any() for name in learned)
    for name, value in before.items():
        owner, _, field = name.rpartition(".")
        kept = after.get(name, after.get(f"{owner}.parametrizations.{field}.original"))
        assert kept is not None and torch.equal(kept, value), name


def test_a_run_in_two_parts_is_the_run(shards: Shards, tmp_path: Path) -> None:
    def run(folder: str, steps: int, resume: bool = False) -> dict[str, torch.Tensor]:
        recipe = RECIPE.model_copy(update={"steps": steps})
        out = str(tmp_path / folder)
        return lora_factors(
            lm.train(recipe, shards, None, out, finished=finished(shards), resume=resume, **FACTS).average
        )

    whole = run("whole", 4)
    run("parts", 2)
    parts = run("parts", 4, resume=True)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value)


def test_its_folder_is_what_was_trained(shards: Shards, tmp_path: Path) -> None:
    save_model(finished(shards), tmp_path / "lm")
    trainer = lm.train(
        RECIPE, shards, None, str(tmp_path / "run"), finished=load_model(tmp_path / "lm"), **FACTS
    )
    save_adapter(tmp_path / "lm", lora_factors(trainer.average))
    loaded = load_model(tmp_path / "lm")
    for name in ("blocks.0.qkv.weight", "first_head.weight"):
        owner, _, field = name.rpartition(".")
        trained = getattr(trainer.average.get_submodule(owner), field)
        torch.testing.assert_close(loaded.get_parameter(name), trained, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("rank", [0, 2])
def test_rank_and_model_belong_together(shards: Shards, tmp_path: Path, rank: int) -> None:
    recipe = RECIPE.model_copy(update={"rank": rank})
    with pytest.raises(ValueError, match="--adapt"):
        lm.train(recipe, shards, None, str(tmp_path), finished=None if rank else finished(shards), **FACTS)


def test_parts_that_the_model_does_not_have(shards: Shards, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"adapted": ("layers.",)})
    with pytest.raises(ValueError, match=r"begins with any of layers\."):
        lm.train(recipe, shards, None, str(tmp_path), finished=finished(shards), **FACTS)


def test_a_change_goes_on_from_the_one_before(
    shards: Shards, shards_folder: Path, codec: SpectralCodec, tmp_path: Path
) -> None:
    save_codec(codec, tmp_path / "codec")
    save_model(finished(shards), tmp_path / "lm0")
    scope = {"languages": ["en"], "slots": [0, 1]}
    for n, changes in enumerate(({"lr": 0.05}, {"lr": 1e-9, "lr_final": 1e-9, "rank": 1, **scope})):
        recipe = {**RECIPE.model_dump(mode="json"), **changes}
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        fields = {
            "config": "recipe.yaml", "codec": "codec", "adapt": f"lm{n}", "out": f"run{n}", "shards": shards_folder,
        }  # fmt: skip
        told = [part for k, v in fields.items() for part in (f"--{k}", str(tmp_path / v))]
        result = CliRunner().invoke(app, ["lm", *told])
        assert result.exit_code == 0, result.output
        (tmp_path / f"run{n}/model").rename(tmp_path / f"lm{n + 1}")
    weights = [(tmp_path / f"lm{n}/model.safetensors").read_bytes() for n in range(3)]
    assert weights[0] == weights[1] == weights[2], "only the change changes"
    first, second = (read_adapter(tmp_path / f"lm{n}") for n in (1, 2))
    assert first is not None and second is not None and not first.scope
    assert second.scope == LoRAScope(("en",), (0, 1))
    matrix = "blocks.0.qkv.weight"
    (up_2, down_2), (up_1, down_1) = first.factors(matrix) or (), second.factors(matrix) or ()
    sizes = torch.linalg.svdvals(up_2 @ down_2)
    gone = torch.linalg.matrix_norm(up_2 @ down_2 - up_1 @ down_1)
    assert up_1.shape[1] == 1 and sizes[1] > 0
    torch.testing.assert_close(gone, sizes[1], rtol=0.02, atol=1e-4)


def test_a_scope_that_no_pair_is_in(shards: Shards, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"languages": ("es",), "slots": (0, 1)})
    message = (
        rf"for languages es and task slots 0, 1, and none of {len(shards)} training pairs is one of these"
    )
    with pytest.raises(ValueError, match=message):
        lm.train(recipe, shards, None, str(tmp_path), finished=finished(shards), **FACTS)


def test_the_best_weights_are_kept_and_a_run_that_gets_worse_ends(shards: Shards, tmp_path: Path) -> None:
    """At an absurd rate everything after some first steps is worse than these."""
    recipe = RECIPE.with_(steps=40, eval_every=1, patience=3, lr=3.0, lr_final=3.0, eval_batches=1)
    trainer = lm.train(recipe, shards, shards, str(tmp_path), finished=finished(shards), **FACTS)
    losses = [row["dev0_loss"] for row in read_log(tmp_path / "log.csv") if "dev0_loss" in row]
    assert trainer.step < 40 and trainer.best is not None
    assert trainer.best.first == pytest.approx(losses[0], rel=1e-4)
    assert trainer.best.loss == pytest.approx(min(losses), rel=1e-4) and trainer.best.worse >= 3
    scores = trainer.evaluate(lm.dev_batches(shards, recipe, trainer.model_config)[0])
    assert scores["loss"] == pytest.approx(min(losses), rel=1e-4), "the best weights are those that are left"


def test_patience_needs_a_dev_split(shards: Shards, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"patience": 2})
    with pytest.raises(ValueError, match=r"needs pairs of the dev split \(--dev\)"):
        lm.train(recipe, shards, None, str(tmp_path), finished=finished(shards), **FACTS)


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        (LoRAScope(("es",)), True),
        (LoRAScope(slots=(1, 7)), True),
        (LoRAScope(("es",), (7,)), False),
        (None, False),
    ],
)
def test_what_is_for_other_requests_stays(tmp_path: Path, scope: LoRAScope | None, kept: bool) -> None:
    """The adapter of a task is used in place of the model's own where it covers that one, else beside it."""
    base, out = tmp_path / "base", tmp_path / "out"
    torch.manual_seed(0)
    core = lm.CodecLMCore(LMConfig.preset("tiny"))
    save_model(core, base)
    add_lora(core, 2)
    save_adapter(base, lora_factors(core), scope=scope)
    export_adapter(core, RECIPE.model_copy(update={"slots": (7,)}), base, out)
    own, more = read_adapter(out), voice_adapters(out)
    assert own is not None and own.scope == (scope if kept else LoRAScope(slots=(7,)))
    assert [adapter.scope for _, adapter in more] == [LoRAScope(slots=(7,))] * kept
    load_model(out)


def test_further_adapters_stay(tmp_path: Path) -> None:
    """Those of a folder that is adapted again, but for one that the new adapter takes the place of."""
    torch.manual_seed(0)
    core = lm.CodecLMCore(LMConfig.preset("tiny"))
    digest = save_model(core, tmp_path / "base")
    for language in ("fr", "de"):
        data = adapter_bytes(load_model(tmp_path / "base", adapter=False), digest, languages=(language,))
        add_voice_adapter(tmp_path / "base", language, data)
    add_lora(core, 2)
    export_adapter(
        core, RECIPE.model_copy(update={"languages": ("fr",)}), tmp_path / "base", tmp_path / "out"
    )
    assert [info.languages for info, _ in voice_adapters(tmp_path / "out")] == [("de",)]
    assert load_model(tmp_path / "out").adapters[0].scope == LoRAScope(("fr",))


def test_an_adapter_of_a_voice_holds_the_one_before_whole(tmp_path: Path) -> None:
    """It is used in place of the model's for the language. One that takes the place of its like is no larger than that."""
    torch.manual_seed(0)
    core = lm.CodecLMCore(LMConfig.preset("tiny"))
    digest = save_model(core, tmp_path)

    def start(language: str) -> tuple[LoRAAdapter | None, int]:
        scope = LoRAScope((language,), (0,))
        adapter = last_adapter(tmp_path, scope)
        return adapter, rank_of(adapter, scope, 3)

    assert start("fr") == (None, 3)
    add_lora(core, 4)
    save_adapter(tmp_path, lora_factors(core), scope=LoRAScope(("fr", "es")))
    own, rank = start("fr")
    assert own is not None and (own.rank, rank) == (4, 7)
    assert start("en") == (None, 3)

    def add(name: str, slots: tuple[int, ...]) -> None:
        plain = load_model(tmp_path, adapter=False)
        add_voice_adapter(tmp_path, name, adapter_bytes(plain, digest, languages=("fr",), slots=slots))

    add("french", (0, 1))
    french, rank = start("fr")
    assert french is not None and (french.scope.slots, rank) == ((0, 1), 5)
    add("anna", (0,))  # a voice, whose name comes before that of the language
    anna, rank = start("fr")
    assert anna is not None and (anna.scope.slots, rank) == ((0,), 3)
    assert [info.slots for info, _ in voice_adapters(tmp_path)] == [(0, 1), (0,)], "the last one is used"


def test_an_adapter_for_every_request_stays_beneath_the_others(tmp_path: Path) -> None:
    """It is not in the one that begins: in use, both would change the weights."""
    torch.manual_seed(0)
    core = lm.CodecLMCore(LMConfig.preset("tiny"))
    save_model(core, tmp_path)
    plain = load_model(tmp_path).state_dict()
    add_lora(core, 4)
    for name, value in core.named_parameters():
        if name.endswith(".up"):
            torch.nn.init.ones_(value)
    save_adapter(tmp_path, lora_factors(core))

    model, start = load_for_voice(tmp_path, LoRAScope(("fr",)), "")
    assert start is None
    assert any((value != plain[name]).any() for name, value in model.state_dict().items())


def test_a_folder_that_is_adapted_twice_has_both(tmp_path: Path) -> None:
    torch.manual_seed(0)
    core = lm.CodecLMCore(LMConfig.preset("tiny"))
    save_model(core, tmp_path / "0")
    add_lora(core, 2)
    save_adapter(tmp_path / "0", lora_factors(core), scope=LoRAScope(("es", "fr", "it")))
    for number, languages in enumerate([("fr",), ("es", "it")]):
        recipe = RECIPE.model_copy(update={"languages": languages})
        export_adapter(core, recipe, tmp_path / str(number), tmp_path / str(number + 1))
    found = [(info.name, info.languages) for info, _ in voice_adapters(tmp_path / "2")]
    assert found == [("trained-es-it", ("es", "it")), ("trained-fr", ("fr",))]
