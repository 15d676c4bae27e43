"""The acoustic latent of the codec: a cosine transform of the log spectrum, bent by a network, and the pitch.

An encoder that is free to choose its latent put 97 % of the variance of version 1 into 3 of 64 axes and left 52 empty, and a
residual quantizer spends its bits by variance (docs/log.md). Here distance in the latent is distance between log
spectra: the cosine transform over mel-warped frequency and over the four STFT frames of a codec frame is orthonormal
(mel-cepstra, Davis and Mermelstein 1980, with the time axis of "cepstral-time matrices", Milner 1996), and the network may
add to it what a window of 80 ms cannot know. The last axes hold F0 and voicing.

Legend: B batch, S STFT frames (100 Hz), F codec frames (25 Hz), N bins, C cepstral axes, D acoustic dimension.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.layers import Conv, ConvNeXt

PITCH_AXES = 4
"""Mean and slope of log2 F0, mean and slope of voicing, over the four STFT frames."""

PITCH_SCALE = (3.0, 3.0, 1.0, 1.0)
"""So that an error of the size that the cepstra are left with is some 25 cents, or nothing in voicing."""

STFT_FRAMES = 4
"""In a codec frame."""

FLOOR = 0.02
"""Magnitude below which differences are inaudible: 60 dB under loud speech."""


def time_cosines() -> np.ndarray:
    """Orthonormal cosines over the STFT frames of a codec frame, (order, frame)."""
    at = (np.arange(STFT_FRAMES) + 0.5) / STFT_FRAMES
    rows = np.cos(np.pi * np.arange(STFT_FRAMES)[:, None] * at) * math.sqrt(2 / STFT_FRAMES)
    rows[0] *= math.sqrt(0.5)
    return rows


def chosen_terms(count: int) -> list[tuple[int, int]]:
    """(order over frequency, order over time) of the `count` axes that vary most in speech, by a rule fitted to 44
    minutes of it: an order over time costs as much as some over frequency.
    """
    rank = {
        (k, t): k * (1, 2.4, 5, 10)[t] + (0, 3.7, 9.5, 21)[t] for k in range(64) for t in range(STFT_FRAMES)
    }
    return sorted(rank, key=lambda term: (rank[term], term))[:count]


def cepstral_matrix(bins: int, count: int) -> np.ndarray:
    """(4 * bins, count): log magnitudes of a codec frame's STFT frames, 0..8 kHz each, to its cepstral axes.

    A unit of squared distance is four STFT frames' worth of mean squared difference over the mel axis.
    """
    mel = np.log10(1 + np.linspace(0, 8000, bins) / 700)
    mel /= mel[-1]
    weight_N = np.gradient(mel)
    weight_N /= weight_N.sum()
    over_time = time_cosines()
    columns = []
    for k, t in chosen_terms(count):
        over_frequency_N = np.cos(np.pi * k * mel) * weight_N * (math.sqrt(2) if k else 1.0)
        columns.append(np.outer(over_time[t], over_frequency_N).ravel())
    return np.stack(columns, axis=1).astype(np.float32)


class AcousticEncoder(nn.Module):
    """Log magnitudes (B, S, features) of `stft.Analysis` -> acoustic latent (B, F, D). Symmetric context.

    hidden_BFC: hidden states of the encoder of the semantic latent.
    """

    cepstra: torch.Tensor

    def __init__(self, config: SpectralConfig, features: int, bins: int) -> None:
        super().__init__()
        width, depth = config.acoustic_width, config.acoustic_blocks + 1
        self.bins, self.axes = bins, config.acoustic_dim - PITCH_AXES
        matrix = torch.from_numpy(cepstral_matrix(bins, self.axes))
        self.register_buffer("cepstra", matrix, persistent=False)
        self.to_half = Conv(features, width, 4, stride=2)
        self.at_50hz = ConvNeXt(width, depth=depth)
        self.to_full = Conv(width, width, 4, stride=2)
        self.at_25hz = nn.ModuleList([ConvNeXt(width, depth=depth) for _ in range(config.acoustic_blocks)])
        self.norm, self.norm_heard = nn.LayerNorm(width), nn.LayerNorm(config.dim)
        self.out = nn.Linear(width, config.acoustic_dim)
        self.out_heard = nn.Linear(config.dim, config.acoustic_dim, bias=False)
        for linear in (self.out, self.out_heard):
            nn.init.normal_(linear.weight, std=1e-3)
        nn.init.zeros_(self.out.bias)

    def forward(self, x_BSN: torch.Tensor, hidden_BFC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(latent (B, F, D), the network's part of it (B, F, D))."""
        batch, frames = x_BSN.shape[0], x_BSN.shape[1] // STFT_FRAMES
        h = self.at_50hz(self.to_half(x_BSN))
        h = self.to_full(h)
        for block in self.at_25hz:
            h = block(h)
        part_BFD = (self.out(self.norm(h)) + self.out_heard(self.norm_heard(hidden_BFC))).float()
        with torch.autocast(x_BSN.device.type, enabled=False):
            # `Analysis` scales its logarithms by 0.4 around 1.
            log_BSN = (x_BSN[..., : self.bins].float() - 1.0) / 0.4
            log_BSN = torch.logaddexp(log_BSN, log_BSN.new_tensor(math.log(FLOOR)))
            cepstra_BFC = log_BSN.reshape(batch, frames, -1) @ self.cepstra
        rest = part_BFD[..., self.axes :]
        return torch.cat([cepstra_BFC + part_BFD[..., : self.axes], rest], -1), part_BFD


def pitch_axes(f0_BS: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """F0 in Hz, 0 = unvoiced (B, S) -> target of the last axes (B, F, 4), and 1 where it is defined, else 0 (B, F, 4)."""
    batch, count = f0_BS.shape
    f0_BF4 = f0_BS.view(batch, count // STFT_FRAMES, STFT_FRAMES)
    voiced_BF4 = (f0_BF4 > 0).float()
    octave_BF4 = (f0_BF4.clamp_min(50.0) / 150).log2() * voiced_BF4
    share_BF = voiced_BF4.mean(-1)
    mean_BF = octave_BF4.sum(-1) / voiced_BF4.sum(-1).clamp_min(1)
    ramp_4 = torch.from_numpy(time_cosines()[1]).to(f0_BS)
    slope_BF = ((octave_BF4 - mean_BF[..., None]) * voiced_BF4) @ ramp_4
    target_BF4 = torch.stack([mean_BF, slope_BF, share_BF, voiced_BF4 @ ramp_4], -1)
    known_BF4 = torch.ones_like(target_BF4)
    known_BF4[..., :2] = (share_BF > 0).float()[..., None]
    return target_BF4 * target_BF4.new_tensor(PITCH_SCALE), known_BF4
