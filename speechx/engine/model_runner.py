"""The language model one step at a time: prefill into the KV cache, then a step for every running sequence.

The same function as CodecLMCore.forward (a test compares them), written for few rows: prepared weights and views, no
autograd, rotary positions as one complex product in place. Attention covers a sequence's own length only; rows of the same
length in neighboring slots, such as the candidates of a part, share one call. A sequence's numbers do not depend on its
neighbors. On a CPU, speechx.engine.compiled_runner does the steps of decoding.

Shape suffixes: N rows (sequences, or steps of one prompt), T steps so far, D width, H heads, E width of a
head, G codes of a step, V code values.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechx.engine.kvcache import KVCache
from speechx.engine.packed_block import PackedBlock, unit_rms
from speechx.engine.packed_linear import AdaptedRows, PackedLinear, Precision, has_fast_bfloat16
from speechx.models.lm.batch import LOOKAHEAD, PAST_END
from speechx.models.lm.config import LMConfig
from speechx.models.lm.model import CodecLMCore, CopyPath, EmbeddingRows
from speechx.models.lm.prompt import FLAG_TARGET, PackedPrompt
from speechx.models.lora import LoRAAdapter, check_lora
from speechx.models.vocab import NUM_PHONES

Group = tuple[slice, list[Tensor], int]  # rows, their keys and values of each layer, how many steps are there
Choose = Callable[[int, Tensor], Tensor]  # (code slot, logits (N, V)) -> codes (N,)


@dataclass(frozen=True)
class AdaptableProduct:
    """A product with a matrix of the model, or a part of it. weight, factors: that part of it and of LoRA factors."""

    linear: PackedLinear
    matrix: str
    weight: Callable[[Tensor], Tensor]
    factors: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def local_head(linear: PackedLinear, k: int) -> AdaptableProduct:
    """The head of one codebook: the k-th of a stack of matrices that lie the other way round."""
    return AdaptableProduct(
        linear, "local_heads", lambda w: w[k].t(), lambda up, down: (down[k].t(), up[k].t())
    )


class ModelRunner:
    """Prepared weights of one model and the KV cache of `slots` sequences of at most `max_steps` steps.

    decodes: whether it does the steps of decoding itself, or prompts alone.
    """

    decodes = True

    def __init__(self, core: CodecLMCore, slots: int, max_steps: int, precision: Precision) -> None:
        c: LMConfig = core.shape
        self.config, self.rows = c, core.rows
        self.device = core.embed.weight.device
        self.precision = precision
        self._core, self._own = core, core.adapters
        self._adapted = AdaptedRows()  # shared by all products
        self._products: list[AdaptableProduct] = []
        self._language_rows: dict[str, tuple[int, Tensor]] = {}  # token and row, by the name of an adapter
        self.table = core.embed.weight.detach().float()

        def make(name: str, order: Tensor | None = None) -> PackedLinear:
            def rows(matrix: Tensor) -> Tensor:
                return matrix if order is None else matrix[order]

            linear = PackedLinear(rows(core.get_parameter(name)), precision, self._adapted)
            self._products.append(AdaptableProduct(linear, name, rows, lambda up, down: (rows(up), down)))
            return linear

        def blocks(prefix: str, found: nn.ModuleList, pairs: bool) -> list[PackedBlock]:
            # ty: ModuleList does not say what it holds
            return [PackedBlock(b, f"{prefix}{n}.", make, pairs) for n, b in enumerate(found)]  # type: ignore[arg-type]

        self.track = make("track.weight")
        self.blocks = blocks("blocks.", core.blocks, pairs=True)
        self.local_tables = core.local_embed.weight.detach().float().split(c.codebook_size)
        if self.decodes:
            self.local_blocks = blocks("local_blocks.", core.local_blocks, pairs=False)
            self.advance_head, self.first_head, self.local_in = (
                make(f"{name}.weight") for name in ("advance_head", "first_head", "local_in")
            )
            self.local_heads = [PackedLinear(w.t(), precision, self._adapted) for w in core.local_heads]
            self._products += [local_head(head, k) for k, head in enumerate(self.local_heads)]
            # Keys and values of the local transformer, (N, 2, H, G - 1, E) per block; overwritten every step.
            size = (slots, 2, c.local_heads, c.num_codebooks - 1, c.local_dim // c.local_heads)
            self.local_kv = [torch.zeros(size, device=self.device) for _ in self.local_blocks]
            self._local_views: dict[int, list[list[tuple[Tensor, ...]]]] = {}
        for adapter in core.adapters:
            self.add_adapter(adapter)
        self.copy = deepcopy(core.copy).float() if c.copies else None
        self.rope = torch.complex(core.rope[:, 0].float(), core.rope[:, 1].float())
        # Half as many bytes to read; the codes are as good (docs/log.md).
        half = precision == "int8" or (
            precision != "float32" and (self.device.type != "cpu" or has_fast_bfloat16())
        )
        kind = torch.bfloat16 if half else torch.float32
        self.cache = KVCache(c.layers, slots, c.heads, max_steps, c.dim // c.heads, self.device, kind)

    def add_adapter(self, adapter: LoRAAdapter) -> None:
        """Prepares the weights that an adapter changes: some 60 MB for the mini preset. ValueError where it does not fit."""
        check_lora(self._core, adapter.tensors, adapter.scope)
        if (found := adapter.language_row()) is not None:
            self._language_rows[adapter.name] = (found[0], found[1].float().to(self.device))
        for product in self._products:
            factors = adapter.factors(product.matrix)
            if factors is not None:
                weight = product.weight(self._core.get_parameter(product.matrix))
                product.linear.adapt(adapter.name, weight, *product.factors(*factors))

    def remove_adapter(self, name: str) -> None:
        """Forgets an adapter."""
        self._language_rows.pop(name, None)
        for product in self._products:
            product.linear.adapted.pop(name, None)

    def select_adapters(self, names_N: list[str | None]) -> None:
        """Sets which LoRA adapter each row of the next products uses."""
        self._adapted.choose(names_N, self.device)

    def own_adapter(self, prompt: PackedPrompt) -> str | None:
        """The name of the last of the model's own adapters that applies to this prompt; None where none does."""
        fits = (adapter.name for adapter in reversed(self._own) if adapter.scope.holds(prompt.tokens_T))
        return next(fits, None)

    # Inputs

    def prompt_input(self, packed: PackedPrompt, start: int, stop: int, adapter: str | None = None) -> Tensor:
        """Input of prompt steps [start, stop), (N, D). adapter: its name; it may have a language's token of its own."""
        at = slice(start, stop)
        tokens_N, added = packed.tokens_T[at], self._language_rows.get(adapter or "")
        own_N = tokens_N == (-1 if added is None else added[0])
        columns = [
            np.where(own_N, EmbeddingRows.NONE, tokens_N)[:, None],
            EmbeddingRows.FLAG + packed.flags_T[at, None],
            self.code_rows(packed.codes_TG[at]),
        ]
        x_ND = self.sum_rows(np.concatenate(columns, axis=1))
        if added is not None:
            x_ND[torch.from_numpy(own_N).to(x_ND.device)] += added[1]
        return x_ND

    def code_rows(self, codes_NG: np.ndarray) -> np.ndarray:
        """Table rows of codes; -1 gives the empty row."""
        offsets = self.rows.code + self.config.codebook_size * np.arange(self.config.num_codebooks)
        return np.where(codes_NG < 0, EmbeddingRows.NONE, codes_NG.astype(np.int64) + offsets)

    def sum_rows(self, ids: np.ndarray) -> Tensor:
        """Sum of the table rows of each row of ids, (N, D)."""
        return F.embedding_bag(
            torch.from_numpy(ids).to(self.device), self.table, mode="sum", padding_idx=EmbeddingRows.NONE
        )

    def track_input(self, packed: PackedPrompt, steps: int) -> Tensor | None:
        """What the prompt's frames of the same moments add to each target step, (steps, D) float32."""
        if packed.track_codes_TG is None:
            return None
        ids = np.full((steps + 1, self.config.num_codebooks), EmbeddingRows.NONE)
        known = min(steps + 1, len(packed.track_codes_TG))
        ids[:known] = self.code_rows(packed.track_codes_TG[:known])
        frames = self.sum_rows(ids)
        return self.track(torch.cat([frames[:-1], frames[1:]], dim=1)).float()

    def target_rows(self, token: int, codes_G: np.ndarray, phones: np.ndarray | None, age: int) -> np.ndarray:
        """Table rows of one target step, (G + 6,): phones (LOOKAHEAD,) and age are those of the pointer."""
        ids = np.zeros(codes_G.shape[0] + 3 + LOOKAHEAD, dtype=np.int64)
        ids[0], ids[1] = token, EmbeddingRows.FLAG + FLAG_TARGET
        if phones is not None:
            ids[2] = EmbeddingRows.AGE + min(age, self.config.max_phone_age - 1)
            ids[3 : 3 + LOOKAHEAD] = EmbeddingRows.PHONE + (NUM_PHONES + 1) * np.arange(LOOKAHEAD) + phones
        ids[3 + LOOKAHEAD :] = self.code_rows(codes_G)
        return ids

    # The global transformer

    def prefill(self, x_ND: Tensor, positions_N: np.ndarray, slot: int, start: int) -> None:
        """Run steps [start, start + N) of one sequence's prompt into its slot."""
        N, stop = len(x_ND), start + len(x_ND)
        rope = self.rope[torch.from_numpy(positions_N)][:, None, None]
        mask = torch.ones(N, stop, dtype=torch.bool, device=self.device).tril(start)
        last = len(self.blocks) - 1
        for layer, block in enumerate(self.blocks):
            q, keys, values = self._attend_inputs(block, x_ND, rope, layer, slot, start, stop)
            if layer == last:
                return  # no step of a prompt is an output
            y = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
            x_ND = block.finish(x_ND, y[0].transpose(0, 1).reshape(N, -1))

    def _attend_inputs(
        self, block: PackedBlock, x_ND: Tensor, rope: Tensor, layer: int, slot: int, start: int, stop: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Project a prompt chunk and store its keys and values: (q, keys, values), each (1, H, ., E)."""
        qkv = block.project(x_ND)
        rotate_pairs(qkv[:, :2], rope)
        kv = self.cache.views(slot, 1)[layer]
        kv[0, :, :, start:stop] = qkv[:, 1:].permute(1, 2, 0, 3)
        keys, values = kv[..., :stop, :].unbind(1)
        return qkv[:, 0].transpose(0, 1)[None].to(kv.dtype), keys, values

    def step(self, x_ND: Tensor, positions_N: list[int], slots_N: list[int], lengths_N: list[int]) -> Tensor:
        """One target step for N sequences whose slots hold `lengths` steps: normed output (N, D)."""
        N = len(x_ND)
        rope = self.rope[positions_N][:, None, None]
        groups = self._groups(slots_N, lengths_N)
        for layer, block in enumerate(self.blocks):
            qkv = block.project(x_ND)
            rotate_pairs(qkv[:, :2], rope)
            q, new = qkv[:, 0, :, None].to(self.cache.dtype), qkv[:, 1:]
            y = []
            for rows, views, at in groups:
                kv = views[layer]
                kv.select(3, at).copy_(new[rows])
                keys, values = kv.narrow(3, 0, at + 1).unbind(1)
                y.append(F.scaled_dot_product_attention(q[rows], keys, values))
            y_ND = (y[0] if len(y) == 1 else torch.cat(y)).view(N, -1)
            x_ND = block.finish(x_ND, y_ND)
        return unit_rms(x_ND)

    def _groups(self, slots_N: list[int], lengths_N: list[int]) -> list[Group]:
        """Runs of rows of the same length in neighboring slots."""
        groups, start = [], 0
        for row in range(1, len(slots_N) + 1):
            joined = row < len(slots_N) and lengths_N[row] == lengths_N[start]
            if not joined or slots_N[row] != slots_N[row - 1] + 1:
                groups.append(
                    (slice(start, row), self.cache.views(slots_N[start], row - start), lengths_N[start])
                )
                start = row
        return groups

    def advance_logits(self, h_ND: Tensor) -> Tensor:
        """Logits of how many phones the pointer moves on, (N, A) float32."""
        return self.advance_head(h_ND).float()

    # The local transformer

    def first_logits(self, h_ND: Tensor, track_NG: Tensor | None = None) -> Tensor:
        """Logits of the first code of one step, (N, V) float32; track_NG as in `codes`."""
        logits_NV = self._first(h_ND)
        if self.copy is None or track_NG is None:
            return logits_NV
        return CopyPath.add(logits_NV, self._gate(h_ND, self.copy.first), track_NG[:, 0])

    def codes(self, h_ND: Tensor, choose: Choose, track_NG: Tensor | None = None) -> Tensor:
        """The codes of one step, (N, G), each given the ones before it.

        track_NG: the recording's codes of the same moment, -1 = none; used where the model can copy.
        """
        V = self.config.codebook_size
        copy = self.copy if track_NG is not None else None
        chosen = [choose(0, self.first_logits(h_ND, track_NG))]
        if copy is not None and track_NG is not None:
            copied = copy.codes[copy.rows(track_NG, V)]
        extra = self._local_input(h_ND)
        for k in range(self.config.num_codebooks - 1):
            x = self.local_tables[k][chosen[-1]]
            if copy is not None and track_NG is not None:
                x += copied[:, k]
                x += (chosen[-1] == track_NG[:, k])[:, None] * copy.kept[k]
            if k == 0:
                x += extra
            x, logits = self._local_step(x, k)
            if copy is not None and track_NG is not None:
                logits = CopyPath.add(logits, self._gate(x, copy.gates[k]), track_NG[:, k + 1])
            chosen.append(choose(k + 1, logits))
        return torch.stack(chosen, dim=1)

    def _first(self, h_ND: Tensor) -> Tensor:
        return self.first_head(h_ND).float()

    def _gate(self, x_ND: Tensor, weights_D: Tensor) -> Tensor:
        return x_ND.float() @ weights_D

    def _local_input(self, h_ND: Tensor) -> Tensor:
        return self.local_in(h_ND).float()

    def _local_step(self, x_ND: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The k-th step of the local transformer, D being its width: normed output (N, D) and logits (N, V)."""
        N = len(x_ND)
        for block, (here, keys, values) in zip(self.local_blocks, self._views_of(N)[k], strict=True):
            qkv = block.project(x_ND)
            here.copy_(qkv[:, 1:])
            y = qkv[:, 2]  # the first step has itself alone to attend to
            if k:
                y = F.scaled_dot_product_attention(qkv[:, 0, :, None], keys, values)
            x_ND = block.finish(x_ND, y.reshape(N, -1))
        x_ND = unit_rms(x_ND)
        return x_ND, self.local_heads[k](x_ND).float()

    def _views_of(self, rows: int) -> list[list[tuple[Tensor, ...]]]:
        """For each step of the local transformer and each block: its place in keys and values, and all up to it."""
        found = self._local_views.get(rows)
        if found is None:
            kept = [kv[:rows] for kv in self.local_kv]
            steps = range(self.config.num_codebooks - 1)
            found = [[(kv[:, :, :, k], *kv[:, :, :, : k + 1].unbind(1)) for kv in kept] for k in steps]
            self._local_views[rows] = found
        return found


def rotate_pairs(x_N2HE: Tensor, rope_N11E: Tensor) -> None:
    """Rotate neighboring values as complex numbers, in place."""
    torch.view_as_complex(x_N2HE.unflatten(-1, (-1, 2))).mul_(rope_N11E)


def ahead_phones(ids_N: np.ndarray) -> np.ndarray:
    """The track's phones with PAST_END behind them: [p : p + LOOKAHEAD] is the input at pointer p."""
    return np.concatenate([np.asarray(ids_N, dtype=np.int64), np.full(LOOKAHEAD, PAST_END)])
