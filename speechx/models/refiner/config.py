"""The shape of a refiner, and what its input is measured in."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from speechx.models.config import ModelConfig

if TYPE_CHECKING:
    from speechx.models.codec.base import Codec

HOP_SECONDS = 0.016
"""Half a window: 256 samples at 16 kHz. Bins are 31.25 Hz apart at every rate."""
SINGLE = 40
"""Bins from 0 Hz on that are bands of their own: to 1.2 kHz."""
VOICE_FRAMES = 125
"""Of an enrollment that a net of kind `complex` hears: 5 s of 25 frames."""
FLOOR = 1e-6
"""Power of a bin that is inaudible at the standard level."""


class RefinerConfig(ModelConfig):
    """Everything that shapes the net. sample_rate: of its codec.

    kind: `bands` or `complex`, a module of this package each. bands: those of the losses, too.
    ahead, look: frames of the recording and of the estimate after the one whose gains are wanted. width, fused: of kind
    `bands`; channels, blocks (before the estimate is known, and after), heads: of kind `complex`.
    """

    codec_hash: str = ""
    sample_rate: int = 16000
    slots: tuple[int, ...] = (2, 3, 4)  # tasks it was trained for
    kind: Literal["bands", "complex"] = "bands"
    bands: int = 96
    width: int = 160
    fused: int = 144
    voice_dim: int = 96
    ahead: int = 16
    look: int = 3
    channels: int = 48
    blocks: tuple[int, int] = (2, 2)
    heads: int = 4

    @property
    def hop(self) -> int:
        """Samples from frame to frame of the short-time spectrum."""
        return round(HOP_SECONDS * self.sample_rate)

    @property
    def window(self) -> int:
        return 2 * self.hop

    @property
    def bins(self) -> int:
        return self.hop + 1

    @property
    def voice_shape(self) -> tuple[int, ...]:
        """Of what is known of the target speaker; zeros where nothing is."""
        return (self.voice_dim,) if self.kind == "bands" else (VOICE_FRAMES, self.voice_dim // 2)

    def for_codec(self, codec: Codec) -> RefinerConfig:
        """The same for another codec."""
        shape = {
            "codec_hash": codec.hash,
            "sample_rate": codec.sample_rate,
            "voice_dim": 2 * codec.latent_dim,
        }
        return self.model_copy(update=shape)


@cache
def to_bins(bands: int, bins: int) -> np.ndarray:
    """(F, N): how bins lie between bands. The rows add up to 1: gains of bands become gains of bins."""
    rest = bands - SINGLE
    center_N = np.concatenate(
        [np.arange(SINGLE), SINGLE * ((bins - 1) / SINGLE) ** (np.arange(rest) / (rest - 1))]
    )
    return np.stack([np.interp(np.arange(bins), center_N, row) for row in np.eye(bands)], 1).astype(
        np.float32
    )


def voice_features(codes_FK: np.ndarray, codec: Codec, config: RefinerConfig) -> torch.Tensor:
    """Codes of an enrollment -> what the net hears of it, of `config.voice_shape`: of the decoder's input, mean and
    deviation (V,), or the frames themselves, repeated or cut to VOICE_FRAMES."""
    codes_BKF = torch.from_numpy(np.ascontiguousarray(codes_FK.T, np.int64))[None]
    with torch.inference_mode():
        latent_FD = codec.latent(codes_BKF)[0].float().clone()
    if config.kind == "bands":
        return torch.cat([latent_FD.mean(0), latent_FD.std(0, unbiased=False)]).clone()
    times = -(-VOICE_FRAMES // len(latent_FD))
    return latent_FD.repeat(times, 1)[:VOICE_FRAMES].clone()
