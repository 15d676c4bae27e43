"""Vector quantizers: one semantic codebook, then a residual stack.

Legend: N vectors (batch x frames), D latent dimension, V codebook entries, K codebooks.
Codebooks are running means of the vectors assigned to them (van den Oord et al. 2017, appendix A.1), start from
k-means of the first batch, and entries that fall out of use are moved onto vectors of the batch (Jukebox, section
3.1; SoundStream, 3.3).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from speechx.models.ranks import ONE_RANK, Ranks


class VectorQuantizer(nn.Module):
    """One codebook (V, D). Buffers, not parameters: the mean update needs no gradient."""

    codebook_VD: torch.Tensor
    count_V: torch.Tensor
    sum_VD: torch.Tensor
    started: torch.Tensor

    def __init__(self, size: int, dim: int, decay: float = 0.99, restart_below: float = 0.05) -> None:
        super().__init__()
        self.decay, self.restart_below = decay, restart_below
        self.ranks: Ranks = (
            ONE_RANK  # in training, the processes that share a batch: all move the entries alike
        )
        table_VD = torch.randn(size, dim) * dim**-0.5
        self.register_buffer("codebook_VD", table_VD)
        self.register_buffer("count_V", torch.ones(size), persistent=False)
        self.register_buffer("sum_VD", table_VD.clone(), persistent=False)
        self.register_buffer("started", torch.zeros((), dtype=torch.bool), persistent=False)

    def lookup(self, codes: torch.Tensor) -> torch.Tensor:
        return F.embedding(codes, self.codebook_VD)

    def nearest(self, x_ND: torch.Tensor) -> torch.Tensor:
        """Index (N,) of the closest entry in Euclidean distance."""
        with torch.autocast(x_ND.device.type, enabled=False):
            score_NV = x_ND.float() @ self.codebook_VD.T - 0.5 * self.codebook_VD.square().sum(1)
        return score_NV.argmax(1)

    @torch.no_grad()
    def update(self, x_ND: torch.Tensor, codes_N: torch.Tensor) -> None:
        """Moves the entries towards the vectors assigned to them; restarts the unused."""
        count_V, sum_VD = self._assigned(x_ND, codes_N)
        self.count_V.lerp_(count_V, 1 - self.decay)
        self.sum_VD.lerp_(sum_VD, 1 - self.decay)
        size, whole = len(count_V), int(count_V.sum())
        dead_V = self.count_V < self.restart_below * whole / size
        if bool(dead_V.any()):
            whole_ND = self.ranks.gather(x_ND)
            pick = torch.randint(whole, (int(dead_V.sum()),), device=x_ND.device)
            fresh = whole / size
            self.sum_VD[dead_V] = whole_ND[pick] * fresh
            self.count_V[dead_V] = fresh
        self.codebook_VD.copy_(self.sum_VD / self.count_V.clamp_min(1e-4)[:, None])

    @torch.no_grad()
    def start(self, x_ND: torch.Tensor, rounds: int = 8) -> None:
        """k-means of the first batch, so that no entry starts far from the data."""
        size = self.codebook_VD.shape[0]
        whole_ND = self.ranks.gather(x_ND)
        pick = torch.randint(whole_ND.shape[0], (size,), device=x_ND.device)
        self.codebook_VD.copy_(whole_ND[pick] + 1e-3 * torch.randn_like(whole_ND[pick]))
        for _ in range(rounds):
            count_V, sum_VD = self._assigned(x_ND, self.nearest(x_ND))
            used_V = count_V > 0
            self.codebook_VD[used_V] = sum_VD[used_V] / count_V[used_V, None]
        fresh = whole_ND.shape[0] / size
        self.sum_VD.copy_(self.codebook_VD * fresh)
        self.count_V.fill_(fresh)
        self.started.fill_(True)

    def _assigned(self, x_ND: torch.Tensor, codes_N: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How many vectors of the whole batch each entry got (V,), and their sum (V, D)."""
        count_V = torch.bincount(codes_N, minlength=len(self.codebook_VD)).to(x_ND.dtype)
        sum_VD = torch.zeros_like(self.sum_VD).index_add_(0, codes_N, x_ND)
        return self.ranks.sum(count_V), self.ranks.sum(sum_VD)

    def forward(self, x_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, D) -> (quantized (N, D) without gradient, codes (N,)); learns when in training mode."""
        if self.training and not bool(self.started):
            self.start(x_ND.detach())
        codes_N = self.nearest(x_ND)
        quantized_ND = self.lookup(codes_N)
        if self.training:
            self.update(x_ND.detach(), codes_N)
        return quantized_ND, codes_N


class ResidualQuantizer(nn.Module):
    """K codebooks, each coding what the ones before left over (SoundStream, section 3.3)."""

    def __init__(self, num_codebooks: int, size: int, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([VectorQuantizer(size, dim) for _ in range(num_codebooks)])

    def layer(self, index: int) -> VectorQuantizer:
        layer = self.layers[index]
        assert isinstance(layer, VectorQuantizer)
        return layer

    def forward(
        self, x_BFD: torch.Tensor, keep_B: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(B, F, D) -> (quantized (B, F, D), codes (B, K, F), commitment loss).

        keep_B: how many codebooks each item uses (quantizer dropout); all by default.
        """
        batch, frames, dim = x_BFD.shape
        residual_ND = x_BFD.reshape(-1, dim).float()
        total_ND = torch.zeros_like(residual_ND)
        loss, codes = residual_ND.new_zeros(()), []
        for index, layer in enumerate(self.layers):
            quantized_ND, codes_N = layer(residual_ND)
            loss = loss + F.mse_loss(residual_ND, quantized_ND) / len(self.layers)
            if keep_B is not None:
                used_N1 = (keep_B > index).repeat_interleave(frames)[:, None]
                quantized_ND = quantized_ND * used_N1
            residual_ND = residual_ND - quantized_ND
            total_ND = total_ND + quantized_ND
            codes.append(codes_N.view(batch, frames))
        x_ND = x_BFD.reshape(-1, dim).float()
        through_ND = x_ND + (total_ND - x_ND).detach()
        return through_ND.view(batch, frames, dim), torch.stack(codes, 1), loss

    def lookup(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """(B, K, F) -> (B, F, D), the sum of the entries."""
        out = self.layer(0).lookup(codes_BKF[:, 0])
        for index in range(1, len(self.layers)):
            out = out + self.layer(index).lookup(codes_BKF[:, index])
        return out


def codebook_use(codes_BKF: torch.Tensor, size: int) -> list[float]:
    """Perplexity of each codebook over a batch, as a share of its size."""
    shares = []
    for codes in codes_BKF.transpose(0, 1):
        p = torch.bincount(codes.flatten(), minlength=size).float()
        p = p / p.sum()
        shares.append(float(torch.exp(-(p * (p + 1e-9).log()).sum())) / size)
    return shares
