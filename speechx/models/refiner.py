"""The refiner: gains per band for a recording and for the generated estimate of its target.

    bands of the recording -> GRU, AHEAD frames in front of the output (the recording is all there)
    + bands of the estimate up to LOOK frames later -> GRU -> gains of both, in each band

It is trained on estimates of the language model (speechx.training.refiner), so it learns how far to trust them. Both inputs
are at the recording's standard level.

Legend: B batch, M STFT frames (16 ms), F bins, N bands, V axes of the voice, H width.
Sources: gains of bands by a GRU (RNNoise, Valin 2018), square-root Hann windows at half overlap.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from speechx.models.config import ModelConfig
from speechx.models.folder import ModelFolder, matrices_on_grid
from speechx.models.lora import AdaptedCopy, LoRAAdapter, LoRAScope, balanced_factors

if TYPE_CHECKING:
    from speechx.models.codec.base import Codec

__all__ = ["Refiner", "RefinerConfig", "to_bins", "voice_vector"]

HOP_SECONDS = 0.016
"""Half a window: 256 samples at 16 kHz. Bins are 31.25 Hz apart at every rate."""
LOOK = 3
"""Frames of the estimate after the one whose gains are wanted: 48 ms."""
AHEAD = 16
"""Frames of the recording after it: 256 ms, which cost no time."""
SINGLE = 40
"""Bins from 0 Hz on that are bands of their own: to 1.2 kHz."""
FLOOR = 1e-6
"""Power of a bin that is inaudible at the standard level."""


class RefinerConfig(ModelConfig):
    """Everything that shapes the net. sample_rate: of its codec."""

    codec_hash: str = ""
    sample_rate: int = 16000
    slots: tuple[int, ...] = (2, 3, 4)  # tasks it was trained for
    bands: int = 96
    width: int = 160
    fused: int = 144
    voice_dim: int = 96

    @property
    def hop(self) -> int:
        """Samples from frame to frame of the short-time spectrum."""
        return round(HOP_SECONDS * self.sample_rate)

    @property
    def window(self) -> int:
        return 2 * self.hop

    @property
    def bins(self) -> int:
        return self.hop + 1

    def for_codec(self, codec: Codec) -> RefinerConfig:
        """The same for another codec."""
        shape = {
            "codec_hash": codec.hash,
            "sample_rate": codec.sample_rate,
            "voice_dim": 2 * codec.latent_dim,
        }
        return self.model_copy(update=shape)


@cache
def to_bins(bands: int, bins: int) -> np.ndarray:
    """(F, N): how bins lie between bands. The rows add up to 1: gains of bands become gains of bins."""
    rest = bands - SINGLE
    center_N = np.concatenate(
        [np.arange(SINGLE), SINGLE * ((bins - 1) / SINGLE) ** (np.arange(rest) / (rest - 1))]
    )
    return np.stack([np.interp(np.arange(bins), center_N, row) for row in np.eye(bands)], 1).astype(
        np.float32
    )


def voice_vector(codes_FK: np.ndarray, codec: Codec) -> torch.Tensor:
    """Codes of an enrollment -> (V,): mean and deviation of the decoder's input."""
    codes_BKF = torch.from_numpy(np.ascontiguousarray(codes_FK.T, np.int64))[None]
    with torch.inference_mode():
        latent_FD = codec.latent(codes_BKF)[0].float()
    return torch.cat([latent_FD.mean(0), latent_FD.std(0, unbiased=False)]).clone()


