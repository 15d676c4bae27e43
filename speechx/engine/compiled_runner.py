"""The model runner of a CPU: prompts as in speechx.engine.model_runner, the steps of decoding by compiled kernels.

Shape suffixes: N rows, D width, V code values; O and I outputs and inputs of a matrix.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from speechx.engine import kernels
from speechx.engine.kernels import ROWS, BlockWeights, multiplies_int8, pack_rows
from speechx.engine.model_runner import ModelRunner
from speechx.engine.packed_block import pair_order
from speechx.engine.sampling import draw
from speechx.models.lm.model import CodecLMCore
from speechx.models.lora import LoRAAdapter

FEW = 64
"""Rows that NumPy sums sooner than torch."""

ONE = np.ones(1, np.float32)  # the scale of a matrix that is float32

Matrix = tuple[
    np.ndarray, np.ndarray
]  # rows or tiles (speechx.engine.kernels.products) and the scale of each output (O,)


@dataclass(frozen=True)
class StepWeights:
    """The matrices that a step reads, as the kernels want them. heads: those of the codes after the first."""

    blocks: BlockWeights
    local_blocks: BlockWeights
    advance: Matrix
    first: Matrix
    local_in: Matrix
    heads: list[Matrix]

    @classmethod
    def of(
        cls, core: CodecLMCore, adapter: LoRAAdapter | None = None, tiles: bool | None = None
    ) -> StepWeights:
        """Of a model, with what an adapter adds to its matrices. tiles: by default where the processor multiplies int8."""
        tiles = multiplies_int8() if tiles is None else tiles

        def matrix(name: str) -> Tensor:
            weight = core.get_parameter(name).detach().float().cpu()
            factors = None if adapter is None else adapter.factors(name)
            return weight if factors is None else weight + factors[0].float().cpu() @ factors[1].float().cpu()

        def stack(prefix: str, layers: int, heads: int | None) -> BlockWeights:
            found: list[np.ndarray] = []
            for part in ("qkv", "out", "gate_up", "down"):
                weights = [matrix(f"{prefix}{n}.{part}.weight") for n in range(layers)]
                if part == "qkv" and heads is not None:
                    weights = [w[pair_order(len(w), heads)] for w in weights]
                quantized = [quantize(w, tiles) for w in weights]
                found += [np.stack([q[0] for q in quantized]), np.stack([q[1] for q in quantized])]
            return BlockWeights(*found)

        c = core.shape
        return cls(
            stack("blocks.", c.layers, c.heads),
            stack("local_blocks.", c.local_layers, None),
            quantize(matrix("advance_head.weight"), tiles),
            quantize(matrix("first_head.weight"), tiles),
            quantize(matrix("local_in.weight"), tiles),
            [quantize(head.t(), tiles) for head in matrix("local_heads")],
        )


def quantize(weight_OI: Tensor, tiles: bool = False) -> Matrix:
    """int8, and for each output the scale that makes its largest weight 127."""
    weight = weight_OI.numpy()
    scale_O = np.maximum(np.abs(weight).max(1), 1e-8).astype(np.float32) / np.float32(127)
    return pack_rows(np.rint(weight / scale_O[:, None]).clip(-127, 127).astype(np.int8), tiles), scale_O


class CompiledRunner(ModelRunner):
    """Prepared weights of one model and the KV cache of `slots` sequences of at most `max_steps` steps."""

    decodes = False

    def __init__(self, core: CodecLMCore, slots: int, max_steps: int) -> None:
        """Compiles the kernels where no earlier process has: 20 seconds."""
        self._weights: dict[str | None, StepWeights] = {None: StepWeights.of(core)}
        self._names: list[str | None] = []
        self._groups_of_count: dict[int, list[tuple[StepWeights, slice | np.ndarray]]] = {}
        self._pool: ThreadPoolExecutor | None = None
        super().__init__(core, slots, max_steps, "int8")
        c = self.config
        self._kv_LS2HTE = self.cache.kv_LS2HTE.view(torch.uint16).numpy()
        # The last slot is for the rows that fill up a block of ROWS.
        size = (
            c.local_layers,
            slots + 1,
            2,
            c.local_heads,
            c.num_codebooks - 1,
            c.local_dim // c.local_heads,
        )
        self._local_kv_LS2HTE = np.zeros(size, np.uint16)
        angle = self.rope.numpy()
        self._rope_T2E = np.ascontiguousarray(np.stack([angle.real, angle.imag], axis=1))
        self._names = [None]
        with torch.inference_mode():  # compiles everything that a request may need
            x_ND = torch.ones(1, c.dim)
            self.step(x_ND, [0], [0], [-1])
            if c.num_codebooks > 1:
                self._local_step(torch.ones(1, c.local_dim), 0)
            self._gate(x_ND, x_ND[0])
            draw(x_ND, *[torch.ones(1, 1)] * 3)

    def sum_rows(self, ids: np.ndarray) -> Tensor:
        """As in ModelRunner, where a step's few rows take torch longer to begin than to sum."""
        if len(ids) > FEW:
            return super().sum_rows(ids)
        return torch.from_numpy(self.table.numpy()[ids].sum(1))

    def add_adapter(self, adapter: LoRAAdapter) -> None:
        super().add_adapter(adapter)
        self._weights[adapter.name] = StepWeights.of(self._core, adapter)

    def remove_adapter(self, name: str) -> None:
        super().remove_adapter(name)
        self._weights.pop(name, None)

    def select_adapters(self, names_N: list[str | None]) -> None:
        super().select_adapters(names_N)
        self._names = names_N
        self._groups_of_count.clear()

    def step(self, x_ND: Tensor, positions_N: list[int], slots_N: list[int], lengths_N: list[int]) -> Tensor:
        """As in ModelRunner, on as many threads as torch has: the blocks of ROWS are shared among them."""
        N, D = x_ND.shape
        rope, slots, lengths = self._rope_T2E[positions_N], np.array(slots_N), np.array(lengths_N)
        y = np.empty((N, D), np.float32)
        for w, rows in self._groups_of(N):
            x = fill(x_ND.numpy()[rows])
            places = fill(rope[rows]), fill(slots[rows]), fill(lengths[rows], -1)
            self._share(partial(self._global_rows, w, x, *places), len(x))
            y[rows] = x[: len(y[rows])]
        return torch.from_numpy(y)

    def _global_rows(
        self,
        w: StepWeights,
        x_ND: np.ndarray,
        rope_N2E: np.ndarray,
        slots_N: np.ndarray,
        lengths_N: np.ndarray,
        at: slice,
    ) -> None:
        kernels.global_step(x_ND[at], rope_N2E[at], slots_N[at], lengths_N[at], self._kv_LS2HTE, w.blocks)

    def advance_logits(self, h_ND: Tensor) -> Tensor:
        return self._product(lambda w: w.advance, h_ND)

    def _first(self, h_ND: Tensor) -> Tensor:
        return self._product(lambda w: w.first, h_ND)

    def _gate(self, x_ND: Tensor, weights_D: Tensor) -> Tensor:
        x, y = fill(x_ND.numpy()), np.empty((len(x_ND) + ROWS, 1), np.float32)
        kernels.product(x, weights_D.numpy()[None], ONE, y, False)
        return torch.from_numpy(y[: len(x_ND), 0])

    def _local_input(self, h_ND: Tensor) -> Tensor:
        return self._product(lambda w: w.local_in, h_ND)

    def _local_step(self, x_ND: Tensor, k: int) -> tuple[Tensor, Tensor]:
        N, D = x_ND.shape
        places, last = np.arange(N), self._local_kv_LS2HTE.shape[1] - 1
        y, logits = np.empty((N, D), np.float32), np.empty((N, self.config.codebook_size), np.float32)
        for w, rows in self._groups_of(N):
            x, slots = fill(x_ND.numpy()[rows]), fill(places[rows], last)
            found = np.empty((len(x), logits.shape[1]), np.float32)
            self._share(partial(self._local_rows, w, x, k, slots, found), len(x))
            y[rows], logits[rows] = x[: len(y[rows])], found[: len(y[rows])]
        return torch.from_numpy(y), torch.from_numpy(logits)

    def _local_rows(
        self, w: StepWeights, x_ND: np.ndarray, k: int, slots_N: np.ndarray, y_NV: np.ndarray, at: slice
    ) -> None:
        kernels.local_step(x_ND[at], k, slots_N[at], self._local_kv_LS2HTE, w.local_blocks)
        kernels.product(x_ND[at], *w.heads[k], y_NV[at], False)

    def _product(self, matrix: Callable[[StepWeights], Matrix], x_ND: Tensor) -> Tensor:
        outputs = len(matrix(self._weights[None])[1])
        y = np.empty((len(x_ND), outputs), np.float32)
        for w, rows in self._groups_of(len(x_ND)):
            x = fill(x_ND.numpy()[rows])
            found = np.empty((len(x), outputs), np.float32)
            kernels.product(x, *matrix(w), found, False)
            y[rows] = found[: len(y[rows])]
        return torch.from_numpy(y)

    def _groups_of(self, count: int) -> list[tuple[StepWeights, slice | np.ndarray]]:
        """The weights of each adapter in use, and its rows."""
        found = self._groups_of_count.get(count)
        if found is None:
            names, plain = self._names[:count], self._weights[None]
            different = list(dict.fromkeys(names))
            found = self._groups_of_count[count] = [
                (
                    self._weights.get(name, plain),
                    slice(None)
                    if len(different) == 1
                    else np.flatnonzero([other == name for other in names]),
                )
                for name in different
            ]
        return found

    def _share(self, function: Callable[[slice], None], rows: int) -> None:
        """Calls a function with all rows, in parts of whole blocks on several threads."""
        threads = min(torch.get_num_threads(), rows // ROWS)
        if threads == 1:
            function(slice(0, rows))
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(os.cpu_count(), "speechx-step")
        edges = [ROWS * (part * (rows // ROWS) // threads) for part in range(threads + 1)]
        others = [self._pool.submit(function, slice(*edge)) for edge in pairwise(edges[1:])]
        function(slice(0, edges[1]))
        for other in others:
            other.result()


def fill(values: np.ndarray, filling: int = 0) -> np.ndarray:
    """The values, contiguous, and as many fillings as make their number a multiple of ROWS. A copy only where it must be."""
    missing = -len(values) % ROWS
    if not missing:
        return np.ascontiguousarray(values)
    return np.concatenate([values, np.full((missing, *values.shape[1:]), filling, values.dtype)])
