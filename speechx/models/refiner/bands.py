"""A refiner of real gains in bands: a GRU over the recording, one over recording and estimate.

Legend: B batch, M STFT frames (16 ms), F bins, N bands, V axes of the voice, H width.
Source: gains of bands by a GRU (RNNoise, Valin 2018).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechx.models.refiner.base import Refiner, State
from speechx.models.refiner.config import FLOOR, RefinerConfig

__all__ = ["BandRefiner"]


class BandRefiner(Refiner):
    """Log powers of bands -> gains of bands."""

    lora_matrices = ("task_", "enter.", "gru.", "fuse_", "out.")  # all but those of the voice
    silence = math.log10(FLOOR) * 0.4 + 1.0

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__(config)
        bands, width, fused = config.bands, config.width, config.fused
        self.feature_dim, self.hidden_dim = bands, width
        self.task_in, self.task_fused = (
            nn.Embedding(len(config.slots), width),
            nn.Embedding(len(config.slots), fused),
        )
        self.voice = nn.Linear(config.voice_dim, 48)
        self.voice_in, self.voice_fused = nn.Linear(48, width), nn.Linear(48, fused)
        self.enter = nn.Linear(bands, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.fuse_in = nn.Linear(width + 3 * bands, fused)
        self.fuse_gru = nn.GRU(fused, fused, batch_first=True)
        self.out = nn.Linear(2 * fused, 2 * bands)
        with torch.no_grad():
            for embedding in (self.task_in, self.task_fused):
                embedding.weight.mul_(0.1)
            # At first the recording passes, and next to nothing of the estimate.
            self.out.weight.mul_(0.3)
            self.out.bias[:bands] = 1.0
            self.out.bias[bands:] = -4.0

    def features(self, spectrum_BMF: Tensor) -> Tensor:
        """Log powers of bands (B, M, N)."""
        power_BMF = spectrum_BMF.real.square() + spectrum_BMF.imag.square()
        return ((power_BMF @ self.gather_FN) + FLOOR).log10() * 0.4 + 1.0

    def condition(self, task_B: Tensor, voice_BV: Tensor) -> tuple[Tensor, Tensor]:
        """Input of both layers from the task (index in `slots`) and the target voice (zeros: unknown)."""
        voice_BH = F.silu(self.voice(voice_BV)) * (voice_BV != 0).any(-1, keepdim=True)
        return (
            (self.task_in(task_B) + self.voice_in(voice_BH))[:, None],
            (self.task_fused(task_B) + self.voice_fused(voice_BH))[:, None],
        )

    def encode(
        self, recording_BMN: Tensor, condition_B1H: Tensor, state: State = None
    ) -> tuple[Tensor, Tensor]:
        """Hidden states of the recording (B, M, H), and the state of the GRU."""
        encoded_BMH, state = self.gru(F.silu(self.enter(recording_BMN) + condition_B1H), state)
        return encoded_BMH, state

    def fuse(
        self,
        encoded_BMH: Tensor,
        recording_BMN: Tensor,
        estimate_BMN: Tensor,
        later_BMN: Tensor,
        condition_B1H: Tensor,
        state: State = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gains of the recording and of the estimate in each bin, (B, M, F) each, and the state of the GRU.

        encoded: hidden states `ahead` frames later. later: the estimate `look` frames later.
        """
        all_BMX = torch.cat([encoded_BMH, recording_BMN, estimate_BMN, later_BMN], -1)
        x_BMH = F.silu(self.fuse_in(all_BMX) + condition_B1H)
        y_BMH, state = self.fuse_gru(x_BMH, state)
        gain_BM2N = self.out(torch.cat([x_BMH, y_BMH], -1)).sigmoid().unflatten(-1, (2, -1))
        gain_BM2F = gain_BM2N @ self.spread_FN.T
        return gain_BM2F[:, :, 0], gain_BM2F[:, :, 1], state
