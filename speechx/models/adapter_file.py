"""Adapter files: a LoRA adapter of the language model with what it was made of, as one safetensors file.

    info, adapter = read_adapter(Path("anna.safetensors").read_bytes())

The factors are fp16; the metadata entry `speechx_adapter` holds an `AdapterInfo` as JSON. The hash of the file's bytes is
the adapter's name in an engine (speechx.models.lora has the method).
"""

from __future__ import annotations

import hashlib
import json

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from speechx.errors import InputError
from speechx.models.config import StrictConfig
from speechx.models.lora import DOWN, LANGUAGE_ROW, UP, LoRAAdapter, LoRAScope
from speechx.text.languages import AddedLanguage, add_language

__all__ = ["AdapterInfo", "adapter_hash", "read_adapter", "write_adapter"]

METADATA = "speechx_adapter"


class AdapterInfo(StrictConfig):
    """What an adapter is and was made of.

    base: weights_hash of the language model that it changes. languages, slots: of the output text and of the tasks that it
    is used for; empty: all. added: the language that it adds, and how its texts are read.
    seconds: of recordings it was trained on. minutes: of training. consent: whether the speaker agreed.
    """

    format: int = 1
    name: str = Field(min_length=1, max_length=64)
    base: str
    languages: tuple[str, ...] = ()
    slots: tuple[int, ...] = ()
    added: AddedLanguage | None = None
    rank: int = 0
    seconds: float = 0.0
    minutes: float = 0.0
    license: str = ""
    consent: bool = False
    created: str = ""


def write_adapter(info: AdapterInfo, tensors: dict[str, Tensor]) -> bytes:
    """The file's bytes. tensors: NAME.up and NAME.down of each adapted matrix."""
    halves = {name: value.detach().cpu().half().contiguous() for name, value in tensors.items()}
    # One entry alone: the order of several differs from call to call, and with it the hash.
    return save(halves, metadata={METADATA: json.dumps(info.to_dict())})


def read_adapter(data: bytes, field: str = "adapter") -> tuple[AdapterInfo, LoRAAdapter]:
    """What `write_adapter` made; the factors in float32. A language that it adds is known from then on.

    Raises InputError for anything else, and for a language that is known with another reading.
    """
    try:
        tensors = load(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{field}: this is no safetensors file: {error}", field=field) from error
    if METADATA not in metadata:
        raise InputError(
            f"{field}: these are weights, but no adapter of SpeechX: the entry {METADATA} is missing",
            field=field,
        )
    try:
        info = AdapterInfo.from_dict(json.loads(metadata[METADATA]))
        if info.added is not None:
            add_language(info.added)
        scope = LoRAScope(info.languages, info.slots)
    except InputError as error:
        raise InputError(f"{field}: {error}", field=field) from error
    except (ValidationError, ValueError) as error:
        raise InputError(f"{field}: its description cannot be read: {error}", field=field) from error
    odd = [name for name in tensors if not name.endswith((UP, DOWN)) and name != LANGUAGE_ROW]
    rows = (LANGUAGE_ROW in tensors) == (info.added is not None and info.languages == (info.added.code,))
    if info.format != 1 or odd or not tensors or not rows:
        raise InputError(f"{field}: it was made by another release, or is no LoRA adapter", field=field)
    if bad := [name for name, value in tensors.items() if not value.float().isfinite().all()]:
        raise InputError(f"{field}: {bad[0]} has values that are not finite", field=field)
    floats: dict[str, torch.Tensor] = {name: value.float() for name, value in tensors.items()}
    return info, LoRAAdapter(scope, floats, adapter_hash(data))


def adapter_hash(data: bytes) -> str:
    """16 hex digits over the file."""
    return hashlib.sha256(data).hexdigest()[:16]
