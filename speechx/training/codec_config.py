"""Recipes of the codec (configs/codec)."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from speechx.models.codec.config import SpectralConfig
from speechx.models.config import StrictConfig


class CodecTrainConfig(StrictConfig):
    """One recipe."""

    codec: SpectralConfig = SpectralConfig()
    seed: int = 1
    steps: int = 20000
    batch: int = 10
    crop_frames: int = 50
    workers: int = 0
    lr: float = 5e-4
    lr_final: float = 5e-5
    warmup: int = 200
    betas: tuple[float, float] = (0.8, 0.99)
    weight_decay: float = 0.01
    clip: float = 2.0
    ema: float = 0.999
    bf16: bool = True
    compile: bool = False
    anneal_minutes: float = 0.0  # with a value: the rate is down, and the run over, after so long or `steps`
    quantizer_dropout: float = 0.2
    decoder_only: bool = False  # the codes stay what they are: a better decoder for the same language model
    semantic_fixed: bool = False  # the first codebook and its encoder stay what they are
    adversarial_from: int = 6000
    adversarial_from_share: float = 1.0  # or from this share of anneal_minutes, where that comes first
    adversarial_seconds: float = 1.0
    stft_sizes: tuple[int, ...] = (256, 512, 1024)
    periods: tuple[int, ...] = ()
    channels: int = 12
    lr_discriminators: float = 3e-4
    w_mel: float = 1.0
    w_fine: float = 0.5
    w_envelope: float = 1.0
    w_convergence: float = 0.5
    w_commit: float = 0.25
    w_distill: float = 1.0
    w_pitch: float = 1.0
    w_bend: float = 0.3
    w_tone: float = 1.0
    w_adversarial: float = 0.1
    w_matching: float = 0.3
    w_recognizer: float = 0.0
    recognizer: str = ""  # a Whisper checkpoint: a folder in the layout of transformers, or a name on the hub
    recognizer_layers: int = 3
    corpus_weights: dict[str, float] = {}
    log_every: int = 50

    @property
    def leaves_parts(self) -> bool:
        """Whether parts of a trained codec stay as they are."""
        return self.decoder_only or self.semantic_fixed

    @model_validator(mode="after")
    def _recognizer_has_weight(self) -> Self:
        if bool(self.recognizer) != (self.w_recognizer > 0):
            raise ValueError("recognizer: name one, and give it a w_recognizer above 0; or leave out both")
        return self
