"""Compiled steps say what the plain ones say, whatever the batch, the threads and the adapters."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from speechx.engine import compiled_runner, kernels
from speechx.engine.compiled_runner import CompiledRunner, fill, quantize
from speechx.engine.kernels.steps import EPS
from speechx.engine.model_runner import ModelRunner
from speechx.engine.threads import cpu_threads
from speechx.models.lm.config import LMConfig
from speechx.models.lm.model import CodecLMCore
from speechx.models.lm.transformer import NORM_EPS
from speechx.models.lora import LoRAAdapter
from tests.helpers.engines import make_core

TILES = pytest.param(
    True,
    id="tiles",
    marks=pytest.mark.skipif(not kernels.multiplies_int8(), reason="this processor does not multiply int8"),
)
LAYOUTS = pytest.mark.parametrize("tiles", [pytest.param(False, id="rows"), TILES])


def test_quantized_weights_are_near_and_fill_their_range() -> None:
    torch.manual_seed(1)
    weight = torch.randn(20, 48)
    whole, scale = quantize(weight)
    assert whole.dtype == np.int8 and (np.abs(whole).max(1) == 127).all()
    largest = weight.abs().amax(1, keepdim=True).numpy()
    assert (np.abs(whole * scale[:, None] - weight.numpy()) <= 1.01 / 254 * largest).all()


def test_a_matrix_of_zeros_stays_one() -> None:
    whole, scale = quantize(torch.zeros(3, 16))
    assert not whole.any() and np.isfinite(scale).all()


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("outputs", [5, 21, 64, 96])
@LAYOUTS
def test_product(rows: int, outputs: int, adds: bool, tiles: bool) -> None:
    """Tiles round what they multiply to int8: 127 steps to the largest of a row. What they sum up is exact."""
    torch.manual_seed(rows)
    x, weight = torch.randn(rows, 50).numpy(), torch.randn(outputs, 50)
    y = fill(np.ones((rows, outputs), np.float32))
    whole, scale = quantize(weight)
    kernels.product(fill(x), kernels.pack_rows(whole, tiles), scale, y, adds)
    if tiles:
        step = np.abs(x).max(1, keepdims=True) / 127
        x = np.floor(x / step + 0.5) * step
    np.testing.assert_allclose(y[:rows], x @ (whole * scale[:, None]).T + adds, atol=1e-4)


@LAYOUTS
def test_a_row_of_zeros_and_one_with_a_number_that_is_none(tiles: bool) -> None:
    """A broken row harms no other."""
    x, weight = np.ones((3, 64), np.float32), torch.ones(32, 64)
    x[0], x[1, 5] = 0, np.nan
    y = np.ones((3, 32), np.float32)
    whole, scale = quantize(weight)
    kernels.product(x, kernels.pack_rows(whole, tiles), scale, y, False)
    assert (y[0] == 0).all() and np.isnan(y[1]).all()
    np.testing.assert_allclose(y[2], 64, rtol=1e-4)


@pytest.mark.parametrize("setting", ["NUMBA_ENABLE_AVX=0", "NUMBA_CPU_NAME=generic", "NUMBA_DISABLE_JIT=1"])
def test_tiles_are_for_the_processor_that_numba_compiles_for(setting: str) -> None:
    """A process that compiled the instruction for a processor without it would abort."""
    name, value = setting.split("=")
    code = "from speechx.engine.kernels import multiplies_int8; print(multiplies_int8())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, name: value}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False", done.stderr


def test_attention_of_bfloat16_keys_and_values() -> None:
    torch.manual_seed(1)
    q, k, v = torch.randn(32), torch.randn(40, 32).bfloat16(), torch.randn(40, 32).bfloat16()
    y, bits = np.empty(32, np.float32), [x.view(torch.uint16).numpy() for x in (k, v)]
    kernels.attend(q.numpy(), *bits, np.empty(64, np.float32), y)
    right = torch.nn.functional.scaled_dot_product_attention(q[None], k.float(), v.float())[0]
    np.testing.assert_allclose(y, right.numpy(), atol=1e-5)


def runners(names: tuple[str, ...] = ()) -> tuple[ModelRunner, CompiledRunner]:
    core = make_core(copies=True)
    found = ModelRunner(core, 8, 64, "float32"), CompiledRunner(core, 8, 64)
    for number, name in enumerate(names):
        torch.manual_seed(number)
        tensors: dict[str, torch.Tensor] = {}
        for matrix, weight in core.named_parameters():
            if matrix.startswith(("blocks.", "first_head", "local_heads")):
                *batch, M, N = weight.shape
                tensors[f"{matrix}.up"], tensors[f"{matrix}.down"] = (
                    0.2 * torch.randn(*batch, M, 2), 0.2 * torch.randn(*batch, 2, N),
                )  # fmt: skip
        for runner in found:
            runner.add_adapter(LoRAAdapter(tensors=tensors, name=name))
    return found


def decode(
    runner: ModelRunner, names: list[str | None], rows: list[int], steps: int = 5
) -> list[torch.Tensor]:
    """Output, logits of the advance and of all codes of each step, for some rows of a batch in slots of their own."""
    found = []
    with torch.inference_mode():
        for step in range(steps):
            torch.manual_seed(step)
            x_ND = torch.randn(len(names), runner.config.dim)[rows]
            track_NG = torch.randint(-1, 1024, (len(names), 8))[rows]
            runner.select_adapters([names[row] for row in rows])
            h_ND = runner.step(x_ND, [step] * len(rows), rows, [step] * len(rows))
            logits: list[torch.Tensor] = []

            def choose(
                slot: int, logits_NV: torch.Tensor, logits: list[torch.Tensor] = logits
            ) -> torch.Tensor:
                logits.append(logits_NV)
                return torch.tensor([(37 * slot + row) % 1024 for row in rows])

            runner.codes(h_ND, choose, track_NG)
            found += [h_ND, runner.advance_logits(h_ND), *logits]
    return found


@pytest.mark.parametrize(
    "names", [[None] * 7, ["anna"] * 7, ["anna", None, "bert", None, "anna", "anna", "bert"]]
)
@LAYOUTS
def test_steps_agree_with_those_of_torch(
    names: list[str | None], tiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_runner, "multiplies_int8", lambda: tiles)
    plain, compiled = runners(("anna", "bert"))
    for one, other in zip(
        *(decode(runner, names, list(range(7))) for runner in (plain, compiled)), strict=True
    ):
        assert (one - other).norm() < 0.03 * one.norm()


def test_a_row_has_the_same_bits_alone_and_among_others_and_on_more_threads() -> None:
    names: list[str | None] = ["anna", None, "bert", None, "anna", None, None]
    compiled = runners(("anna", "bert"))[1]
    with cpu_threads(1):
        every = decode(compiled, names, list(range(7)))
        for row in range(7):
            for whole, own in zip(every, decode(compiled, names, [row]), strict=True):
                assert torch.equal(whole[row], own[0])
    with cpu_threads(2):
        assert all(map(torch.equal, every, decode(compiled, names, list(range(7)))))


def test_an_adapter_that_was_removed_leaves_the_plain_weights() -> None:
    compiled = runners(("anna",))[1]
    plain = decode(compiled, [None], [0])
    assert not torch.equal(decode(compiled, ["anna"], [0])[0], plain[0])
    compiled.remove_adapter("anna")
    assert all(map(torch.equal, decode(compiled, ["anna"], [0]), plain))


def test_one_codebook() -> None:
    core = CodecLMCore(
        LMConfig.preset("tiny", num_codebooks=1, codebook_weights=(1.0,), max_positions=64)
    ).eval()
    runner = CompiledRunner(core, 2, 64)
    with torch.inference_mode():
        runner.select_adapters([None])
        h_ND = runner.step(torch.ones(1, core.shape.dim), [0], [0], [0])
        assert runner.codes(h_ND, lambda slot, logits_NV: logits_NV.argmax(-1)).shape == (1, 1)


def test_the_norm_is_that_of_training() -> None:
    assert np.float32(NORM_EPS) == EPS


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_logit_that_is_no_number_draws_some_value(bad: float) -> None:
    logits = np.zeros((2, 8), np.float32)
    logits[0, 3] = bad
    chosen, one = np.full(2, 99), np.ones(2, np.float32)
    kernels.draw(logits, one / 2, one, one, chosen)
    assert ((chosen >= 0) & (chosen < 8)).all()
