"""Decoding of a SpectralCodec piece by piece.

Legend: B batch, K codebooks, F codec frames, S STFT frames, C channels, T samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from speechx.models.codec.base import check_codes
from speechx.models.codec.excitation import SourceState
from speechx.models.codec.layers import State

if TYPE_CHECKING:
    from speechx.models.codec.spectral import SpectralCodec


class SpectralStream:
    """Streaming decode of a batch with per-layer left context; equals `SpectralCodec.decode` to 1e-4."""

    def __init__(self, codec: SpectralCodec, batch: int = 1) -> None:
        self.codec, self.state = codec, State()
        inverse = codec.decoder.inverse
        self.batch = batch
        self.tail_BL = torch.zeros(batch, inverse.size - inverse.hop)
        self.source: SourceState | None = None
        self.skip = inverse.lead
        self.frames = 0
        self.sent = 0
        self.closed = False

    @torch.inference_mode()
    def push(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        check_codes(codes_BKF, self.codec.num_codebooks, self.codec.codebook_size)
        if self.closed:
            raise ValueError("this stream has been flushed: open a new one")
        frames = codes_BKF.shape[2]
        self.frames += frames
        return self._advance(self.codec.latent(codes_BKF)) if frames else torch.zeros(self.batch, 0)

    @torch.inference_mode()
    def flush(self) -> torch.Tensor:
        left = self.frames * self.codec.hop - self.sent
        if self.closed or left == 0:
            self.closed = True
            return torch.zeros(self.batch, 0)
        self.closed = True
        # The offline pass sees one frame of zeros after the end; the samples still in the tail follow it.
        size = (self.batch, 1, self.codec.config.latent_dim)
        out_BT = self._advance(torch.zeros(size, dtype=torch.float64))
        return torch.cat([out_BT, self.tail_BL], 1)[:, :left]

    def _advance(self, latent_BFD: torch.Tensor) -> torch.Tensor:
        decoder = self.codec.decoder
        hidden_BSC = decoder.backbone(latent_BFD.float(), self.state)
        f0_BS = decoder.pitch.hertz(latent_BFD, self.state)
        if hidden_BSC.shape[1] == 0:
            return torch.zeros(self.batch, 0)
        inverse = decoder.inverse
        frames_BSL, self.source = inverse.frames(hidden_BSC, f0_BS, self.source)
        added_BT = inverse.overlap_add(frames_BSL)
        added_BT[:, : self.tail_BL.shape[1]] += self.tail_BL
        final = hidden_BSC.shape[1] * inverse.hop
        out_BT, self.tail_BL = added_BT[:, :final], added_BT[:, final:].clone()
        cut = min(self.skip, final)
        self.skip -= cut
        self.sent += final - cut
        return out_BT[:, cut:].clone()
