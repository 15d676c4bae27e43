"""Streaming decode of causal convolutional decoders (SEANet: EnCodec and Mimi), layer by layer.

Shapes: B batch, K codebooks, F codec frames, T samples, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from speechx.models.codec.base import check_codes
from speechx.models.codec.pretrained import PretrainedCodec

__all__ = ["CausalStream"]


class CausalStream:
    """Equal to the codec's `decode`: every layer keeps the left context that it needs.

    start: frames that the first output waits for; a model that mirrors the first samples to pad its left edge needs some.
    """

    def __init__(self, codec: PretrainedCodec, layers: Iterable[Any], batch: int = 1, start: int = 1) -> None:
        self.codec, self.layers, self.start = codec, tuple(layers), start
        self.waiting_BKF = torch.zeros(batch, codec.num_codebooks, 0, dtype=torch.int64)
        self.state: dict[int, Any] = {}
        self.started = self.closed = False

    @torch.inference_mode()
    def push(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        check_codes(codes_BKF, self.codec.num_codebooks, self.codec.codebook_size)
        if self.closed:
            raise ValueError("this stream has been flushed: open a new one")
        self.waiting_BKF = torch.cat([self.waiting_BKF, codes_BKF], 2)
        if self.waiting_BKF.shape[2] < (1 if self.started else self.start):
            return torch.zeros(len(self.waiting_BKF), 0)
        x_BCF = self.codec._latent(self.waiting_BKF)
        self.waiting_BKF = self.waiting_BKF[..., :0]
        for layer in self.layers:
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
        if kind.endswith("ConvTranspose1d"):
            return self._transpose(layer, x_BCF)
        if kind.endswith("Conv1d"):
            return self._conv(layer, x_BCF)
        if kind == "EncodecLSTM":
            x_FBC = x_BCF.permute(2, 0, 1)
            y_FBC, self.state[id(layer)] = layer.lstm(x_FBC, self.state.get(id(layer)))
            return (y_FBC + x_FBC).permute(1, 2, 0)
        if kind == "MimiTransformerModel":
            return self._transformer(layer, x_BCF)
        if kind.endswith("ResnetBlock"):
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

    def _transformer(self, layer: Any, x_BCF: torch.Tensor) -> torch.Tensor:
        """Attention over a window of what came before, from the cache."""
        from transformers import DynamicCache

        cache = self.state.setdefault(id(layer), DynamicCache(config=layer.config))
        return layer(x_BCF.transpose(1, 2), cache=cache, use_cache=True).last_hidden_state.transpose(1, 2)
