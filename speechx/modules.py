"""Transformer parts of the language model.

Shape suffixes: B batch, T steps, D model width, H heads, E width of a head.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-5


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last dimension (Zhang and Sennrich, 2019), in the input's type."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x_BTD: Tensor) -> Tensor:
        return F.rms_norm(x_BTD, self.weight.shape, self.weight, NORM_EPS)


def rope_table(positions: int, head_dim: int, theta: float) -> Tensor:
    """Rotary table (positions, 2, E / 2) float32: cosines, then sines (RoFormer)."""
    frequency = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angle = torch.arange(positions, dtype=torch.float64)[:, None] * frequency
    return torch.stack([angle.cos(), angle.sin()], dim=1).float()


def rotate(x_BTHE: Tensor, cos_BT1E: Tensor, sin_BT1E: Tensor) -> Tensor:
    """Rotate the two halves of each head against each other; cos and sin have E / 2 values."""
    a, b = x_BTHE.chunk(2, dim=-1)
    return torch.cat([a * cos_BT1E - b * sin_BT1E, b * cos_BT1E + a * sin_BT1E], dim=-1)


class Block(nn.Module):
    """Pre-norm transformer block: causal attention, then SwiGLU (Shazeer, 2020). No biases."""

    def __init__(self, dim: int, heads: int, ffn_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm_attention = RMSNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.norm_ffn = RMSNorm(dim)
        self.gate_up = nn.Linear(dim, 2 * ffn_dim, bias=False)
        self.down = nn.Linear(ffn_dim, dim, bias=False)

    def forward(self, x_BTD: Tensor, rope: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """x_BTD (B, T, D), no step sees a later one; rope = (cos, sin), each (B, T, 1, E / 2)."""
        B, T, D = x_BTD.shape
        qkv = self.qkv(self.norm_attention(x_BTD)).view(B, T, 3 * self.heads, D // self.heads)
        if rope is None:
            q, k, v = qkv.chunk(3, dim=2)
        else:
            qk, v = qkv.split([2 * self.heads, self.heads], dim=2)
            q, k = rotate(qk, *rope).chunk(2, dim=2)
        y = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True
        )
        x_BTD = x_BTD + self._drop(self.out(y.transpose(1, 2).reshape(B, T, D)))
        gate, up = self.gate_up(self.norm_ffn(x_BTD)).chunk(2, dim=-1)
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
