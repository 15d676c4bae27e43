"""EnCodec behind the codec protocol: the causal 24 kHz model, 75 frames/s, up to 32 codebooks of 1024.

    codec = EncodecCodec.load("encodec_24khz")            # a transformers folder, or the `encodec` package's .th file
    codec = EncodecCodec.from_config(EncodecConfig(...))     # random weights

The network is transformers' EncodecModel; the package's weights are the same under other names. Resampling to 24 kHz
is the caller's business. Legend: B batch, T samples, K codebooks, F codec frames, C channels.
Source: Défossez et al. 2022, "High Fidelity Neural Audio Compression".
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from speechx.errors import InputError
from speechx.models.codec.base import StreamDecoder, check_codes

if TYPE_CHECKING:
    from transformers import EncodecConfig, EncodecModel

__all__ = ["EncodecCodec"]

DEFAULT_CODEBOOKS = 8
"""6 kbit/s, what VALL-E uses."""


class EncodecCodec:
    """A `speechx.models.codec.base.Codec`. num_codebooks: of those that the model has, so many are used."""

    name = "encodec-24khz"

    def __init__(self, model: EncodecModel, num_codebooks: int = DEFAULT_CODEBOOKS) -> None:
        config = model.config
        if not config.use_causal_conv or config.norm_type != "weight_norm" or config.normalize:
            raise ValueError("only the causal EnCodec (24 kHz) can stream: this one is the 48 kHz kind")
        if config.audio_channels != 1 or config.chunk_length_s is not None or config.trim_right_ratio != 1.0:
            raise ValueError("the EnCodec model must be mono and not chunked")
        if not 1 <= num_codebooks <= config.num_quantizers:
            raise ValueError(
                f"num_codebooks is {num_codebooks}, this EnCodec model has 1..{config.num_quantizers}"
            )
        self.model: Any = model.eval().requires_grad_(False)
        self.sample_rate = int(config.sampling_rate)
        self.hop = int(config.hop_length)
        self.frame_rate = self.sample_rate / self.hop
        self.num_codebooks = num_codebooks
        self.codebook_size = int(config.codebook_size)
        self._hash: str | None = None

    @classmethod
    def from_config(
        cls, config: EncodecConfig | None = None, num_codebooks: int = DEFAULT_CODEBOOKS
    ) -> EncodecCodec:
        """Random weights; the config of the published model by default."""
        from transformers import EncodecConfig, EncodecModel

        return cls(EncodecModel(config or EncodecConfig()), num_codebooks)

    @classmethod
    def load(cls, path: str | Path, num_codebooks: int = DEFAULT_CODEBOOKS) -> EncodecCodec:
        """From a folder of transformers, or the package's `encodec_24khz-*.th`. Raises InputError; never downloads."""
        from transformers import EncodecModel

        path = Path(path)
        if path.is_dir() and (path / "config.json").is_file():
            return cls(EncodecModel.from_pretrained(path, local_files_only=True), num_codebooks)
        if path.is_file() and path.suffix in (".th", ".pt"):
            state = torch.load(path, map_location="cpu", weights_only=True)
            return cls.from_package_state(state, num_codebooks)
        raise InputError(
            f"codec: {path} is neither a folder with an EnCodec model (config.json) nor a .th file of the "
            "encodec package",
            field="codec",
        )

    @classmethod
    def from_package_state(
        cls, state: dict[str, torch.Tensor], num_codebooks: int = DEFAULT_CODEBOOKS
    ) -> EncodecCodec:
        """From the tensors of a 24 kHz model of the package `encodec`. Raises InputError for those of another model."""
        codec = cls.from_config(None, num_codebooks)
        renamed = {package_name(name): value for name, value in state.items()}
        try:
            missing, unknown = codec.model.load_state_dict(renamed, strict=False)
        except RuntimeError as error:
            raise InputError(
                "codec: these weights are not those of the 24 kHz EnCodec", field="codec"
            ) from error
        if missing or unknown:
            raise InputError(
                f"codec: these weights are not those of the 24 kHz EnCodec: {len(missing)} tensors are missing, "
                f"{len(unknown)} unknown",
                field="codec",
            )
        return codec

    @property
    def hash(self) -> str:
        """First 16 hex digits of SHA-256 over shape and weights (float32), and how many codebooks are used."""
        if self._hash is None:
            facts = [self.num_codebooks, self.sample_rate, self.hop, self.codebook_size]
            digest = hashlib.sha256(json.dumps([self.name, *facts]).encode())
            for name, value in sorted(self.model.state_dict().items()):
                digest.update(name.encode() + value.detach().cpu().float().numpy().tobytes())
            self._hash = digest.hexdigest()[:16]
        return self._hash

    @torch.inference_mode()
    def encode(self, wav_BT: torch.Tensor) -> torch.Tensor:
        if wav_BT.ndim != 2 or wav_BT.shape[1] == 0:
            raise ValueError(
                f"wav must be (batch, samples) with at least one sample, got {tuple(wav_BT.shape)}"
            )
        # Whole frames: so F = ceil(T / hop) without the model's own padding, which mirrors the end.
        wav_BT = F.pad(wav_BT, (0, -wav_BT.shape[1] % self.hop))
        residual_BCF = self.model.encoder(wav_BT[:, None])
        codes = []
        for layer in self.model.quantizer.layers[: self.num_codebooks]:
            codes_BF = layer.encode(residual_BCF)
            residual_BCF = residual_BCF - layer.decode(codes_BF)
            codes.append(codes_BF)
        return torch.stack(codes, 1)

    @torch.inference_mode()
    def decode(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        check_codes(codes_BKF, self.num_codebooks, self.codebook_size)
        if codes_BKF.shape[-1] == 0:
            return torch.zeros(codes_BKF.shape[0], 0)
        return self.model.decoder(self.latent(codes_BKF))[:, 0]

    def latent(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """Codes (B, K, F) -> what the decoder reads (B, C, F)."""
        return self.model.quantizer.decode(codes_BKF.transpose(0, 1))

    def stream(self, batch: int = 1) -> StreamDecoder:
        return EncodecStream(self, batch)


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


class EncodecStream:
    """Streaming decode, equal to `EncodecCodec.decode`: every layer keeps the left context that it needs.

    The model mirrors the first samples to pad its left edge, so the first output waits for `START` frames.
    """

    START = 8

    def __init__(self, codec: EncodecCodec, batch: int = 1) -> None:
        self.codec = codec
        self.waiting_BKF = torch.zeros(batch, codec.num_codebooks, 0, dtype=torch.int64)
        self.state: dict[int, Any] = {}
        self.started = self.closed = False

    @torch.inference_mode()
    def push(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        check_codes(codes_BKF, self.codec.num_codebooks, self.codec.codebook_size)
        if self.closed:
            raise ValueError("this stream has been flushed: open a new one")
        self.waiting_BKF = torch.cat([self.waiting_BKF, codes_BKF], 2)
        enough = 1 if self.started else self.START
        if self.waiting_BKF.shape[2] < enough:
            return torch.zeros(len(self.waiting_BKF), 0)
        x_BCF = self.codec.latent(self.waiting_BKF)
        self.waiting_BKF = self.waiting_BKF[..., :0]
        for layer in self.codec.model.decoder.layers:
            x_BCF = self._layer(layer, x_BCF)
        self.started = True
        return x_BCF[:, 0]

    @torch.inference_mode()
    def flush(self) -> torch.Tensor:
        if self.closed or self.waiting_BKF.shape[2] == 0:
            self.closed = True
            return torch.zeros(len(self.waiting_BKF), 0)
        self.closed = True
        return self.codec.decode(self.waiting_BKF)

    def _layer(self, layer: Any, x_BCF: torch.Tensor) -> torch.Tensor:
        """One layer of the decoder on the next frames of its input."""
        kind = type(layer).__name__
        if kind == "EncodecConv1d":
            return self._conv(layer, x_BCF)
        if kind == "EncodecConvTranspose1d":
            return self._transpose(layer, x_BCF)
        if kind == "EncodecLSTM":
            x_FBC = x_BCF.permute(2, 0, 1)
            y_FBC, self.state[id(layer)] = layer.lstm(x_FBC, self.state.get(id(layer)))
            return (y_FBC + x_FBC).permute(1, 2, 0)
        if kind == "EncodecResnetBlock":
            y_BCF = x_BCF
            for inner in layer.block:
                y_BCF = self._layer(inner, y_BCF)
            return self._layer(layer.shortcut, x_BCF) + y_BCF
        assert isinstance(layer, nn.ELU | nn.Identity), f"unknown layer {kind}"
        return layer(x_BCF)

    def _conv(self, layer: Any, x_BCF: torch.Tensor) -> torch.Tensor:
        """A convolution of stride 1. Its left edge is padded as the model pads it, then by what came before."""
        size = (layer.conv.kernel_size[0] - 1) * layer.conv.dilation[0]
        if id(layer) in self.state:
            x_BCF = torch.cat([self.state[id(layer)], x_BCF], 2)
        else:
            x_BCF = layer._pad1d(x_BCF, (size, 0), layer.pad_mode)
        self.state[id(layer)] = x_BCF[:, :, x_BCF.shape[2] - size :]
        return layer.conv(x_BCF)

    def _transpose(self, layer: Any, x_BCF: torch.Tensor) -> torch.Tensor:
        """An output sample depends on kernel / stride inputs, the last being its own: the ones before are kept."""
        stride = layer.conv.stride[0]
        context = -(-layer.conv.kernel_size[0] // stride) - 1
        before_BCF = self.state.get(id(layer), x_BCF[:, :, :0])
        both_BCF = torch.cat([before_BCF, x_BCF], 2)
        self.state[id(layer)] = both_BCF[:, :, max(0, both_BCF.shape[2] - context) :]
        y_BCF = layer.conv(both_BCF)
        return y_BCF[:, :, before_BCF.shape[2] * stride : both_BCF.shape[2] * stride]
