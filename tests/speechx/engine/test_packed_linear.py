"""Prepared products: each precision near the weight itself, and a row's bits its own, changed or not."""

import pytest
import torch

from speechx.engine.packed_linear import AdaptedRows, PackedLinear, Precision, has_float16, has_int8


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16", "int8"])
def test_rows_of_changed_and_plain_weights(precision: Precision, many: bool) -> None:
    if (precision == "int8" and not has_int8()) or (precision == "float16" and not has_float16()):
        pytest.skip(f"this torch has no {precision} product")
    torch.manual_seed(1)
    weight, up, down = torch.randn(64, 48), torch.randn(64, 2), torch.randn(2, 48)
    x, rows = torch.randn(5, 48), AdaptedRows()
    linear = PackedLinear(weight, precision, (up, down), rows)
    product = linear.many if many else linear
    plain, changed = x @ weight.T, x @ (weight + up @ down).T
    for chosen in ([False] * 5, [True] * 5, [True, False, True, True, False]):
        rows.choose(chosen)
        y = product(x).float()
        wanted = torch.where(torch.tensor(chosen)[:, None], changed, plain)
        assert (y - wanted).abs().max() < 0.03 * wanted.abs().max()
        for i, own in enumerate(chosen):
            rows.choose([own])
            assert torch.equal(product(x[i : i + 1]).float()[0], y[i])


def test_a_precision_this_torch_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechx.engine.packed_linear.has_float16", lambda: False)
    with pytest.raises(ValueError, match="x86"):
        PackedLinear(torch.ones(16, 16), "float16")
