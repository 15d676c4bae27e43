"""Transformer parts of the language model.

Shape suffixes: B batch, T steps, D model width, H heads, E width of a head.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-5


def rms_norm(x_D: Tensor) -> Tensor:
    """Root-mean-square norm over the last dimension (Zhang and Sennrich, 2019).

    It has no gain: the linear layer that follows every norm holds it already.
    """
    return F.rms_norm(x_D, x_D.shape[-1:], eps=NORM_EPS)


def autocast_dtype(x: Tensor) -> torch.dtype:
    """The type autocast computes in on this tensor's device; the tensor's own without autocast."""
    device = x.device.type
    if device != "meta" and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return x.dtype


class EmbeddingSum(torch.autograd.Function):
    """Sum of table rows, ids (N, n) -> (N, D), where id 0 adds nothing.

    The same as embedding_bag, whose own gradient on a CPU costs 20 times as much as this one: sorting the ids
    by row turns the gradient into an embedding_bag over the output's gradient.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.rows, ctx.dtype = len(table), table.dtype
        return F.embedding_bag(ids, table, mode="sum", padding_idx=0)

    @staticmethod
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        flat = ids.flatten()
        flat, order = flat.sort(stable=True)
        counts = torch.bincount(flat, minlength=ctx.rows)
        bags = torch.div(order, ids.shape[1], rounding_mode="floor")[counts[0] :]
        counts[0] = 0
        starts = counts.cumsum(0) - counts
        return F.embedding_bag(bags, grad_ND.contiguous(), starts, mode="sum").to(ctx.dtype), None


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, each (B, H, T, E).

    On a CPU in half width, plain matrix products are twice as fast as torch's flash kernel, forward and
    backward.
    """
    B, H, T, E = q.shape
    if q.device.type != "cpu" or q.dtype == torch.float32:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    q, k, v = (x.reshape(B * H, T, E) for x in (q, k, v))
    hidden = torch.full((T, T), float("-inf"), dtype=q.dtype, device=q.device).triu(1)
    scores = torch.baddbmm(hidden.expand(B * H, T, T), q, k.transpose(1, 2), alpha=E**-0.5)
    return torch.bmm(scores.softmax(-1), v).view(B, H, T, E)


def rope_table(positions: int, head_dim: int, theta: float) -> Tensor:
    """Rotary table (positions, 2, E / 2) float32: cosines, then sines (RoFormer)."""
    frequency = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angle = torch.arange(positions, dtype=torch.float64)[:, None] * frequency
    return torch.stack([angle.cos(), angle.sin()], dim=1).float()


def rotate(x_BTHE: Tensor, cos_BT1E: Tensor, sin_BT1E: Tensor) -> Tensor:
    """Rotate the two halves of each head against each other; cos and sin have E / 2 values."""
    a, b = x_BTHE.chunk(2, dim=-1)
    return torch.cat([a * cos_BT1E - b * sin_BT1E, b * cos_BT1E + a * sin_BT1E], dim=-1)


class TransformerBlock(nn.Module):
    """Pre-norm transformer block: causal attention, then SwiGLU (Shazeer, 2020). No biases."""

    def __init__(self, dim: int, heads: int, ffn_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.gate_up = nn.Linear(dim, 2 * ffn_dim, bias=False)
        self.down = nn.Linear(ffn_dim, dim, bias=False)

    def forward(self, x_BTD: Tensor, rope: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """x_BTD (B, T, D), no step sees a later one; rope = (cos, sin), each (B, T, 1, E / 2)."""
        B, T, D = x_BTD.shape
        qkv = self.qkv(rms_norm(x_BTD)).view(B, T, 3 * self.heads, D // self.heads)
        if rope is None:
            q, k, v = qkv.chunk(3, dim=2)
        else:
            qk, v = qkv.split([2 * self.heads, self.heads], dim=2)
            q, k = rotate(qk, *rope).chunk(2, dim=2)
        y = causal_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        x_BTD = x_BTD + self._drop(self.out(y.transpose(1, 2).reshape(B, T, D)))
        gate, up = self.gate_up(rms_norm(x_BTD)).chunk(2, dim=-1)
        return x_BTD + self._drop(self.down(F.silu(gate) * up))

    def _drop(self, x_BTD: Tensor) -> Tensor:
        return F.dropout(x_BTD, self.dropout, self.training) if self.dropout else x_BTD


def init_weights(module: nn.Module, layers: int) -> None:
    """Normal weights of 0.02; the projections into the residual stream scaled down by depth (GPT-2)."""
    for name, parameter in module.named_parameters():
        if parameter.dim() < 2:
            continue
        std = 0.02
        if name.endswith(("out.weight", "down.weight")):
            std /= (2 * layers) ** 0.5
        nn.init.normal_(parameter, std=std)
