"""Matrix products for decoding: weights prepared once, in the precision that is fastest on this machine.

For a few rows a product is bound by reading its weights and widening them. A pass over 14 million of them, read again at
once, took one thread of a CPU 9.5 ms in float32, 1.0 (one row) to 3.0 (six) in int8 with one scale per output, 1.4 to 1.9
in float16; for three rows after a pause, 3.4 in int8 and 3.9 in float16. These two give a row the same bits however many
rows there are; the others do from MIN_ROWS rows on, and fewer are padded. So a request's codes do not depend on its
neighbors.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bfloat16", "float16", "int8"]

MIN_ROWS = 8
INT8_BLOCK = 16  # the int8 kernel takes whole vectors


@cache
def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def has_float16() -> bool:
    """Whether this torch has the product of float32 rows and float16 weights, and it works here.

    It is FBGEMM's, on x86 alone; torch calls it deprecated, so a later one may not have it.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*fp16.* is deprecated")  # said once
            packed = torch.fbgemm_pack_gemm_matrix_fp16(torch.eye(32))
            y = torch.fbgemm_linear_fp16_weight_fp32_activation(torch.ones(1, 32), packed, None)
        return bool(y.eq(1).all())
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False


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
    return "int8" if has_int8() else "float16" if has_float16() else "float32"


class AdaptedRows:
    """Which rows of a step's products use which LoRA adapter. every: that of all rows; some: the rows (N, 1) of each."""

    def __init__(self) -> None:
        self.every: str | None = None
        self.some: dict[str, Tensor] = {}

    def choose(self, names: list[str | None], device: torch.device | str = "cpu") -> None:
        """names: for each row an adapter's name, or None for the plain weights."""
        different = set(names)
        self.every = names[0] if len(different) == 1 else None
        mixed = sorted(name for name in different if name is not None) if len(different) > 1 else []
        self.some = {
            name: torch.tensor([row == name for row in names], device=device)[:, None] for name in mixed
        }


class PackedLinear:
    """Product with one weight (out, in): x (N, in) -> (N, out), in the working type.

    adapted: by the name of a LoRA adapter, the product with the weight that it changed, for the chosen `rows`. The changed
    weight is prepared as a whole: two narrow products per matrix cost a quarter of a step. A row's result does not depend
    on what adapters others have.

    Calling it is for the few rows of a decoding step; `many` is for prefill. Which of the two is used must
    not depend on the number of requests, because the weights of the two differ.
    """

    def __init__(
        self,
        weight: Tensor,
        precision: Precision,
        rows: AdaptedRows | None = None,
    ) -> None:
        weight = weight.detach()
        self.precision = precision
        on_cpu = weight.device.type == "cpu"
        packs = precision in ("float16", "int8")
        half = precision == "bfloat16" or (packs and (has_fast_bfloat16() or not on_cpu))
        half = half and not (on_cpu and len(weight) < INT8_BLOCK)  # small heads are not worth the conversion
        self.weight = weight.to(torch.bfloat16 if half else torch.float32).t().contiguous()
        self.pads = on_cpu
        self.rows = AdaptedRows() if rows is None else rows
        self.adapted: dict[str, PackedLinear] = {}
        self.float16: Tensor | None = None
        if precision == "float16":
            if not has_float16():
                raise ValueError("precision 'float16' needs torch's FBGEMM, which only x86 processors have")
            self.float16 = torch.fbgemm_pack_gemm_matrix_fp16(weight.float().contiguous())
        self.int8: Tensor | None = None
        if precision == "int8" and weight.shape[0] % INT8_BLOCK == 0 and weight.shape[1] % INT8_BLOCK == 0:
            scale = (weight.float().abs().amax(1).clamp(min=1e-8) / 127).to(torch.bfloat16)
            self.int8 = (
                (weight.float() / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).contiguous()
            )
            self.scale = scale

    def adapt(self, name: str, weight: Tensor, up: Tensor, down: Tensor) -> None:
        """Prepares the weight (out, in) plus the product of an adapter's factors up (out, r) and down (r, in)."""
        up, down = (factor.detach().to(weight.device).float() for factor in (up, down))
        self.adapted[name] = PackedLinear(weight.detach().float() + up @ down, self.precision)

    def __call__(self, x: Tensor) -> Tensor:
        return self._chosen(PackedLinear._few, x)

    def many(self, x: Tensor) -> Tensor:
        return self._chosen(PackedLinear._many, x)

    def _chosen(self, product: Callable[["PackedLinear", Tensor], Tensor], x: Tensor) -> Tensor:
        """The product with the weight that each row's adapter has changed, or with the plain one."""
        rows = self.rows
        if rows.every is not None:
            return product(self.adapted.get(rows.every, self), x)
        y = product(self, x)
        for name, rows_N1 in rows.some.items():
            if name in self.adapted:
                y = torch.where(rows_N1[: len(x)], product(self.adapted[name], x), y)
        return y

    def _few(self, x: Tensor) -> Tensor:
        if self.float16 is not None:
            return torch.fbgemm_linear_fp16_weight_fp32_activation(x.float(), self.float16, None)
        if self.int8 is not None:
            return torch._weight_int8pack_mm(x.to(torch.bfloat16), self.int8, self.scale)
        return self._many(x)

    def _many(self, x: Tensor) -> Tensor:
        return self._product(x.to(self.weight.dtype), self.weight)

    def _product(self, x: Tensor, weight: Tensor) -> Tensor:
        rows = x.shape[0]
        if self.pads and rows < MIN_ROWS:
            padded = x.new_zeros(MIN_ROWS, x.shape[1])
            padded[:rows] = x
            return torch.mm(padded, weight)[:rows]
        return torch.mm(x, weight)
