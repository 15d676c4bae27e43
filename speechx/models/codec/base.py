"""The codec protocol: what every neural codec behind the language model must offer.

Shapes: B batch, T samples, K codebooks, V entries, F codec frames, D axes of a latent.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch

from speechx.errors import InputError


class StreamDecoder(Protocol):
    """Decodes streams of code frames, side by side, piece by piece; equals the offline decode to 1e-4."""

    def push(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """Takes the next F frames (B, K, F) int64; returns the samples (B, T) float32 that are final now (may be none)."""
        ...

    def flush(self) -> torch.Tensor:
        """Ends the streams: returns the samples (B, T) held back for the look-ahead. Total = F_all * hop samples."""
        ...


@runtime_checkable
class Codec(Protocol):
    """Turns sound into K streams of discrete codes at a fixed frame rate and back.

    hop: samples per frame. latent_dim, feature_dim: axes of `latent` and `features`. license: of the weights.
    """

    name: str
    sample_rate: int
    frame_rate: float
    num_codebooks: int
    codebook_size: int

    @property
    def hop(self) -> int: ...

    @property
    def latent_dim(self) -> int: ...

    @property
    def feature_dim(self) -> int: ...

    @property
    def license(self) -> str: ...

    @property
    def hash(self) -> str:
        """Content hash of config and weights: a language model names the codec it was trained on by it."""
        ...

    def encode(self, wav_BT: torch.Tensor) -> torch.Tensor:
        """Sound (B, T) float32 in [-1, 1] at `sample_rate` -> codes (B, K, F) int64, F = ceil(T / hop)."""
        ...

    def decode(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """Codes (B, K, F) int64 -> sound (B, F * hop) float32."""
        ...

    def stream(self, batch: int = 1) -> StreamDecoder:
        """A fresh decoder for so many streams."""
        ...

    def latent(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """Codes (B, K, F) -> what the decoder reads (B, F, D)."""
        ...

    def features(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """Codes (B, K, F) -> what the aligner reads (B, F, D) float32."""
        ...

    def code_vectors(self) -> torch.Tensor:
        """What each code adds to `latent`, (K, V, D) float32: new embeddings start from them."""
        ...


def check_codec(name: str, trained: str, codec: Codec) -> None:
    """Raises InputError where a network was trained on another codec, whose hash it names (none: it knows no codec)."""
    if trained and trained != codec.hash:
        raise InputError(
            f"{name}: it was trained on codec {trained}, not on {codec.name} {codec.hash}: the two do not belong together",
            field=name,
        )


def check_wav(wav_BT: torch.Tensor) -> None:
    """Raises ValueError unless the sound is (B, T) with at least one sample."""
    if wav_BT.ndim != 2 or wav_BT.shape[1] == 0:
        raise ValueError(f"wav must be (batch, samples) with at least one sample, got {tuple(wav_BT.shape)}")


def check_codes(codes: torch.Tensor, num_codebooks: int, codebook_size: int) -> None:
    """Raises ValueError unless codes (..., K, F) are integers inside the codebooks."""
    if codes.is_floating_point() or codes.shape[-2] != num_codebooks:
        raise ValueError(
            f"codes must be integers with {num_codebooks} codebooks in the last but one dimension, "
            f"got {tuple(codes.shape)} {codes.dtype}"
        )
    if codes.numel() and (int(codes.min()) < 0 or int(codes.max()) >= codebook_size):
        raise ValueError(f"codes must lie in 0..{codebook_size - 1}")
