"""Folders of the language model (speechx.models.folder). They may hold adapters of voices: FOLDER/adapters/NAME.safetensors.

speechx.models.lm.pretrained.CodecLM (transformers) reads the same folder; `load_model` does not need transformers.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from speechx.errors import InputError
from speechx.files import atomic_write
from speechx.models.adapter_file import AdapterInfo
from speechx.models.adapter_file import read_adapter as read_adapter_file
from speechx.models.folder import CONFIG_FILE, ModelFolder, matrices_on_grid
from speechx.models.lm.config import LMConfig
from speechx.models.lm.model import CodecLMCore
from speechx.models.lora import LoRAAdapter, LoRAScope, check_lora, merge_lora

ADAPTERS = "adapters"
MODEL_TYPE = "speechx-codec-lm"
LM_FOLDER = ModelFolder(
    MODEL_TYPE, LMConfig, "language model", extra={"architectures": ["CodecLM"], "dtype": "float16"}
)


def save_model(model: CodecLMCore, folder: str | Path, step: float = 0.0) -> str:
    """Writes a model folder, with the scoped adapter of its own that the model may have; the weights' hash.

    step: see `on_grid`; of matrices alone. The larger, the smaller the file packs, which a repository that ships it feels.
    """
    digest = LM_FOLDER.write(folder, model.shape, matrices_on_grid(model.state_dict(), step))
    for own in model.adapters:
        if not own.name:
            save_adapter(folder, own.tensors, scope=own.scope)
    return digest


def save_adapter(
    folder: str | Path, factors: dict[str, Tensor], step: float = 0.0, scope: LoRAScope | None = None
) -> str:
    """Writes the factors of a LoRA adapter into a model folder; their hash. Raises ValueError for those of another model.

    step: see `on_grid`. scope: where it is used; everywhere for None.
    """
    adapter = LoRAAdapter(scope or LoRAScope(), matrices_on_grid(factors, step))
    check_lora(CodecLMCore(LM_FOLDER.read_config(folder)), adapter.tensors, adapter.scope)
    return LM_FOLDER.write_adapter(folder, adapter)


def load_model(
    folder: str | Path,
    *,
    codec_name: str | None = None,
    codec_hash: str | None = None,
    phone_table_version: int | None = None,
    dtype: torch.dtype = torch.float32,
    adapter: bool = True,
) -> CodecLMCore:
    """The model of a folder, in eval mode, on the CPU. Adapters with a scope are its `adapters`, one without is merged.

    codec_name, codec_hash, phone_table_version: what the caller will use it with, where to be checked. adapter: whether with
    the adapters that the folder may hold (`read_adapter`, `voice_adapters`). Raises InputError where files are missing,
    damaged, of another format, or do not belong together.
    """
    config, tensors = LM_FOLDER.read(folder)
    if (codec_hash and config.codec_hash not in ("", codec_hash)) or (
        codec_name and config.codec_name not in ("", codec_name)
    ):
        used = " ".join(filter(None, (codec_name, codec_hash)))
        raise InputError(
            f"the language model was trained with codec {config.codec_name} {config.codec_hash}, not with {used}: "
            "the two do not belong together",
            field="model",
        )
    if phone_table_version is not None and config.phone_table_version > phone_table_version:
        raise InputError(
            f"the language model needs phone table {config.phone_table_version}, this release has "
            f"{phone_table_version}: use a newer release",
            field="model",
        )
    model = CodecLMCore(config, draw=False)
    try:
        model.load_state_dict({k: v.to(dtype) for k, v in tensors.items()}, assign=True)
        found = read_adapter(folder) if adapter else None
        if found is not None and found.scope:
            check_lora(model, found.tensors, found.scope)
            model.adapters = (found,)
        elif found is not None:
            merge_lora(model, found.tensors)
        for info, more in voice_adapters(folder) if adapter else ():
            if info.base != LM_FOLDER.weights_hash(folder):
                raise InputError(
                    f"the adapter {info.name} in {folder} was made for language model {info.base}, not for "
                    f"{LM_FOLDER.weights_hash(folder)}",
                    field="model",
                )
            check_lora(model, more.tensors, more.scope)
            model.adapters = (*model.adapters, more)
    except InputError:
        raise
    except (RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"the weights in {folder} do not fit their {CONFIG_FILE}: {error}", field="model"
        ) from error
    return model.eval()


def load_for_voice(
    folder: str | Path, scope: LoRAScope, codec_hash: str
) -> tuple[CodecLMCore, LoRAAdapter | None]:
    """The model that a voice's adapter of the scope is trained on, and the adapter that it begins as, whose place it takes.

    The folder's adapter without a scope stays in use beneath those of voices, so it is merged.
    """
    model, own = load_model(folder, codec_hash=codec_hash, adapter=False), read_adapter(folder)
    if own is not None and not own.scope:
        merge_lora(model, own.tensors)
    start = last_adapter(folder, scope)
    return model, start if start is not None and start.scope else None


def read_adapter(folder: str | Path) -> LoRAAdapter | None:
    """The adapter that a model folder holds. Raises InputError."""
    return LM_FOLDER.read_adapter(folder)


def add_voice_adapter(folder: str | Path, name: str, data: bytes) -> None:
    """Adds an adapter's file to a model folder, in place of one of the same name or for the same languages and tasks."""
    Path(folder, ADAPTERS).mkdir(exist_ok=True)
    scope = read_adapter_file(data)[1].scope
    for path in adapter_files(folder):
        if read_adapter_file(path.read_bytes(), "model")[1].scope == scope:
            path.unlink()
    atomic_write(Path(folder, ADAPTERS, f"{name}.safetensors"), data)


def added_languages(folder: str | Path) -> tuple[str, ...]:
    """The languages that the adapters of a model folder add, which are known from then on. Raises InputError."""
    infos = (info for info, _ in voice_adapters(folder))
    return tuple(info.added.code for info in infos if info.added is not None)


def voice_adapters(folder: str | Path) -> list[tuple[AdapterInfo, LoRAAdapter]]:
    """The adapters of voices and languages that a model folder holds. Raises InputError.

    Of several for one request the last is used: those for fewer tasks and languages come last, else they go by name.
    """
    found = [read_adapter_file(path.read_bytes(), "model") for path in adapter_files(folder)]
    return sorted(found, key=lambda one: _breadth(one[1].scope), reverse=True)


def _breadth(scope: LoRAScope) -> tuple[float, float]:
    """How many tasks and languages a scope holds."""
    return len(scope.slots) or math.inf, len(scope.languages) or math.inf


def last_adapter(folder: str | Path, scope: LoRAScope) -> LoRAAdapter | None:
    """Of the folder's own adapter and `voice_adapters`, the last that is used for some request of the scope."""
    own = read_adapter(folder)
    found = [*([] if own is None else [own]), *(adapter for _, adapter in voice_adapters(folder))]
    return next((one for one in reversed(found) if scope.meets(one.scope)), None)


def adapter_files(folder: str | Path) -> list[Path]:
    """The files of `voice_adapters`, by name."""
    return sorted(Path(folder, ADAPTERS).glob("*.safetensors"))
