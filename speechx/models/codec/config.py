"""The config of SpeechX's own codec (`speechx.models.codec.spectral`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import model_validator

from speechx.models.config import ModelConfig

VERSION = 2
"""The one that this release reads and trains."""


class SpectralConfig(ModelConfig):
    """Everything that shapes the codec."""

    name: str = "spectral"
    version: int = VERSION
    sample_rate: int = 16000
    stft_hop: int = 160
    num_codebooks: int = 8
    codebook_size: int = 1024
    quantizer_dim: int = 64
    dim: int = 320
    head_dim: int = 256
    encoder_half: int = 2
    encoder_full: int = 5
    semantic_blocks: int = 2
    decoder_full: int = 4
    decoder_half: int = 4
    decoder_head: int = 2
    teacher_dim: int = 512
    acoustic_dim: int = 48  # axes of what the residual codebooks code and the decoder reads
    acoustic_width: int = 256
    acoustic_blocks: int = 4

    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "tiny": {
            "dim": 32, "head_dim": 32, "quantizer_dim": 16, "encoder_half": 1, "encoder_full": 1, "semantic_blocks": 1,
            "decoder_full": 1, "decoder_half": 1, "decoder_head": 1, "acoustic_width": 32, "acoustic_blocks": 1,
        },
    }  # fmt: skip

    @model_validator(mode="after")
    def _supported(self) -> Self:
        if self.name != "spectral" or self.version != VERSION:
            raise ValueError(
                f"codec {self.name!r} version {self.version}: this release has spectral version {VERSION}"
            )
        return self

    @property
    def latent_dim(self) -> int:
        """Axes of what the residual codebooks code and the decoder reads."""
        return self.acoustic_dim

    @property
    def hop(self) -> int:
        """Samples a codec frame: four STFT hops."""
        return self.stft_hop * 4
