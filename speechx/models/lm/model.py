"""The codec language model: a global transformer over steps, a local transformer over the codes of a step.

A step's input is one sum of embeddings (see `EmbeddingRows`). The global transformer runs once per step. Its output
gives the step's first code and the pointer's advance directly; the local transformer gives the other codes in
turn, from that output and the codes before (GPST, Moshi, CSM). The first codebook is the semantic one, and
this way it is trained on every target step, the local transformer on a random part of them.

Where the target follows a recording frame by frame, a code is often the recording's own. With config.copies
each code slot has a gate, a number from the state that is about to choose, added to the logit of the code
that the recording has there (after the pointer-generator network, See et al. 2017, section 2.2, as a logit
instead of a mixture); the local transformer sees that code and which of the frame's earlier ones were kept.

The class here is a plain torch module, so that running a model does not import transformers (seconds);
speechx.models.lm.pretrained.CodecLM is the same model as a PreTrainedModel.

Shape suffixes: B examples, T steps, D width, N target steps, M sampled target steps, G codes of a step, V
code values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechx.models.lm.batch import IGNORE, LOOKAHEAD, LMBatch
from speechx.models.lm.config import LMConfig
from speechx.models.lm.prompt import NUM_FLAGS
from speechx.models.lm.transformer import (
    EmbeddingSum,
    TransformerBlock,
    autocast_dtype,
    init_weights,
    rms_norm,
    rope_table,
)
from speechx.models.ranks import ONE_RANK, Ranks
from speechx.models.vocab import NUM_PHONES, VOCAB_SIZE

if TYPE_CHECKING:
    from speechx.models.lora import LoRAAdapter


class EmbeddingRows:
    """Row ranges of the one input table.

    Row 0 is PAD: it adds nothing, and stands wherever there is nothing to add.
    """

    NONE = 0
    FLAG = VOCAB_SIZE  # what kind of step
    PHONE = FLAG + NUM_FLAGS  # LOOKAHEAD tables of NUM_PHONES + 1 (past the end)
    AGE = PHONE + LOOKAHEAD * (NUM_PHONES + 1)  # frames spent on the pointer's phone

    def __init__(self, config: LMConfig) -> None:
        self.code = self.AGE + config.max_phone_age  # one table per code slot
        self.count = self.code + config.num_codebooks * config.codebook_size


class CopyPath(nn.Module):
    """What the code slots know of the recording's frame. All zeros at first: that changes nothing.

    first: gate of the first code, from the global transformer. gates: of the others, from the local one. kept:
    added after each code that is the recording's. codes: the recording's code of the slot to be chosen, row 0
    where there is none.
    """

    def __init__(self, config: LMConfig) -> None:
        super().__init__()
        G, V, D = config.num_codebooks, config.codebook_size, config.local_dim
        self.first = nn.Parameter(torch.zeros(config.dim))
        self.gates = nn.Parameter(torch.zeros(G - 1, D))
        self.kept = nn.Parameter(torch.zeros(G - 1, D))
        self.codes = nn.Parameter(torch.zeros(1 + (G - 1) * V, D))

    def rows(self, track_MG: Tensor, codebook_size: int) -> Tensor:
        """Rows of `codes` for slots 2..G, (M, G - 1)."""
        track = track_MG[:, 1:]
        offset = 1 + codebook_size * torch.arange(track.shape[1], device=track.device)
        return torch.where(track < 0, 0, track + offset)

    @staticmethod
    def add(logits: Tensor, gate: Tensor, track: Tensor) -> Tensor:
        """Logits (..., V) with each gate (...) added at the recording's code (...); -1 is nowhere."""
        gate = torch.where(track < 0, 0, gate).to(logits.dtype)
        return logits.scatter_add(-1, track.clamp(min=0)[..., None], gate[..., None])


@dataclass
class LMOutput:
    """Training result. metrics are detached scalars: ce_1.. per code slot, acc_1, advance_ce, advance_acc."""

    loss: Tensor
    metrics: dict[str, Tensor]


