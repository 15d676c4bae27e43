"""From a training checkpoint to a model folder."""

from __future__ import annotations

from pathlib import Path

import torch

from speechx.config import LMConfig


def pause_phones() -> tuple[int, ...]:
    """Phone table entries that are silences or pauses: they may last longer than a phone."""
    from speechx.aligner import PAUSES
    from speechx.text.phones import PHONE_IDS

    return tuple(sorted(PHONE_IDS[phone] for phone in PAUSES if phone in PHONE_IDS))


def export_lm(checkpoint: str | Path, folder: str | Path) -> None:
    """The averaged weights of a checkpoint as FOLDER/config.json and FOLDER/model.safetensors (fp16)."""
    from speechx.checkpoint import save_model
    from speechx.model import CodecLMCore

    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    model = CodecLMCore(LMConfig.from_dict(state["model_config"]))
    model.load_state_dict(state["average"])
    save_model(model, folder)
