"""The config of the language model. No torch here, so that a config can be read without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import model_validator

from speechx.models.config import ModelConfig
from speechx.models.vocab import NUM_PHONES


class LMConfig(ModelConfig):
    """Shape of the codec language model and the names of the codec and phone table it was trained with."""

    # The sequence.
    num_codebooks: int = 8
    codebook_size: int = 1024
    max_positions: int = 4096  # longest prompt + target, in steps
    # The global transformer, one step per frame.
    dim: int = 384
    layers: int = 8
    heads: int = 4  # few and wide: the cost of attention on a CPU grows with their number
    ffn_dim: int = 1024
    rope_theta: float = 10000.0
    dropout: float = 0.0
    # The local transformer, one step per code within a frame.
    local_dim: int = 256
    local_layers: int = 2
    local_heads: int = 4
    local_ffn_dim: int = 704
    # Whether a code can be copied from the recording's frame of the same moment (pointer-generator network).
    copies: bool = False
    # The text pointer.
    max_advance: int = 3  # phones the pointer may move in one step
    max_phone_age: int = 32  # ages of a phone that have their own embedding, in frames
    max_phone_frames: int = 25  # a phone never lasts longer
    max_pause_frames: int = 50  # nor does a pause
    pause_phones: tuple[int, ...] = (1,)  # entries of the phone table that are silences
    # The loss.
    local_fraction: float = 0.25  # part of the target frames on which the local transformer is trained
    codebook_weights: tuple[float, ...] = (1.0,)  # per codebook; the last one is repeated
    advance_weight: float = 0.5
    label_smoothing: float = 0.0
    # Part of the spoken examples seen without text and voice, which classifier-free guidance needs (Ho and
    # Salimans 2022; for codec models AudioGen, section 3.3).
    condition_dropout: float = 0.0
    # Part of the examples that follow a recording seen with nothing else than its frame of the same moment.
    recording_dropout: float = 0.0
    # What it was trained with.
    codec_name: str = ""
    codec_hash: str = ""
    phone_table_version: int = 1

    RETIRED: ClassVar[Mapping[str, object]] = {"frames_per_step": 1}
    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "tiny": {
            "dim": 64, "layers": 2, "heads": 2, "ffn_dim": 128, "max_positions": 1024,
            "local_dim": 32, "local_layers": 1, "local_heads": 2, "local_ffn_dim": 64,
        },
        "mini": {},
        "small": {"dim": 512, "layers": 9, "heads": 4, "ffn_dim": 1408},
        "base": {
            "dim": 768, "layers": 16, "heads": 6, "ffn_dim": 2048,
            "local_dim": 512, "local_layers": 4, "local_heads": 8, "local_ffn_dim": 1408,
        },
        "large": {
            "dim": 1280, "layers": 24, "heads": 10, "ffn_dim": 3456,
            "local_dim": 768, "local_layers": 4, "local_heads": 12, "local_ffn_dim": 2048,
        },
    }  # fmt: skip

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.dim % (2 * self.heads) or self.local_dim % self.local_heads:
            raise ValueError("dim must be a multiple of 2 * heads, and local_dim of local_heads")
        if not 0.0 < self.local_fraction <= 1.0:
            raise ValueError(f"local_fraction is {self.local_fraction}; it must be in (0, 1]")
        if not self.codebook_weights or any(not 0 <= i < NUM_PHONES for i in self.pause_phones):
            raise ValueError("codebook_weights must not be empty, pause_phones must be phone table indices")
        return self

    @staticmethod
    def pace(frame_rate: float) -> dict[str, int]:
        """The fields that count frames or phones per frame, for a codec of so many frames per second."""
        return {
            "max_advance": max(2, round(75 / frame_rate)),
            "max_phone_age": max(8, round(1.28 * frame_rate)),
            "max_phone_frames": round(frame_rate),
            "max_pause_frames": round(2 * frame_rate),
        }

    @property
    def loss_weights(self) -> tuple[float, ...]:
        """Loss weight of each codebook."""
        weights = self.codebook_weights[: self.num_codebooks]
        return weights + (weights[-1],) * (self.num_codebooks - len(weights))