class CodecLMCore(nn.Module):
    """Parameters and training forward of the language model; speechx.engine.model_runner runs it step by step."""

    def __init__(self, config: LMConfig, draw: bool = True) -> None:
        """draw: whether to draw initial weights; not where they are about to be loaded."""
        super().__init__()
        self.shape = config
        self.adapters: tuple[
            LoRAAdapter, ...
        ] = ()  # with a scope each; the engine applies the last one that fits
        c, G, V = config, config.num_codebooks, config.codebook_size
        self.rows = EmbeddingRows(config)
        self.embed = nn.Embedding(self.rows.count, c.dim, padding_idx=EmbeddingRows.NONE)
        self.track = nn.Linear(2 * c.dim, c.dim, bias=False)
        self.blocks = nn.ModuleList(
            TransformerBlock(c.dim, c.heads, c.ffn_dim, c.dropout) for _ in range(c.layers)
        )
        self.advance_head = nn.Linear(c.dim, c.max_advance + 1, bias=False)
        self.first_head = nn.Linear(c.dim, V, bias=False)
        self.local_in = nn.Linear(c.dim, c.local_dim, bias=False)
        self.local_embed = nn.Embedding((G - 1) * V, c.local_dim)
        self.local_blocks = nn.ModuleList(
            TransformerBlock(c.local_dim, c.local_heads, c.local_ffn_dim, c.dropout)
            for _ in range(c.local_layers)
        )
        self.local_heads = nn.Parameter(torch.empty(G - 1, c.local_dim, V))
        if c.copies:
            self.copy = CopyPath(c)
        self.make_buffers()
        if draw:
            self.reset_parameters()

    rope: Tensor
    code_rows: Tensor
    local_rows: Tensor

    def make_buffers(self) -> None:
        """Compute what is not saved with the weights, on their device."""
        c, V, device = self.shape, self.shape.codebook_size, self.embed.weight.device
        rope = rope_table(c.max_positions, c.dim // c.heads, c.rope_theta).to(device)
        slots = torch.arange(c.num_codebooks, device=device)
        self.register_buffer("rope", rope, persistent=False)
        self.register_buffer("code_rows", self.rows.code + V * slots, persistent=False)
        self.register_buffer("local_rows", V * slots[:-1], persistent=False)

    def compile_blocks(self) -> None:
        """Compile the transformer blocks: training takes about two thirds of the time, after a minute's wait.

        On a CPU this needs a C++ compiler.
        """
        for block in (*self.blocks, *self.local_blocks):
            block.compile(dynamic=True)

    def reset_parameters(self) -> None:
        """Draw new weights from torch's global generator."""
        for part, layers in ((self.blocks, self.shape.layers), (self.local_blocks, self.shape.local_layers)):
            init_weights(part, layers)
        for linear in (self.track, self.advance_head, self.first_head, self.local_in):
            nn.init.normal_(linear.weight, std=0.02)
        for weight in (self.embed.weight, self.local_embed.weight, self.local_heads):
            nn.init.normal_(weight, std=0.02)
        with torch.no_grad():
            self.embed.weight[EmbeddingRows.NONE] = 0

    # Input

    def code_ids(self, codes_G: Tensor) -> Tensor:
        """Table rows of codes (..., G); -1 gives the empty row."""
        return torch.where(codes_G < 0, EmbeddingRows.NONE, codes_G + self.code_rows)

    def step_ids(self, batch: LMBatch) -> Tensor:
        """Table rows whose sum is each step's input, (B, T, G + 6)."""
        phone_rows = EmbeddingRows.PHONE + (NUM_PHONES + 1) * torch.arange(
            LOOKAHEAD, device=batch.tokens_BT.device
        )
        phones = torch.where(
            batch.track_phones_BT3 < 0, EmbeddingRows.NONE, batch.track_phones_BT3 + phone_rows
        )
        age = batch.track_age_BT
        age = torch.where(
            age < 0, EmbeddingRows.NONE, EmbeddingRows.AGE + age.clamp(max=self.shape.max_phone_age - 1)
        )
        flags = batch.flags_BT + EmbeddingRows.FLAG
        others = torch.stack([batch.tokens_BT, flags, age], dim=-1)
        return torch.cat([others, phones, self.code_ids(batch.codes_BTG)], dim=-1)

    def sum_rows(self, ids: Tensor) -> Tensor:
        """Sum of table rows over the last dimension: (..., n) -> (..., D)."""
        flat = ids.view(-1, ids.shape[-1])
        return EmbeddingSum.apply(self.embed.weight, flat).view(*ids.shape[:-1], -1)

    def embed_batch(self, batch: LMBatch) -> Tensor:
        """Input of every step, (B, T, D)."""
        x_BTD = self.sum_rows(self.step_ids(batch))
        if batch.track_codes_BT2G is not None:
            tracks = self.sum_rows(self.code_ids(batch.track_codes_BT2G))
            x_BTD = x_BTD + self.track(tracks.flatten(2))
        return x_BTD

    # Training

    def hidden(self, batch: LMBatch) -> Tensor:
        """Output of the global transformer at the target steps, (N, D)."""
        rope = self.rope[batch.positions_BT]
        x_BTD = self.embed_batch(batch)
        # Under autocast the residual stream is half-width, too: on a CPU that is the faster half of what it buys.
        x_BTD = x_BTD.to(autocast_dtype(x_BTD))
        cos_sin = (rope[:, :, None, 0].to(x_BTD.dtype), rope[:, :, None, 1].to(x_BTD.dtype))
        for block in self.blocks:
            x_BTD = block(x_BTD, cos_sin)
        return rms_norm(x_BTD.flatten(0, 1)[batch.target_index_N])

    def track_codes(self, batch: LMBatch) -> Tensor | None:
        """The recordings' codes at the target steps, (N, G), -1 = none; None where there is no use for them."""
        if not self.shape.copies or batch.track_codes_BT2G is None:
            return None
        return batch.track_codes_BT2G[:, :, 0].flatten(0, 1)[batch.target_index_N]

    def first_logits(self, h_ND: Tensor, track_NG: Tensor | None = None) -> Tensor:
        """Logits of the first code, (N, V) float32."""
        logits = self.first_head(h_ND).float()
        if track_NG is None:
            return logits
        return CopyPath.add(logits, h_ND.float() @ self.copy.first, track_NG[:, 0])

    def local_logits(self, h_MD: Tensor, codes_MG: Tensor, track_MG: Tensor | None = None) -> Tensor:
        """Logits of codes 2..G given the codes before, (G - 1, M, V). Codes below 0 count as 0.

        track_MG: the recording's codes of the same moments, -1 = none.
        """
        codes = codes_MG[:, :-1].clamp(min=0)
        x = self.local_embed(codes + self.local_rows)
        if track_MG is not None:
            kept = (codes_MG[:, :-1] == track_MG[:, :-1])[..., None]
            x = x + F.embedding(self.copy.rows(track_MG, self.shape.codebook_size), self.copy.codes, 0)
            x = x + kept * self.copy.kept
        x = x.to(h_MD.dtype)
        x = torch.cat([x[:, :1] + self.local_in(h_MD)[:, None], x[:, 1:]], dim=1)
        for block in self.local_blocks:
            x = block(x)
        x = rms_norm(x)
        logits = torch.bmm(x.transpose(0, 1), self.local_heads)
        if track_MG is not None:
            logits = CopyPath.add(logits, (x * self.copy.gates).sum(-1).T, track_MG[:, 1:].T)
        return logits

    def draw_local_steps(self, count: int) -> Tensor | None:
        """Target steps (M,) of `count` that train the local transformer, from torch's global generator; None for all."""
        M = max(1, round(count * self.shape.local_fraction))
        return torch.randperm(count, device=self.embed.weight.device)[:M] if count > M else None

    def forward(self, batch: LMBatch, ranks: Ranks = ONE_RANK, drawn_M: Tensor | None = None) -> LMOutput:
        """Loss of a batch. Draws the local transformer's steps unless they are given.

        Of a batch that is a part of a larger one, loss and metrics are its share: their sum over the ranks is the whole's.
        drawn_M: numbers of target steps in the whole batch.
        """
        c = self.shape
        h_ND = self.hidden(batch)
        whole = batch.whole_steps or len(h_ND)
        chosen_M = self.draw_local_steps(whole) if drawn_M is None else drawn_M
        if chosen_M is not None and batch.whole_index_N is not None:
            chosen_M = torch.isin(batch.whole_index_N, chosen_M).nonzero()[:, 0]
        target_NG = batch.target_codes_BTG.flatten(0, 1)[batch.target_index_N]
        advance_N = batch.target_advance_BT.flatten()[batch.target_index_N]
        local_target = (target_NG if chosen_M is None else target_NG[chosen_M])[:, 1:]
        targets = [advance_N, target_NG[:, 0], *local_target.T]
        counts = ranks.sum(torch.stack([(t != IGNORE).sum() for t in targets])).clamp(min=1)

        advance_logits = self.advance_head(h_ND).float()
        track_NG = self.track_codes(batch)
        first_logits = self.first_logits(h_ND, track_NG)
        if chosen_M is None:
            local_logits = self.local_logits(h_ND, target_NG, track_NG)
        else:
            track_MG = None if track_NG is None else track_NG[chosen_M]
            local_logits = self.local_logits(h_ND[chosen_M], target_NG[chosen_M], track_MG)
        advance_ce = _sum_ce(advance_logits, advance_N) / counts[0]
        sums = [
            _sum_ce(logits.float(), wanted, c.label_smoothing)
            for logits, wanted in zip([first_logits, *local_logits], targets[1:], strict=True)
        ]
        ces = torch.stack(sums) / counts[1:]
        weights = torch.tensor(c.loss_weights, device=ces.device)
        loss = (ces * weights).sum() / weights.sum() + c.advance_weight * advance_ce
        with torch.no_grad():
            metrics = {f"ce_{i + 1}": ce for i, ce in enumerate(ces.detach())}
            metrics["acc_1"] = (first_logits.argmax(-1) == target_NG[:, 0]).sum() / whole
            metrics["advance_ce"] = advance_ce.detach()
            right = (advance_logits.argmax(-1) == advance_N) & (advance_N != IGNORE)
            metrics["advance_acc"] = right.sum() / counts[0]
        return LMOutput(loss, metrics)


def _sum_ce(logits_NV: Tensor, target_N: Tensor, smoothing: float = 0.0) -> Tensor:
    """Summed cross entropy over the targets that count."""
    return F.cross_entropy(
        logits_NV, target_N, ignore_index=IGNORE, reduction="sum", label_smoothing=smoothing
    )
