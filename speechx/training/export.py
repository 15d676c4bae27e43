"""From a training checkpoint to a model folder."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from speechx.errors import InputError
from speechx.models.lm.config import LMConfig

if TYPE_CHECKING:
    from speechx.models.lm.model import CodecLMCore
    from speechx.training.lm_config import LMTrainConfig


def pause_phones() -> tuple[int, ...]:
    """Phone table entries that are silences or pauses: they may last longer than a phone."""
    from speechx.models.ctc import PAUSES
    from speechx.text.phones import PHONE_IDS

    return tuple(sorted(PHONE_IDS[phone] for phone in PAUSES if phone in PHONE_IDS))


def export_lm(checkpoint: str | Path, folder: str | Path, step: float = 0.0) -> None:
    """The averaged weights of a checkpoint as FOLDER/config.json and FOLDER/model.safetensors (fp16).

    step: grid of the matrices, see speechx.models.folder.on_grid.
    """
    from speechx.models.lm.folder import save_model
    from speechx.models.lm.model import CodecLMCore

    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    model = CodecLMCore(LMConfig.from_dict(state["model_config"]))
    model.load_state_dict(state["average"])
    save_model(model, folder, step)


def export_adapter(model: CodecLMCore, config: LMTrainConfig, base: str | Path, folder: str | Path) -> None:
    """The trained LoRA factors beside the weights of BASE, the lm folder that they adapt.

    They replace BASE's own where that has no scope (they began from it) or they cover its scope. Else that one stays, and
    they are an adapter more (`voice_adapters` has the order). BASE's further adapters stay, but for those whose scope they
    cover.
    """
    from speechx.models.adapter_file import AdapterInfo, write_adapter
    from speechx.models.adapter_file import read_adapter as read_adapter_file
    from speechx.models.lm.folder import (
        LM_FOLDER,
        adapter_files,
        add_voice_adapter,
        load_model,
        read_adapter,
        save_adapter,
        save_model,
    )
    from speechx.models.lora import LoRAScope, balanced_factors

    digest, own = save_model(load_model(base, adapter=False), folder), read_adapter(base)
    scope, factors = LoRAScope(config.languages, config.slots), balanced_factors(model)
    for path in adapter_files(base):
        data = path.read_bytes()
        if not scope.covers(read_adapter_file(data, "model")[1].scope):
            add_voice_adapter(folder, path.stem, data)
    if own is None or not own.scope or scope.covers(own.scope):
        save_adapter(folder, factors, config.grid, scope)
        return
    LM_FOLDER.write_adapter(folder, own)
    taken = {path.stem for path in adapter_files(folder)}
    names = ("-".join(["trained", *config.languages, *([str(n)] if n else [])]) for n in itertools.count())
    info = AdapterInfo(
        name=next(name for name in names if name not in taken), base=digest, languages=config.languages,
        slots=config.slots, rank=config.rank,
    )  # fmt: skip
    add_voice_adapter(folder, info.name, write_adapter(info, factors))


def export_any(checkpoint: str | Path, folder: str | Path, step: float = 0.0) -> str:
    """The averaged weights of a codec or language model as a model folder; what it was, for the terminal."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    if "model_config" in state:
        export_lm(checkpoint, folder, step)
        return "language model"
    if "codec" not in state:
        raise InputError(f"checkpoint: {checkpoint} is no codec and no language model", field="checkpoint")
    from speechx.models.codec.folder import export_checkpoint

    codec = export_checkpoint(checkpoint, folder, step)
    return f"codec {codec.name} {codec.hash}"
