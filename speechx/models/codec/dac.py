"""DAC behind the codec protocol: 16, 24 or 44.1 kHz, 50, 75 or 86 frames/s, up to 12, 32 or 9 codebooks of 1024.

Its decoder is not causal: a stream is late by the context of a frame, some 10 frames.
Shapes: B batch, T samples, K codebooks, F codec frames.
Source: Kumar et al. 2023, "High-Fidelity Audio Compression with Improved RVQGAN".
"""

from __future__ import annotations

import math
from typing import Any

import torch

from speechx.models.codec.base import StreamDecoder, check_codes
from speechx.models.codec.pretrained import PretrainedCodec

__all__ = ["DacCodec"]


class DacCodec(PretrainedCodec):
    model_type = "dac"
    license = "MIT"

    @staticmethod
    def _model_class() -> Any:
        from transformers import DacModel

        return DacModel

    @staticmethod
    def _most_codebooks(config: Any) -> int:
        return int(config.n_codebooks)

    @staticmethod
    def _hop(config: Any) -> int:
        return math.prod(config.downsampling_ratios)

    def _encode(self, wav_BT: torch.Tensor) -> torch.Tensor:
        return self.model.encode(wav_BT[:, None], n_quantizers=self.num_codebooks).audio_codes

    def _latent(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        return self.model.quantizer.from_codes(codes_BKF)[0]

    def _decode(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        return self.model.decoder(self._latent(codes_BKF))[:, 0]

    @property
    def context(self) -> int:
        """Frames on either side that a frame's samples depend on: half the receptive field of the decoder's layers."""
        reach, scale = 3.0, 1  # in frames; samples per frame at this layer
        for stride in self.model.config.upsampling_ratios:
            reach += 2 / scale  # a transposed convolution of two strides
            scale *= stride
            reach += 3 * (1 + 3 + 9) / scale  # kernels of 7, dilated
        return math.ceil(reach + 3 / scale)

    def stream(self, batch: int = 1) -> StreamDecoder:
        return DacStream(self, batch)

    @torch.inference_mode()
    def code_vectors(self) -> torch.Tensor:
        layers = self.model.quantizer.quantizers[: self.num_codebooks]
        return torch.stack([layer.out_proj(layer.codebook.weight.T[None])[0].T for layer in layers]).float()


class DacStream:
    """Equal to `DacCodec.decode`: every stretch is decoded with the frames around it."""

    def __init__(self, codec: DacCodec, batch: int = 1) -> None:
        self.codec, self.context = codec, codec.context
        self.codes_BKF = torch.zeros(
            batch, codec.num_codebooks, 0, dtype=torch.int64
        )  # from frame `first` on
        self.first = self.sent = self.count = 0
        self.closed = False

    @torch.inference_mode()
    def push(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        check_codes(codes_BKF, self.codec.num_codebooks, self.codec.codebook_size)
        if self.closed:
            raise ValueError("this stream has been flushed: open a new one")
        self.codes_BKF = torch.cat([self.codes_BKF, codes_BKF], 2)
        self.count += codes_BKF.shape[2]
        return self._until(self.count - self.context)

    @torch.inference_mode()
    def flush(self) -> torch.Tensor:
        wav_BT = self._until(0 if self.closed else self.count)
        self.closed = True
        return wav_BT

    def _until(self, frame: int) -> torch.Tensor:
        """The samples of the frames before `frame` that were not sent yet."""
        if frame <= self.sent:
            return torch.zeros(len(self.codes_BKF), 0)
        wav_BT = self.codec.decode(self.codes_BKF)
        start, stop = ((f - self.first) * self.codec.hop for f in (self.sent, frame))
        keep = max(self.first, frame - self.context)
        self.codes_BKF = self.codes_BKF[..., keep - self.first :]
        self.first, self.sent = keep, frame
        return wav_BT[:, start:stop]
