"""ConvNeXt blocks over (B, F, C) sequences, with an explicit state for streaming.

Legend: B batch, F frames, C channels. Channels come last: the pointwise layers are then plain matrix products, which
is what CPUs do best. Source: ConvNeXt (Liu et al. 2022, section 2) in the 1-D form of Vocos (Siuzdak 2023, section
3.2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class StreamState(dict[int, torch.Tensor]):
    """Left context of every causal layer of one stream, keyed by the layer's identity."""


class Conv(nn.Module):
    """1-D convolution over (B, F, C_in) -> (B, F', C_out); causal ones stream exactly.

    `lookahead` frames of the future are seen; the rest of the kernel looks back. A stream delays its output by that
    much.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        lookahead: int | None = None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, kernel, stride=stride, groups=groups)
        right = (kernel - stride) // 2 if lookahead is None else lookahead
        self.pad = (kernel - stride - right, right)

    def forward(self, x_BFC: torch.Tensor, state: StreamState | None = None) -> torch.Tensor:
        x_BCF = x_BFC.transpose(1, 2)
        if state is None:
            x_BCF = F.pad(x_BCF, self.pad)
        else:
            # A stream starts from the zeros that the offline pass pads with; its owner feeds the trailing zeros at
            # the end.
            left = state.get(id(self))
            if left is None:
                left = x_BCF.new_zeros(x_BCF.shape[0], x_BCF.shape[1], self.pad[0])
            x_BCF = torch.cat([left, x_BCF], dim=2)
            keep = self.conv.kernel_size[0] - 1
            state[id(self)] = x_BCF[:, :, max(0, x_BCF.shape[2] - keep) :]
            if x_BCF.shape[2] <= keep:
                return x_BFC.new_zeros(x_BFC.shape[0], 0, self.conv.out_channels)
        if x_BCF.device.type == "cpu":
            # bf16 convolutions are ten times slower than float32 ones on CPUs (measured); matrix products are faster.
            x_BCF = x_BCF if x_BCF.dtype == torch.float64 else x_BCF.float()
            with torch.autocast("cpu", enabled=False):
                return self._convolve(x_BCF).transpose(1, 2)
        return self._convolve(x_BCF).transpose(1, 2)

    def _convolve(self, x_BCF: torch.Tensor) -> torch.Tensor:
        conv = self.conv
        if x_BCF.dtype != torch.float64:
            return conv(x_BCF)
        assert conv.bias is not None
        return F.conv1d(x_BCF, conv.weight.double(), conv.bias.double(), conv.stride, groups=conv.groups)


class ConvNeXt(nn.Module):
    """Depthwise convolution, norm, pointwise expansion, residual: (B, F, C) -> (B, F, C)."""

    def __init__(
        self, dim: int, expansion: int = 3, kernel: int = 7, causal: bool = False, depth: int = 8
    ) -> None:
        super().__init__()
        self.depthwise = Conv(dim, dim, kernel, groups=dim, lookahead=0 if causal else None)
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, dim * expansion)
        self.down = nn.Linear(dim * expansion, dim)
        self.scale_C = nn.Parameter(torch.full((dim,), 1.0 / depth))

    def forward(self, x_BFC: torch.Tensor, state: StreamState | None = None) -> torch.Tensor:
        h_BFC = self.norm(self.depthwise(x_BFC, state))
        return x_BFC + self.scale_C * self.down(F.gelu(self.up(h_BFC)))


class Upsample(nn.Module):
    """(B, F, C_in) -> (B, F * factor, C_out) by a pointwise map to `factor` sub-frames: exact in a stream."""

    def __init__(self, c_in: int, c_out: int, factor: int = 2) -> None:
        super().__init__()
        self.linear = nn.Linear(c_in, c_out * factor)
        self.factor = factor

    def forward(self, x_BFC: torch.Tensor) -> torch.Tensor:
        batch, frames, _ = x_BFC.shape
        weight: torch.Tensor = self.linear.weight
        bias: torch.Tensor = self.linear.bias
        if x_BFC.dtype == torch.float64:
            weight, bias = weight.double(), bias.double()
        return F.linear(x_BFC, weight, bias).reshape(batch, frames * self.factor, -1)
