"""The codec's two ends: log magnitudes in, shaped sources out.

Legend: B batch, T samples, S STFT frames (100 Hz), N STFT bins, C channels, L samples of a frame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from speechx.models.codec.excitation import ExcitationSource, ExcitationState


class Analysis(nn.Module):
    """Log magnitudes at two resolutions: short windows time the sounds, long ones resolve the harmonics below 4 kHz."""

    short_window: torch.Tensor
    long_window: torch.Tensor

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop, self.short, self.long = hop, 512, 1024
        self.register_buffer("short_window", torch.hann_window(self.short), persistent=False)
        self.register_buffer("long_window", torch.hann_window(self.long), persistent=False)
        self.features = self.short // 2 + 1 + self.long // 4

    def forward(self, wav_BT: torch.Tensor) -> torch.Tensor:
        """(B, T), T a multiple of the hop -> (B, S, features), S = T / hop."""
        short_BNS = self._log_stft(wav_BT, self.short, self.short_window)
        long_BNS = self._log_stft(wav_BT, self.long, self.long_window)[:, : self.long // 4]
        return torch.cat([short_BNS, long_BNS], 1).transpose(1, 2)

    def _log_stft(self, wav_BT: torch.Tensor, size: int, window: torch.Tensor) -> torch.Tensor:
        # Frame s is centered on the middle of its hop, so that S = T / hop exactly.
        pad = (size - self.hop) // 2
        padded_BT = F.pad(wav_BT.float(), (pad, size - self.hop - pad))
        spec_BNS = torch.stft(padded_BT, size, self.hop, window=window, center=False, return_complex=True)
        return (spec_BNS.abs() + 1e-4).log() * 0.4 + 1.0


class InverseHead(nn.Module):
    """Shapes the spectra of the sources and overlap-adds the frames (Vocos, section 3.3; `excitation`)."""

    window: torch.Tensor

    def __init__(self, dim: int, hop: int, sample_rate: int) -> None:
        super().__init__()
        self.hop, self.size = hop, hop * 4
        bins = self.size // 2 + 1
        self.level = nn.Linear(dim, bins)
        # What is taken of each source, in parts of the level: pulses (with a turn of phase) and noise.
        self.mix = nn.Linear(dim, 3 * bins)
        with torch.no_grad():
            self.mix.weight.mul_(0.1)
            self.mix.bias.copy_(torch.cat([torch.ones(bins), torch.zeros(bins), torch.ones(bins)]))
        self.source = ExcitationSource(hop, sample_rate)
        # A Hann window at a quarter hop adds up to 1.5: with this constant no frame near an edge is a special case.
        self.register_buffer("window", torch.hann_window(self.size) / 1.5, persistent=False)

    def frames(
        self,
        x_BSC: torch.Tensor,
        f0_BS: torch.Tensor,
        state: ExcitationState | None = None,
        noise_from: int = 0,
    ) -> tuple[torch.Tensor, ExcitationState]:
        """(B, S, C) -> windowed frames (B, S, 4 * hop), source state. F0 in Hz, 0 where unvoiced."""
        pulses_BSN, noise_SN, state = self.source(f0_BS, state, noise_from)
        real_BSN, imag_BSN, noise_BSN = self.mix(x_BSC).float().chunk(3, dim=-1)
        shaped_BSN = torch.complex(real_BSN, imag_BSN) * pulses_BSN + noise_BSN * noise_SN
        spec_BSN = self.level(x_BSC).float().clamp(max=6.0).exp() * shaped_BSN
        return torch.fft.irfft(spec_BSN, n=self.size, dim=-1) * self.window, state

    def overlap_add(self, frames_BSL: torch.Tensor) -> torch.Tensor:
        """(B, S, 4 * hop) -> (B, (S + 3) * hop)."""
        batch, count, _ = frames_BSL.shape
        out = F.fold(
            frames_BSL.transpose(1, 2),
            output_size=(1, (count + 3) * self.hop),
            kernel_size=(1, self.size),
            stride=(1, self.hop),
        )
        return out.view(batch, -1)

    @property
    def lead(self) -> int:
        """Samples before the first hop that belong to the padding of a centered frame."""
        return (self.size - self.hop) // 2

    def forward(self, x_BSC: torch.Tensor, f0_BS: torch.Tensor, noise_from: int = 0) -> torch.Tensor:
        """(B, S, C) -> (B, S * hop)."""
        samples = x_BSC.shape[1] * self.hop
        frames_BSL, _ = self.frames(x_BSC, f0_BS, noise_from=noise_from)
        return self.overlap_add(frames_BSL)[:, self.lead : self.lead + samples]
