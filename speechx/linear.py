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


class Linear:
    """Product with one weight (out, in): x (N, in) -> (N, out), in the working type.

    Calling it is for the few rows of a decoding step; `many` is for prefill. Which of the two is used must
    not depend on the number of requests, because int8 weights differ from the others.
    """

    def __init__(self, weight: Tensor, precision: Precision) -> None:
        weight = weight.detach()
        on_cpu = weight.device.type == "cpu"
        half = precision == "bfloat16" or (precision == "int8" and (has_fast_bfloat16() or not on_cpu))
        half = half and not (on_cpu and len(weight) < INT8_BLOCK)  # small heads are not worth the conversion
        self.weight = weight.to(torch.bfloat16 if half else torch.float32).t().contiguous()
        self.pads = on_cpu
        self.int8: Tensor | None = None
        if precision == "int8" and weight.shape[0] % INT8_BLOCK == 0 and weight.shape[1] % INT8_BLOCK == 0:
            scale = (weight.float().abs().amax(1).clamp(min=1e-8) / 127).to(torch.bfloat16)
            self.int8 = (
                (weight.float() / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).contiguous()
            )
            self.scale = scale

    def __call__(self, x: Tensor) -> Tensor:
        if self.int8 is not None:
            return torch._weight_int8pack_mm(x.to(torch.bfloat16), self.int8, self.scale)
        return self.many(x)

    def many(self, x: Tensor) -> Tensor:
        x = x.to(self.weight.dtype)
        rows = x.shape[0]
        if self.pads and rows < MIN_ROWS:
            padded = x.new_zeros(MIN_ROWS, x.shape[1])
            padded[:rows] = x
            return torch.mm(padded, self.weight)[:rows]
        return torch.mm(x, self.weight)
