"""Language model folders: config.json and model.safetensors (fp16), tied together by a hash over both. A tuned model has
adapter.safetensors, too (speechx/models/lora.py), with a hash of its own.

The same folder is read by speechx.models.lm.pretrained.CodecLM (transformers) and by `load_model`, which does not need
it.
"""

import hashlib
import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from speechx.errors import InputError
from speechx.files import atomic_files
from speechx.models.lm.config import LMConfig
from speechx.models.lm.model import CodecLMCore
from speechx.models.lora import LoRAAdapter, LoRAScope, check, merge

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
ADAPTER_FILE = "adapter.safetensors"
MODEL_TYPE = "speechx-codec-lm"
UNIT, STREAM = ".unit", "stream"
FORMAT = 1  # goes up when older weights mean something else; such folders are refused


def weights_hash(config: LMConfig, tensors: dict[str, Tensor]) -> str:
    """16 hex digits over the config and the bytes of every tensor."""
    return tensors_hash(config.hash(), tensors)


def tensors_hash(config: str, tensors: dict[str, Tensor]) -> str:
    """`weights_hash` of any model, whose config is told as text."""
    digest = hashlib.sha256(config.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def grid_unit(values: Tensor, step: float) -> float:
    """The power of two that is about `step` of the values' root mean square; 0 for a step of 0, and where all are 0."""
    size = values.float().square().mean().sqrt() * step
    return float(2.0 ** size.log2().round()) if step and size > 0 else 0.0


def on_grid(values: Tensor, step: float) -> Tensor:
    """Values moved to the nearest multiple of a power of two that is about `step` of their root mean square.

    One grid for a whole tensor: its values then repeat, and a file of them packs smaller than one whose values have
    fewer significant bits and the same error (docs/log.md). A step of 0 leaves them as they are.
    """
    unit = grid_unit(values, step)
    return (values.float() / unit).round() * unit if unit else values


def small(tensors: dict[str, Tensor], step: float) -> dict[str, Tensor]:
    """What a file of such tensors holds: matrices on a grid as int8 in one Huffman-coded stream, by name, and of each its
    NAME.unit (unit and shape); what is not or does not fit in fp16.

    The same numbers in fp16 pack to nearly twice as much, and zlib alone, which looks for repeats where all is chance,
    makes a sixth more of the int8. `whole` undoes it.
    """
    found, stream = dict[str, Tensor](), bytearray()
    for name, value in sorted(tensors.items()):
        value = value.detach().cpu()
        unit = grid_unit(value, step) if value.ndim > 1 else 0.0
        units = (value.float() / unit).round() if unit else value
        if unit and units.abs().max() <= 127:
            found[name + UNIT] = torch.tensor([unit, *value.shape])
            stream += units.to(torch.int8).numpy().tobytes()
        else:
            found[name] = (units * unit if unit else value).half().contiguous()
    if stream:
        coder = zlib.compressobj(9, strategy=zlib.Z_HUFFMAN_ONLY)
        found[STREAM] = torch.frombuffer(bytearray(coder.compress(stream) + coder.flush()), dtype=torch.uint8)
    return found


def whole(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """float32 tensors of a file that `small` made, now or when it had no stream, or of one in fp16."""
    found = dict[str, Tensor]()
    stream = zlib.decompress(tensors[STREAM].numpy().tobytes()) if STREAM in tensors else b""
    at = 0
    for name, value in sorted(tensors.items()):
        owner = name.removesuffix(UNIT)
        if name.endswith(UNIT) and value.ndim:
            shape = [int(size) for size in value[1:]]
            units = np.frombuffer(stream, np.int8, int(np.prod(shape)), at)
            found[owner] = torch.from_numpy(units.astype(np.float32)).view(shape) * value[0]
            at += len(units)
        elif name != STREAM and not name.endswith(UNIT):
            found[name] = value.float() * tensors.get(name + UNIT, 1.0)
    return found


def save_model(model: CodecLMCore, folder: str | Path, step: float = 0.0) -> str:
    """Write a model folder, with the change of some requests that the model may have; the weights' hash. Each file appears
    whole or not at all.

    step: see `on_grid`; of matrices alone. The larger, the smaller the file packs, which a repository that ships it feels.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().cpu() for k, v in model.state_dict().items()}
    tensors = {k: (on_grid(v, step) if v.ndim > 1 else v).half().contiguous() for k, v in weights.items()}
    bad = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if bad:
        raise ValueError(f"weights are not finite in half precision: {', '.join(bad)}")
    digest = weights_hash(model.shape, tensors)
    config = {
        "model_type": MODEL_TYPE,
        "architectures": ["CodecLM"],
        "format": FORMAT,
        "dtype": "float16",
        "weights_hash": digest,
        **model.shape.to_dict(),
    }
    with atomic_files(folder / WEIGHTS_FILE, folder / CONFIG_FILE) as (weights_part, config_part):
        weights_part.write_bytes(save(tensors, metadata={"format": "pt"}))
        config_part.write_text(json.dumps(config, indent=2) + "\n")
    if model.change is not None:
        save_adapter(folder, model.change.tensors, scope=model.change.scope)
    return digest


def save_adapter(
    folder: str | Path, factors: dict[str, Tensor], step: float = 0.0, scope: LoRAScope | None = None
) -> str:
    """Write the factors of a low-rank change (LoRA) into a model folder; their hash, which the config now names.

    step: see `small`. scope: where it holds; everywhere for None.
    """
    folder, scope = Path(folder), scope or LoRAScope()
    config, facts = read_config(folder)
    tensors = small(factors, step)
    check(CodecLMCore(config), whole(tensors), scope)  # raises ValueError for those of another model
    digest = _adapter_hash(config, scope, tensors)
    facts = {**facts, "adapter_hash": digest, "adapter_scope": scope.as_dict()}
    with atomic_files(folder / ADAPTER_FILE, folder / CONFIG_FILE) as (adapter_part, config_part):
        adapter_part.write_bytes(save(tensors, metadata={"format": "pt"}))
        config_part.write_text(json.dumps(facts, indent=2) + "\n")
    return digest


def _adapter_hash(config: LMConfig, scope: LoRAScope, tensors: dict[str, Tensor]) -> str:
    return tensors_hash(config.hash() + (json.dumps(scope.as_dict()) if scope else ""), tensors)


def read_config(folder: str | Path) -> tuple[LMConfig, dict[str, Any]]:
    """The config of a model folder and the facts beside it. Raises InputError for one that cannot be used."""
    path = Path(folder) / CONFIG_FILE
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing", field="model") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid JSON: {error}", field="model") from error
    if not isinstance(values, dict) or values.get("model_type") != MODEL_TYPE:
        raise InputError(f"{path} does not describe a SpeechX language model", field="model")
    if values.get("format") != FORMAT:
        raise InputError(
            f"{path} has format {values.get('format')}; this release reads format {FORMAT}: export the weights again "
            "or use the release that made them",
            field="model",
        )
    own = set(LMConfig.model_fields)
    try:
        return LMConfig.from_dict({k: v for k, v in values.items() if k in own}), values
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {error}", field="model") from error


def load_model(
    folder: str | Path,
    *,
    codec_name: str | None = None,
    codec_hash: str | None = None,
    phone_table_version: int | None = None,
    dtype: torch.dtype = torch.float32,
    change: bool = True,
) -> CodecLMCore:
    """The model of a folder, in eval mode, on the CPU. A change of some languages or tasks alone is its `change`.

    codec_name, codec_hash, phone_table_version: what the caller will use it with, where to be checked. change: whether with
    the change that the folder may hold (`read_change`). Raises
    InputError where files are missing, damaged, of another format, or do not belong together.
    """
    config, facts = read_config(folder)
    _check_use("codec", config.codec_name, codec_name)
    _check_use("codec hash", config.codec_hash, codec_hash)
    if phone_table_version is not None and config.phone_table_version > phone_table_version:
        raise InputError(
            f"the language model needs phone table {config.phone_table_version}, this release has "
            f"{phone_table_version}: use a newer release",
            field="model",
        )
    tensors = _read(Path(folder) / WEIGHTS_FILE, facts.get("weights_hash"), partial(weights_hash, config))
    model = CodecLMCore(config, draw=False)
    try:
        model.load_state_dict({k: v.to(dtype) for k, v in tensors.items()}, assign=True)
        found = read_change(folder) if change else None
        if found is not None and found.scope:
            check(model, found.tensors, found.scope)
            model.change = found
        elif found is not None:
            merge(model, found.tensors)
    except (RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"the weights in {folder} do not fit their {CONFIG_FILE}: {error}", field="model"
        ) from error
    return model.eval()


def read_change(folder: str | Path) -> LoRAAdapter | None:
    """The change that a model folder holds. Raises InputError, or ValueError or TypeError for its scope."""
    config, facts = read_config(folder)
    if "adapter_hash" not in facts:
        return None
    scope = LoRAScope(**{name: tuple(values) for name, values in facts.get("adapter_scope", {}).items()})
    path, hash_of = Path(folder) / ADAPTER_FILE, partial(_adapter_hash, config, scope)
    return LoRAAdapter(scope, whole(_read(path, facts["adapter_hash"], hash_of)))


def _read(path: Path, expected: str | None, hash_of: Callable[[dict[str, Tensor]], str]) -> dict[str, Tensor]:
    """The tensors of one file, if they have the hash that the config names."""
    try:
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing", field="model") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}", field="model") from error
    if hash_of(tensors) != expected:
        raise InputError(
            f"{path} does not match the hash in its {CONFIG_FILE}: one of them is damaged or was replaced",
            field="model",
        )
    return tensors


def _check_use(what: str, trained: str, used: str | None) -> None:
    if used is not None and trained and trained != used:
        raise InputError(
            f"the language model was trained with {what} {trained}, not {used}: the two do not belong together",
            field="model",
        )