class Refiner(nn.Module):
    """Log powers of bands -> gains of bands. `forward` over a whole recording, or `encode` and `fuse` in pieces."""

    spread_FN: torch.Tensor
    gather_FN: torch.Tensor

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__()
        self.config = config
        self.adapted: AdaptedCopy[Refiner] | None = None
        bands, width, fused = config.bands, config.width, config.fused
        spread_FN = torch.from_numpy(to_bins(bands, config.bins))
        self.register_buffer("spread_FN", spread_FN, persistent=False)
        self.register_buffer("gather_FN", spread_FN / spread_FN.sum(0), persistent=False)
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

    def for_slot(self, slot: int) -> Refiner:
        """The net for a task: the adapted copy for tasks of its scope, else this one."""
        adapted = self.adapted
        return adapted.network if adapted is not None and slot in adapted.scope.slots else self

    def features(self, spectrum_BMF: torch.Tensor) -> torch.Tensor:
        """Complex (B, M, F) -> log powers of bands (B, M, N), about -1..1."""
        power_BMF = spectrum_BMF.real.square() + spectrum_BMF.imag.square()
        return ((power_BMF @ self.gather_FN) + FLOOR).log10() * 0.4 + 1.0

    @property
    def silence(self) -> float:
        """What `features` gives of nothing."""
        return math.log10(FLOOR) * 0.4 + 1.0

    def condition(self, task_B: torch.Tensor, voice_BV: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Input of both layers from the task (index in `slots`) and the target voice (zeros: unknown)."""
        voice_BH = F.silu(self.voice(voice_BV)) * (voice_BV != 0).any(-1, keepdim=True)
        return (
            (self.task_in(task_B) + self.voice_in(voice_BH))[:, None],
            (self.task_fused(task_B) + self.voice_fused(voice_BH))[:, None],
        )

    def encode(
        self, recording_BMN: torch.Tensor, condition_B1H: torch.Tensor, state: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states of the recording (B, M, H), and the state of the GRU."""
        encoded_BMH, state = self.gru(F.silu(self.enter(recording_BMN) + condition_B1H), state)
        return encoded_BMH, state

    def fuse(
        self,
        encoded_BMH: torch.Tensor,
        recording_BMN: torch.Tensor,
        estimate_BMN: torch.Tensor,
        later_BMN: torch.Tensor,
        condition_B1H: torch.Tensor,
        state: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Gains of the recording and of the estimate in each bin, (B, M, F) each, and the state of the GRU.

        encoded: hidden states AHEAD frames later. later: the estimate LOOK frames later.
        """
        all_BMX = torch.cat([encoded_BMH, recording_BMN, estimate_BMN, later_BMN], -1)
        x_BMH = F.silu(self.fuse_in(all_BMX) + condition_B1H)
        y_BMH, state = self.fuse_gru(x_BMH, state)
        gain_BM2N = self.out(torch.cat([x_BMH, y_BMH], -1)).sigmoid().unflatten(-1, (2, -1))
        gain_BM2F = gain_BM2N @ self.spread_FN.T
        return gain_BM2F[:, :, 0], gain_BM2F[:, :, 1], state

    def forward(
        self,
        recording_BMF: torch.Tensor,
        estimate_BMF: torch.Tensor,
        task_B: torch.Tensor,
        voice_BV: torch.Tensor,
    ) -> torch.Tensor:
        """Spectra of the recording and of the estimate -> the spectrum of the output, (B, M, F) each, complex."""
        recording_BMN, estimate_BMN = self.features(recording_BMF), self.features(estimate_BMF)
        condition_in, condition_fused = self.condition(task_B, voice_BV)
        encoded_BMH, _ = self.encode(F.pad(recording_BMN, (0, 0, 0, AHEAD), value=self.silence), condition_in)
        later_BMN = F.pad(estimate_BMN[:, LOOK:], (0, 0, 0, LOOK), value=self.silence)
        gain_BMF, added_BMF, _ = self.fuse(
            encoded_BMH[:, AHEAD:], recording_BMN, estimate_BMN, later_BMN, condition_fused
        )
        return gain_BMF * recording_BMF + added_BMF * estimate_BMF

    # Files

    def save(self, folder: str | Path, step: float = 0.0) -> None:
        """Writes a model folder (speechx.models.folder), without the adapted copy. step: grid of matrices, see `on_grid`."""
        REFINER_FOLDER.write(folder, self.config, matrices_on_grid(self.state_dict(), step))

    def save_adapter(self, folder: str | Path, slots: tuple[int, ...], step: float = 0.0) -> None:
        """Writes the LoRA factors of an adapted net beside the weights that are there, for the tasks of `slots`.

        step: grid of the factors, see `on_grid`.
        """
        factors = matrices_on_grid(balanced_factors(self), step)
        REFINER_FOLDER.write_adapter(folder, LoRAAdapter(LoRAScope(slots=slots), factors))

    @classmethod
    def load(cls, folder: str | Path, adapter: bool = True) -> Refiner:
        """Reads what `save` wrote, with its adapter or without. Raises InputError for what is missing or does not fit."""
        model, found = REFINER_FOLDER.load(folder, cls, adapter)
        if found is not None:
            model.adapted = AdaptedCopy.of(model, found)
        return model


REFINER_FOLDER = ModelFolder("speechx-refiner", RefinerConfig, "refiner")
