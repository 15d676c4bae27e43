"""Encoder and decoder of SpeechX's own codec (`speechx.models.codec.spectral`).

Legend: B batch, T samples, S STFT frames (100 Hz), F codec frames (25 Hz), C channels, D latent dimension, N STFT bins.
"""

from __future__ import annotations

import torch
from torch import nn

from speechx.models.codec.acoustic import AcousticEncoder
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.excitation import PitchNet
from speechx.models.codec.layers import Conv, ConvNeXt, StreamState, Upsample
from speechx.models.codec.stft import Analysis, InverseHead


class SpectralEncoder(nn.Module):
    """(B, T) -> acoustic latent and semantic latent, (B, F, D) each. Symmetric context."""

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        dim, depth = config.dim, config.encoder_half + config.encoder_full + config.semantic_blocks
        self.analysis = Analysis(config.stft_hop)
        self.to_half = Conv(self.analysis.features, dim, 4, stride=2)
        self.at_50hz = nn.ModuleList([ConvNeXt(dim, depth=depth) for _ in range(config.encoder_half)])
        self.to_full = Conv(dim, dim, 4, stride=2)
        self.at_25hz = nn.ModuleList([ConvNeXt(dim, depth=depth) for _ in range(config.encoder_full)])
        self.semantic = nn.ModuleList([ConvNeXt(dim, depth=depth) for _ in range(config.semantic_blocks)])
        self.acoustic = AcousticEncoder(config, self.analysis.features, self.analysis.short // 2 + 1)
        self.semantic_out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, config.quantizer_dim))

    def forward(self, wav_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Both latents, and the network's part of the acoustic one."""
        spectrum_BSN = self.analysis(wav_BT)
        x = self.to_half(spectrum_BSN)
        for block in self.at_50hz:
            x = block(x)
        x = self.to_full(x)
        for block in self.at_25hz:
            x = block(x)
        acoustic_BFD, bend_BFD = self.acoustic(spectrum_BSN, x)
        for block in self.semantic:
            x = block(x)
        return acoustic_BFD, self.semantic_out(x), bend_BFD


class SpectralDecoder(nn.Module):
    """Quantized latent (B, F, D) -> (B, T). Causal but for one codec frame and half a window of look-ahead."""

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        dim, head = config.dim, config.head_dim
        depth = config.decoder_full + config.decoder_half + config.decoder_head
        self.enter = Conv(config.latent_dim, dim, 5, lookahead=1)
        self.at_25hz = nn.ModuleList(
            [ConvNeXt(dim, causal=True, depth=depth) for _ in range(config.decoder_full)]
        )
        self.to_half = Upsample(dim, dim)
        self.at_50hz = nn.ModuleList(
            [ConvNeXt(dim, causal=True, depth=depth) for _ in range(config.decoder_half)]
        )
        self.to_stft = Upsample(dim, head)
        self.at_100hz = nn.ModuleList(
            [ConvNeXt(head, causal=True, depth=depth) for _ in range(config.decoder_head)]
        )
        self.norm = nn.LayerNorm(head)
        self.pitch = PitchNet(config.latent_dim)
        self.inverse = InverseHead(head, config.stft_hop, config.sample_rate)

    def backbone(self, x_BFD: torch.Tensor, state: StreamState | None = None) -> torch.Tensor:
        """(B, F, D) -> (B, 4 F, C)."""
        x = self.enter(x_BFD, state)
        if x.shape[1] == 0:  # a stream still waiting for its look-ahead
            return x
        for block in self.at_25hz:
            x = block(x, state)
        x = self.to_half(x)
        for block in self.at_50hz:
            x = block(x, state)
        x = self.to_stft(x)
        for block in self.at_100hz:
            x = block(x, state)
        return self.norm(x)

    def forward(self, x_BFD: torch.Tensor) -> torch.Tensor:
        """Latents as `SpectralCodec.latent` gives them, in double -> (B, T)."""
        return self.inverse(self.backbone(x_BFD.float()), self.pitch.hertz(x_BFD))

    def follow(
        self, x_BFD: torch.Tensor, f0_BS: torch.Tensor | None, noise_from: int
    ) -> tuple[torch.Tensor, ...]:
        """Training: sound (B, T) with the true F0, predicted log2 F0 and voicing (B, S) each, levels (B, S, N)."""
        with torch.autocast(x_BFD.device.type, enabled=False):
            octave_BS, voicing_BS = self.pitch(x_BFD.float())
        f0_BS = self.pitch.hertz(x_BFD.detach()) if f0_BS is None else f0_BS
        hidden_BSC = self.backbone(x_BFD)
        level_BSN = self.inverse.level(hidden_BSC)
        return self.inverse(hidden_BSC, f0_BS, noise_from), octave_BS, voicing_BS, level_BSN
