"""Matrix products for decoding: weights prepared once, in the precision that is fastest on this machine.

For a few rows a product is bound by reading its weights: on a CPU, bfloat16 is about twice and int8 (one
scale per output) about six times as fast as float32. The int8 product gives a row the same bits however many
rows there are; the others do from MIN_ROWS rows on, and fewer are padded. So a request's codes do not depend
on its neighbors.
"""

from functools import cache
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bfloat16", "int8"]

MIN_ROWS = 8
INT8_BLOCK = 16  # the int8 kernel takes whole vectors


@cache
def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def has_int8() -> bool:
    """Whether this torch has the weight-only int8 product, and it works here."""
    try:
        x, w = torch.ones(1, 32, dtype=torch.bfloat16), torch.ones(32, 32, dtype=torch.int8)
        return bool(torch._weight_int8pack_mm(x, w, torch.ones(32, dtype=torch.bfloat16)).eq(32).all())
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


def best_precision(device: torch.device | str = "cpu") -> Precision:
    """The fastest precision of this device."""
    if torch.device(device).type != "cpu":
        return "bfloat16"
    return "int8" if has_int8() else "float32"


class ChangedRows:
    """Which rows of the products of a step are those of changed matrices; None: no row is."""

    rows_N1: Tensor | None = None

    def choose(self, rows: list[bool], device: torch.device | str = "cpu") -> None:
        self.rows_N1 = torch.tensor(rows, device=device)[:, None].float() if any(rows) else None


class Linear:
    """Product with one weight (out, in): x (N, in) -> (N, out), in the working type.

    change: up (out, r) and down (r, in), whose product is added to the weight in the chosen `rows`; rows that are not chosen
    keep their bits.

    Calling it is for the few rows of a decoding step; `many` is for prefill. Which of the two is used must
    not depend on the number of requests, because int8 weights differ from the others.
    """

    def __init__(
        self,
        weight: Tensor,
        precision: Precision,
        change: tuple[Tensor, Tensor] | None = None,
        rows: ChangedRows | None = None,
    ) -> None:
        weight = weight.detach()
        on_cpu = weight.device.type == "cpu"
        half = precision == "bfloat16" or (precision == "int8" and (has_fast_bfloat16() or not on_cpu))
        half = half and not (on_cpu and len(weight) < INT8_BLOCK)  # small heads are not worth the conversion
        self.weight = weight.to(torch.bfloat16 if half else torch.float32).t().contiguous()
        self.pads = on_cpu
        self.rows = ChangedRows() if rows is None else rows
        self.change = (
            None if change is None else tuple(f.detach().to(weight.device).float().t() for f in change[::-1])
        )
        self.int8: Tensor | None = None
        if precision == "int8" and weight.shape[0] % INT8_BLOCK == 0 and weight.shape[1] % INT8_BLOCK == 0:
            scale = (weight.float().abs().amax(1).clamp(min=1e-8) / 127).to(torch.bfloat16)
            self.int8 = (
                (weight.float() / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).contiguous()
            )
            self.scale = scale

    def __call__(self, x: Tensor) -> Tensor:
        if self.int8 is None:
            return self.many(x)
        return self._changed(x, torch._weight_int8pack_mm(x.to(torch.bfloat16), self.int8, self.scale))

    def many(self, x: Tensor) -> Tensor:
        return self._changed(x, self._product(x.to(self.weight.dtype), self.weight))

    def _changed(self, x: Tensor, y: Tensor) -> Tensor:
        """y, with what the change makes of x in the chosen rows; of prefill all rows are one request's."""
        rows_N1 = self.rows.rows_N1
        if self.change is None or rows_N1 is None:
            return y
        down, up = self.change
        added = self._product(self._product(x.float(), down), up)
        return torch.addcmul(y.float(), added, rows_N1[: len(x)]).to(y.dtype)

    def _product(self, x: Tensor, weight: Tensor) -> Tensor:
        rows = x.shape[0]
        if self.pads and rows < MIN_ROWS:
            padded = x.new_zeros(MIN_ROWS, x.shape[1])
            padded[:rows] = x
            return torch.mm(padded, weight)[:rows]
        return torch.mm(x, weight)
