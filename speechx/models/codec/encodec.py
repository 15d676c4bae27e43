"""EnCodec behind the codec protocol: the causal 24 kHz model, 75 frames/s, up to 32 codebooks of 1024.

    codec = EncodecCodec.load("encodec_24khz")            # a folder of transformers
    codec = EncodecCodec.from_package_state(state)        # the tensors of the `encodec` package's file

The network is transformers' EncodecModel; the package's weights are the same under other names. Resampling to 24 kHz
is the caller's business. Legend: B batch, T samples, K codebooks, F codec frames.
Source: Défossez et al. 2022, "High Fidelity Neural Audio Compression".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch

from speechx.models.codec.base import StreamDecoder
from speechx.models.codec.causal import CausalStream
from speechx.models.codec.pretrained import PretrainedCodec, codec_error

if TYPE_CHECKING:
    from transformers import EncodecConfig

__all__ = ["EncodecCodec"]

START = 8
"""Frames that a stream's first output waits for: the model mirrors the first samples to pad its left edge."""


class EncodecCodec(PretrainedCodec):
    model_type = "encodec"
    license = "MIT (of the package; the hub names none)"

    @classmethod
    def from_config(
        cls, config: EncodecConfig | None = None, num_codebooks: int | None = None
    ) -> EncodecCodec:
        """Random weights; the config of the published model by default."""
        from transformers import EncodecConfig, EncodecModel

        return cls(EncodecModel(config or EncodecConfig()), num_codebooks)

    @classmethod
    def from_package_state(
        cls, state: dict[str, torch.Tensor], num_codebooks: int | None = None
    ) -> EncodecCodec:
        """From the tensors of a 24 kHz model of the package `encodec`. Raises InputError for those of another model."""
        codec = cls.from_config(None, num_codebooks)
        renamed = {package_name(name): value for name, value in state.items()}
        try:
            missing, unknown = codec.model.load_state_dict(renamed, strict=False)
        except RuntimeError as error:
            raise codec_error("these weights are not those of the 24 kHz EnCodec") from error
        if missing or unknown:
            raise codec_error(
                f"these weights are not those of the 24 kHz EnCodec: {len(missing)} tensors are missing, "
                f"{len(unknown)} unknown"
            )
        return codec

    @staticmethod
    def _model_class() -> Any:
        from transformers import EncodecModel

        return EncodecModel

    @staticmethod
    def _most_codebooks(config: Any) -> int:
        return int(config.num_quantizers)

    @staticmethod
    def _hop(config: Any) -> int:
        return int(config.hop_length)

    def _check(self, config: Any) -> None:
        if not config.use_causal_conv or config.norm_type != "weight_norm" or config.normalize:
            raise ValueError("only the causal EnCodec (24 kHz) can stream: this one is the 48 kHz kind")
        if config.audio_channels != 1 or config.chunk_length_s is not None or config.trim_right_ratio != 1.0:
            raise ValueError("the EnCodec model must be mono and not chunked")

    def _encode(self, wav_BT: torch.Tensor) -> torch.Tensor:
        residual_BCF = self.model.encoder(wav_BT[:, None])
        codes = []
        for layer in self.model.quantizer.layers[: self.num_codebooks]:
            codes_BF = layer.encode(residual_BCF)
            residual_BCF = residual_BCF - layer.decode(codes_BF)
            codes.append(codes_BF)
        return torch.stack(codes, 1)

    def _latent(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        return self.model.quantizer.decode(codes_BKF.transpose(0, 1))

    def _decode(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        return self.model.decoder(self._latent(codes_BKF))[:, 0]

    def stream(self, batch: int = 1) -> StreamDecoder:
        return CausalStream(self, self.model.decoder.layers, batch, START)

    def code_vectors(self) -> torch.Tensor:
        layers = self.model.quantizer.layers[: self.num_codebooks]
        return torch.stack([layer.codebook.embed for layer in layers]).float()


PACKAGE_NAMES = (
    (r"^(encoder|decoder)\.model\.", r"\1.layers."),
    (r"\.convtr\.convtr\.", ".conv."),
    (r"\.conv\.conv\.", ".conv."),
    (r"^quantizer\.vq\.layers\.(\d+)\._codebook\.", r"quantizer.layers.\1.codebook."),
    # Weight norm as a parametrization.
    (r"\.weight_g$", ".parametrizations.weight.original0"),
    (r"\.weight_v$", ".parametrizations.weight.original1"),
)


def package_name(name: str) -> str:
    """The name in transformers' EncodecModel of a tensor of the package's model."""
    for pattern, replacement in PACKAGE_NAMES:
        name = re.sub(pattern, replacement, name)
    return name
