"""Discriminators for the codec's adversarial stage.

Legend: B batch, T samples, C channels, N bins, S frames.
Sources: EnCodec (Défossez et al. 2022, section 3.4: multi-scale complex STFT), HiFi-GAN (Kong et al. 2020, section 2.3:
multi-period). Both are kept thin, because on a CPU a 2-D stack is the dearest part of a step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from speechx.models.ranks import ONE_RANK, Ranks

FLOOR = 1e-4
"""Power below which a bin is not made louder any more."""


class SpectrumDiscriminator(nn.Module):
    """2-D convolutions over magnitude, real and imaginary part of one STFT, its magnitudes to the power 0.3.

    Speech is quiet in most bins: uncompressed, its features drown in the layers' biases, and real and generated speech get
    the same score. The parts alone, whose phases are as good as random, hide from a young network what magnitudes show
    (UnivNet, Jang et al. 2021, section 2.2, looks at nothing else).
    """

    window: torch.Tensor

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        c = channels
        shapes = [
            (3, c, (3, 5), (1, 2)),
            (c, c, (3, 5), (1, 2)),
            (c, 2 * c, (3, 5), (2, 2)),
            (2 * c, 2 * c, (3, 5), (1, 2)),
        ]
        self.layers = nn.ModuleList(
            [
                weight_norm(nn.Conv2d(i, o, k, stride=s, padding=(k[0] // 2, k[1] // 2)))
                for i, o, k, s in shapes
            ]
        )
        self.out = weight_norm(nn.Conv2d(2 * c, 1, (3, 3), padding=1))

    def forward(self, wav_BT: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(B, T) -> score map and the features of every layer."""
        spec_BNS = torch.stft(
            wav_BT.float(),
            self.size,
            self.size // 4,
            window=self.window,
            return_complex=True,
            normalized=True,
        )
        power_BNS = spec_BNS.real.square() + spec_BNS.imag.square() + FLOOR
        spec_BNS = spec_BNS * power_BNS**-0.35
        x = torch.stack([power_BNS**0.15, spec_BNS.real, spec_BNS.imag], 1).transpose(2, 3)
        x = x.contiguous(memory_format=torch.channels_last)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.out(x), features


class PeriodDiscriminator(nn.Module):
    """Folds the samples at one period and looks along each column."""

    def __init__(self, period: int, channels: int) -> None:
        super().__init__()
        self.period = period
        c = channels
        shapes = [(1, c, 3), (c, 2 * c, 3), (2 * c, 4 * c, 3), (4 * c, 4 * c, 3)]
        self.layers = nn.ModuleList(
            [weight_norm(nn.Conv2d(i, o, (5, 1), stride=(s, 1), padding=(2, 0))) for i, o, s in shapes]
        )
        self.out = weight_norm(nn.Conv2d(4 * c, 1, (3, 1), padding=(1, 0)))

    def forward(self, wav_BT: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(B, T) -> score map and the features of every layer."""
        x_BT = F.pad(wav_BT, (0, -wav_BT.shape[1] % self.period))
        x = x_BT.reshape(x_BT.shape[0], 1, -1, self.period)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.out(x), features


class Discriminators(nn.Module):
    """All of them, as one module."""

    def __init__(self, stft_sizes: tuple[int, ...], periods: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            [SpectrumDiscriminator(size, channels) for size in stft_sizes]
            + [PeriodDiscriminator(period, channels) for period in periods]
        )

    def forward(self, wav_BT: torch.Tensor) -> list[tuple[torch.Tensor, list[torch.Tensor]]]:
        return [member(wav_BT) for member in self.members]


def discriminator_loss(real: list, fake: list) -> torch.Tensor:
    """Least squares (Mao et al. 2017): real towards 1, generated towards 0."""
    terms = [
        (r[0].float() - 1).square().mean() + f[0].float().square().mean()
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()


def generator_loss(
    real: list, fake: list, ranks: Ranks = ONE_RANK, share: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """(adversarial loss, feature matching relative to the real features' size).

    share: of the batch, that these rows are. Of several ranks, the share in the losses of the whole batch.
    """
    adversarial = torch.stack([(f[0].float() - 1).square().mean() for f in fake]).mean()
    features = [
        (a, b.float().detach())
        for f, r in zip(fake, real, strict=True)
        for a, b in zip(f[1], r[1], strict=True)
    ]
    gaps = torch.stack([(a.float() - b).abs().mean() for a, b in features])
    sizes = ranks.sum(torch.stack([b.abs().mean() for _, b in features]) * share)
    return adversarial * share, (gaps * share / sizes.clamp_min(1e-3)).mean()
