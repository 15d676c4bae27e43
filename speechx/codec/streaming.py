"""Decoding of a SpectralCodec piece by piece.

Legend: K codebooks, F codec frames, S STFT frames, C channels, T samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from speechx.codec.base import check_codes
from speechx.codec.layers import State
from speechx.codec.source import SourceState

if TYPE_CHECKING:
    from speechx.codec.spectral import SpectralCodec


class SpectralStream:
    """Streaming decode with per-layer left context; equals `SpectralCodec.decode` to 1e-4."""

    def __init__(self, codec: SpectralCodec) -> None:
        self.codec, self.state = codec, State()
        inverse = codec.decoder.inverse
        self.tail_L = torch.zeros(inverse.size - inverse.hop)
        self.source: SourceState | None = None
        self.skip = inverse.lead
        self.frames = 0
        self.sent = 0
        self.closed = False

    @torch.inference_mode()
    def push(self, codes_KF: torch.Tensor) -> torch.Tensor:
        check_codes(codes_KF, self.codec.num_codebooks, self.codec.codebook_size)
        if self.closed:
            raise ValueError("this stream has been flushed: open a new one")
        self.frames += codes_KF.shape[1]
        return self._advance(self.codec.latent(codes_KF[None])) if codes_KF.shape[1] else torch.zeros(0)

    @torch.inference_mode()
    def flush(self) -> torch.Tensor:
        left = self.frames * self.codec.hop - self.sent
        if self.closed or left == 0:
            self.closed = True
            return torch.zeros(0)
        self.closed = True
        # The offline pass sees one frame of zeros after the end; the samples still in the tail follow it.
        out_T = self._advance(torch.zeros(1, 1, self.codec.config.latent_dim, dtype=torch.float64))
        return torch.cat([out_T, self.tail_L])[:left]

    def _advance(self, latent_BFD: torch.Tensor) -> torch.Tensor:
        decoder = self.codec.decoder
        hidden_BSC = decoder.backbone(latent_BFD.float(), self.state)
        f0_BS = decoder.pitch.hertz(latent_BFD, self.state)
        if hidden_BSC.shape[1] == 0:
            return torch.zeros(0)
        inverse = decoder.inverse
        frames_BSL, self.source = inverse.frames(hidden_BSC, f0_BS, self.source)
        added_T = inverse.overlap_add(frames_BSL)[0]
        added_T[: self.tail_L.shape[0]] += self.tail_L
        final = hidden_BSC.shape[1] * inverse.hop
        out_T, self.tail_L = added_T[:final], added_T[final:].clone()
        cut = min(self.skip, out_T.shape[0])
        self.skip -= cut
        self.sent += out_T.shape[0] - cut
        return out_T[cut:].clone()
