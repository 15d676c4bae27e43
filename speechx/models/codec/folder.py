"""Codecs on disk: FOLDER/config.json, model.safetensors (encoder and codebooks: what the codes mean) and
decoder.safetensors, which may be replaced by a better one. Weights are fp16.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from speechx.errors import InputError
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.spectral import TRAINING_ONLY, SpectralCodec

NEWEST = 2
"""Version of spectral codecs."""

FILES = ("model.safetensors", "decoder.safetensors")


def save_codec(codec: SpectralCodec, folder: str | Path) -> None:
    """Writes what decoding needs: no training statistics."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = codec.config.facts() | {"hash": codec.hash, "weights_hash": codec.weights_hash}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    state = {
        k: v.half().contiguous()
        for k, v in codec.state_dict().items()
        if k.split(".")[-1] not in TRAINING_ONLY
    }
    for file in FILES:
        chosen = {name: value for name, value in state.items() if _file_of(name) == file}
        save_file(chosen, folder / file, metadata={"format": "pt"})


def _file_of(name: str) -> str:
    return FILES[name.startswith("decoder.")]


def load_codec(folder: str | Path) -> SpectralCodec:
    """Reads what `save_codec` wrote. Raises InputError where files are missing, unknown, or do not match their hash."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    for name in ("config.json", *FILES):
        if not (folder / name).is_file():
            raise InputError(f"codec: {folder} has no {name}", field="codec")
    values = json.loads((folder / "config.json").read_text())
    values.pop("hash", None)
    expected = values.pop("weights_hash", None)
    if values.get("name") != "spectral" or values.get("version", 0) > NEWEST:
        raise InputError(
            f"codec: {folder} holds codec {values.get('name')!r} version {values.get('version')}, "
            f"this release reads spectral up to version {NEWEST}",
            field="codec",
        )
    codec = SpectralCodec.from_config(SpectralConfig(**values))
    misfit = InputError(f"codec: the weights in {folder} do not fit their config.json", field="codec")
    try:
        state = {n: value.float() for file in FILES for n, value in load_file(folder / file).items()}
        missing = codec.load_state_dict(state, strict=False)
    except (RuntimeError, SafetensorError) as error:  # other shapes; a file cut short
        raise misfit from error
    if [n for n in missing.missing_keys if n.split(".")[-1] not in TRAINING_ONLY] or missing.unexpected_keys:
        raise misfit
    if expected != codec.weights_hash:
        raise InputError(
            f"codec: the weights in {folder} have hash {codec.weights_hash}, config.json says {expected}",
            field="codec",
        )
    return codec


def export_checkpoint(checkpoint: str | Path, folder: str | Path, step: float = 0.0) -> SpectralCodec:
    """The averaged weights of a training checkpoint, as a codec folder.

    step: of the grid that the decoder's matrices are moved to (speechx.models.lm.folder.on_grid); the encoder keeps its own.
    """
    from speechx.models.lm.folder import on_grid

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
