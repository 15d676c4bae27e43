"""Folders of codecs (speechx.models.folder).

model.safetensors has encoder and codebooks, which define the codes. decoder.safetensors may be replaced by a better
decoder; no language model needs to be trained anew for it.
"""

from __future__ import annotations

from pathlib import Path

import torch

from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.folder import ModelFolder, on_grid

CODEC_FOLDER = ModelFolder(
    "speechx-codec", SpectralConfig, "codec", field="codec", parts={"decoder.": "decoder.safetensors"}
)


def save_codec(codec: SpectralCodec, folder: str | Path) -> None:
    """Writes what encoding and decoding need: no training statistics."""
    CODEC_FOLDER.write(folder, codec.config, codec.state_dict(), hash=codec.hash)


def load_codec(folder: str | Path) -> SpectralCodec:
    """Reads what `save_codec` wrote. Raises InputError where files are missing, unknown, or do not match their hash."""
    return CODEC_FOLDER.load(folder, SpectralCodec.from_config)[0]


def export_checkpoint(checkpoint: str | Path, folder: str | Path, step: float = 0.0) -> SpectralCodec:
    """The averaged weights of a training checkpoint, as a codec folder.

    step: of the grid that the decoder's matrices are moved to (speechx.models.folder.on_grid); the encoder keeps its own.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    codec = SpectralCodec.from_config(SpectralConfig(**state["config"]["codec"]))
    own = dict(codec.named_parameters()) | dict(codec.named_buffers())
    coarse = {
        name
        for name, value in codec.named_parameters()
        if name.startswith("decoder.") and not name.startswith("decoder.pitch.") and value.ndim > 1
    }
    with torch.no_grad():
        for name, value in state["average"].items():
            if name in own:
                kept = on_grid(value, step) if name in coarse else value
                own[name].copy_(kept.half().float())
    save_codec(codec, folder)
    return codec
