"""Decoding of a SpectralCodec piece by piece.

Legend: B batch, K codebooks, F codec frames, S STFT frames, C channels, T samples.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from speechx.models.codec.base import check_codes
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.excitation import ExcitationState
from speechx.models.codec.layers import StreamState
from speechx.models.codec.networks import SpectralDecoder


class SpectralStream:
    """Streaming decode of a batch with per-layer left context; equals `SpectralCodec.decode` to 1e-4."""

    def __init__(
        self,
        decoder: SpectralDecoder,
        latent: Callable[[torch.Tensor], torch.Tensor],
        config: SpectralConfig,
        batch: int = 1,
    ) -> None:
        """latent: `SpectralCodec.latent`, codes (B, K, F) -> decoder input (B, F, D)."""
        self.decoder, self.latent, self.config = decoder, latent, config
        self.state = StreamState()
        inverse = decoder.inverse
        self.batch = batch
        self.tail_BL = torch.zeros(batch, inverse.size - inverse.hop)
        self.source: ExcitationState | None = None
        self.skip = inverse.lead
        self.frames = 0
        self.sent = 0
        self.closed = False

    @torch.inference_mode()
    def push(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        check_codes(codes_BKF, self.config.num_codebooks, self.config.codebook_size)
        if self.closed:
            raise ValueError("this stream has been flushed: open a new one")
        frames = codes_BKF.shape[2]
        self.frames += frames
        return self._advance(self.latent(codes_BKF)) if frames else torch.zeros(self.batch, 0)

    @torch.inference_mode()
    def flush(self) -> torch.Tensor:
        left = self.frames * self.config.hop - self.sent
        if self.closed or left == 0:
            self.closed = True
            return torch.zeros(self.batch, 0)
        self.closed = True
        # The offline pass sees one frame of zeros after the end; the samples still in the tail follow it.
        size = (self.batch, 1, self.config.latent_dim)
        out_BT = self._advance(torch.zeros(size, dtype=torch.float64))
        return torch.cat([out_BT, self.tail_BL], 1)[:, :left]

    def _advance(self, latent_BFD: torch.Tensor) -> torch.Tensor:
        hidden_BSC = self.decoder.backbone(latent_BFD.float(), self.state)
        f0_BS = self.decoder.pitch.hertz(latent_BFD, self.state)
        if hidden_BSC.shape[1] == 0:
            return torch.zeros(self.batch, 0)
        inverse = self.decoder.inverse
        frames_BSL, self.source = inverse.frames(hidden_BSC, f0_BS, self.source)
        added_BT = inverse.overlap_add(frames_BSL)
        added_BT[:, : self.tail_BL.shape[1]] += self.tail_BL
        final = hidden_BSC.shape[1] * inverse.hop
        out_BT, self.tail_BL = added_BT[:, :final], added_BT[:, final:].clone()
        cut = min(self.skip, final)
        self.skip -= cut
        self.sent += final - cut
        return out_BT[:, cut:].clone()
