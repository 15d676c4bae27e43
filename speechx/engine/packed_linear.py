"""Matrix products of the language model outside its compiled steps: weights prepared once, in the working type.

They are for prompts, and for every step on a GPU or in float32 (speechx.engine.compiled_runner decodes on a CPU). From
MIN_ROWS rows on, a row has the same bits however many rows there are; fewer are padded. So a request's codes do not depend
on its neighbors.
"""

from functools import cache
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bfloat16", "int8"]
"""int8: of the decoding steps on a CPU (speechx.engine.compiled_runner)."""

MIN_ROWS = 8
SMALL = 16  # outputs; smaller heads are not worth the conversion


@cache
def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def best_precision(device: torch.device | str = "cpu") -> Precision:
    """The fastest precision of this device."""
    return "int8" if torch.device(device).type == "cpu" else "bfloat16"


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
        half = precision == "bfloat16" or (precision == "int8" and has_fast_bfloat16())
        half = half and not (on_cpu and len(weight) < SMALL)
        self.weight = weight.to(torch.bfloat16 if half else torch.float32).t().contiguous()
        self.pads = on_cpu
        self.rows = AdaptedRows() if rows is None else rows
        self.adapted: dict[str, PackedLinear] = {}

    def adapt(self, name: str, weight: Tensor, up: Tensor, down: Tensor) -> None:
        """Prepares the weight (out, in) plus the product of an adapter's factors up (out, r) and down (r, in)."""
        up, down = (factor.detach().to(weight.device).float() for factor in (up, down))
        self.adapted[name] = PackedLinear(weight.detach().float() + up @ down, self.precision)

    def __call__(self, x: Tensor) -> Tensor:
        """With the weight that each row's adapter has changed, or with the plain one."""
        rows = self.rows
        if rows.every is not None:
            return self.adapted.get(rows.every, self)._product(x)
        y = self._product(x)
        for name, rows_N1 in rows.some.items():
            if name in self.adapted:
                y = torch.where(rows_N1[: len(x)], self.adapted[name]._product(x), y)
        return y

    def _product(self, x: Tensor) -> Tensor:
        x = x.to(self.weight.dtype)
        if self.pads and len(x) < MIN_ROWS:
            padded = x.new_zeros(MIN_ROWS, x.shape[1])
            padded[: len(x)] = x
            return torch.mm(padded, self.weight)[: len(x)]
        return torch.mm(x, self.weight)
