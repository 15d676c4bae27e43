"""Mimi behind the codec protocol: causal, 24 kHz, 12.5 frames/s, one semantic and up to 31 acoustic codebooks of 2048.

Shapes: B batch, T samples, K codebooks, F codec frames.
Source: Défossez et al. 2024, "Moshi: a speech-text foundation model for real-time dialogue".
"""

from __future__ import annotations

from typing import Any

import torch

from speechx.models.codec.base import StreamDecoder
from speechx.models.codec.causal import CausalStream
from speechx.models.codec.pretrained import PretrainedCodec

__all__ = ["MimiCodec"]


class MimiCodec(PretrainedCodec):
    model_type = "mimi"
    license = "CC-BY-4.0"

    def __init__(self, model: Any, num_codebooks: int | None = None) -> None:
        super().__init__(model, num_codebooks)
        self.name = "mimi" if self.sample_rate == 24000 else self.name  # as the world calls it

    @staticmethod
    def _model_class() -> Any:
        from transformers import MimiModel

        return MimiModel

    @staticmethod
    def _most_codebooks(config: Any) -> int:
        return int(config.num_quantizers)

    @staticmethod
    def _hop(config: Any) -> int:
        return round(config.sampling_rate / config.frame_rate)

    def _check(self, config: Any) -> None:
        if not config.use_causal_conv or config.audio_channels != 1 or config.trim_right_ratio != 1.0:
            raise ValueError("the Mimi model must be causal and mono")

    def _encode(self, wav_BT: torch.Tensor) -> torch.Tensor:
        return self.model.encode(wav_BT[:, None], num_quantizers=self.num_codebooks).audio_codes

    def _latent(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        return self.model.quantizer.decode(codes_BKF)

    def _decode(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        return self.model.decode(codes_BKF).audio_values[:, 0]

    def stream(self, batch: int = 1) -> StreamDecoder:
        decoder = self.model.decoder
        layers = (decoder.upsample, decoder.decoder_transformer, *decoder.decoder_seanet.layers)
        return CausalStream(self, layers, batch)

    @torch.inference_mode()
    def code_vectors(self) -> torch.Tensor:
        quantizer = self.model.quantizer
        tables = []
        for part in (
            quantizer.semantic_residual_vector_quantizer,
            quantizer.acoustic_residual_vector_quantizer,
        ):
            for layer in part.layers:
                table_VD = layer.codebook.embed
                if part.output_proj is not None:
                    table_VD = part.output_proj(table_VD.T[None])[0].T
                tables.append(table_VD)
        return torch.stack(tables[: self.num_codebooks]).float()
