"""Prepared products: each precision near the weight itself, and a row's bits its own, changed or not."""

import pytest
import torch

from speechx.engine.packed_linear import AdaptedRows, PackedLinear, Precision


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_rows_of_changed_and_plain_weights(precision: Precision) -> None:
    torch.manual_seed(1)
    weight, x, rows = torch.randn(64, 48), torch.randn(5, 48), AdaptedRows()
    linear = PackedLinear(weight, precision, rows)
    wanted = {None: x @ weight.T}
    for name in ("anna", "bert"):
        up, down = torch.randn(64, 2), torch.randn(2, 48)
        linear.adapt(name, weight, up, down)
        wanted[name] = x @ (weight + up @ down).T
    for chosen in (
        [None] * 5,
        ["anna"] * 5,
        ["anna", None, "bert", "anna", None],
        ["bert", "anna"] * 2 + ["bert"],
    ):
        rows.choose(chosen)
        y = linear(x).float()
        right = torch.stack([wanted[name][i] for i, name in enumerate(chosen)])
        assert (y - right).abs().max() < 0.03 * right.abs().max()
        for i, own in enumerate(chosen):
            rows.choose([own])
            assert torch.equal(linear(x[i : i + 1]).float()[0], y[i])


def test_a_row_whose_adapter_leaves_this_weight_alone() -> None:
    rows = AdaptedRows()
    linear = PackedLinear(torch.eye(16), "float32", rows)
    for chosen in (["anna"], ["anna", None]):
        rows.choose(chosen)
        assert torch.equal(linear(torch.ones(len(chosen), 16)), torch.ones(len(chosen), 16))
