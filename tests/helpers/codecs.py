"""Small codecs with random weights, one per architecture, for tests."""

from __future__ import annotations

import torch

from speechx.models.codec.base import Codec
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.dac import DacCodec
from speechx.models.codec.encodec import EncodecCodec
from speechx.models.codec.mimi import MimiCodec
from speechx.models.codec.spectral import SpectralCodec

__all__ = ["ARCHITECTURES", "TINY_CODEC", "small_codec"]

TINY_CODEC = SpectralCodec.from_config(SpectralConfig.preset("tiny"))
"""SpeechX's own, for what wants a codec and does not use it."""

ARCHITECTURES = ("encodec", "dac", "mimi")


def small_codec(architecture: str) -> Codec:
    """EnCodec at 24 kHz and 75 Hz, DAC at 16 kHz and 50 Hz, Mimi at 24 kHz and 12.5 Hz: 4 codebooks of 64."""
    torch.manual_seed(1)
    return {"encodec": _encodec, "dac": _dac, "mimi": _mimi}[architecture]()


def _encodec() -> EncodecCodec:
    from transformers import EncodecConfig

    codec = EncodecCodec.from_config(EncodecConfig(num_filters=4, hidden_size=16, codebook_size=64), 4)
    for layer in codec.model.quantizer.layers:
        layer.codebook.embed.copy_(torch.randn(64, 16))
    return codec


def _dac() -> DacCodec:
    from transformers import DacConfig, DacModel

    config = DacConfig(
        encoder_hidden_size=4, downsampling_ratios=[2, 4, 5, 8], decoder_hidden_size=32, n_codebooks=6,
        codebook_size=64, codebook_dim=4, sampling_rate=16000,
    )  # fmt: skip
    model = DacModel(config)
    for layer in model.quantizer.quantizers:
        torch.nn.init.normal_(layer.codebook.weight)
    return DacCodec(model, 4)


def _mimi() -> MimiCodec:
    from transformers import MimiConfig, MimiModel

    config = MimiConfig(
        num_filters=4, hidden_size=32, codebook_size=64, codebook_dim=8, vector_quantization_hidden_dimension=8,
        num_quantizers=6, num_hidden_layers=2, intermediate_size=64, num_attention_heads=2, num_key_value_heads=2,
        head_dim=16, upsample_groups=32, sliding_window=20,
    )  # fmt: skip
    codec = MimiCodec(MimiModel(config), 4)
    quantizer = codec.model.quantizer
    for part in (quantizer.semantic_residual_vector_quantizer, quantizer.acoustic_residual_vector_quantizer):
        for layer in part.layers:
            layer.codebook.embed_sum.copy_(torch.randn(64, 8))
            layer.codebook._embed = None
    return codec
