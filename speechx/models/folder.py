"""Model folders: one format for codec, language model, aligner and refiner.

    FOLDER/config.json          model_type, format, the config's fields, weights_hash, and adapter_hash, adapter_scope
    FOLDER/model.safetensors    fp16 weights; a codec has decoder.safetensors, too
    FOLDER/adapter.safetensors  fp16 factors of a LoRA adapter (speechx.models.lora); optional

`safetensors.torch.load_file` alone reads the weights. The hashes tie the files of a folder together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from speechx.errors import InputError
from speechx.files import atomic_files
from speechx.models.config import JSONObject, ModelConfig
from speechx.models.lora import LoRAAdapter, LoRAScope

__all__ = ["CONFIG_FILE", "FORMAT", "WEIGHTS_FILE", "ModelFolder", "matrices_on_grid", "on_grid"]

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
ADAPTER_FILE = "adapter.safetensors"
FORMAT = 2
"""Folders of another format are refused; scripts/convert_weights.py converts those of format 1."""

PICKLES = (".th", ".pt", ".pth", ".bin", ".ckpt", ".pkl")
"""Suffixes of files whose reading may run code."""

ADAPTER_FACTS = ("adapter_hash", "adapter_scope")
FACTS = ("model_type", "format", "weights_hash", *ADAPTER_FACTS)
"""Keys of config.json that are no fields of the config."""

C = TypeVar("C", bound=ModelConfig)
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class ModelFolder(Generic[C]):
    """Reads and writes the folders of one kind of network. Raises InputError for a folder that cannot be used.

    name: what messages call the network. field: the setting that InputError names. extra: further entries of config.json.
    parts: prefix of tensor names -> the file that holds them; all others are in model.safetensors.
    """

    model_type: str
    config_class: type[C]
    name: str
    field: str = "model"
    extra: JSONObject | None = None
    parts: Mapping[str, str] | None = None

    def write(self, folder: str | Path, config: C, tensors: Mapping[str, Tensor], **facts: str) -> str:
        """Writes config and weights (fp16) and returns the weights' hash. Each file appears whole or not at all.

        Raises ValueError for weights that are not finite in fp16.
        """
        folder = Path(folder)
        halves = _halves(tensors)
        values: JSONObject = {"model_type": self.model_type, "format": FORMAT, **(self.extra or {}), **facts}
        values |= config.to_dict()
        digest = _weights_hash(values, halves)
        folder.mkdir(parents=True, exist_ok=True)
        files = {file: save(part, metadata={"format": "pt"}) for file, part in self._split(halves).items()}
        files[CONFIG_FILE] = _to_json({**values, "weights_hash": digest})
        _write_files(folder, files)
        return digest

    def read_config(self, folder: str | Path) -> C:
        path, values = self._values(folder)
        skipped = (*FACTS, *(self.extra or ()), "hash")
        try:
            return self.config_class.from_dict({k: v for k, v in values.items() if k not in skipped})
        except ValueError as error:
            raise self._error(f"{path}: {error}") from error

    def read(self, folder: str | Path) -> tuple[C, dict[str, Tensor]]:
        """The config, and the weights in float32."""
        config = self.read_config(folder)
        path, values = self._values(folder)
        files = (WEIGHTS_FILE, *(self.parts or {}).values())
        tensors = {name: value for file in files for name, value in self._load(path.with_name(file)).items()}
        if _weights_hash(values, tensors) != values.get("weights_hash"):
            raise self._mismatch(path.with_name(WEIGHTS_FILE))
        return config, {name: value.float() for name, value in tensors.items()}

    def load(
        self, folder: str | Path, make: Callable[[C], M], adapter: bool = True
    ) -> tuple[M, LoRAAdapter | None]:
        """The network with its weights in eval mode, and the adapter of the folder (`adapter=False`: None)."""
        config, tensors = self.read(folder)
        network = make(config)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:  # other names or shapes
            raise self._error(f"the weights in {folder} do not fit their {CONFIG_FILE}: {error}") from error
        return network.eval(), self.read_adapter(folder) if adapter else None

    def weights_hash(self, folder: str | Path) -> str:
        """The hash of the weights without an adapter, as config.json names it."""
        return str(self._values(folder)[1].get("weights_hash", ""))

    def write_adapter(self, folder: str | Path, adapter: LoRAAdapter) -> str:
        """Writes an adapter beside the weights and returns its hash, which config.json now names."""
        path, values = self._values(folder)
        halves = _halves(adapter.tensors)
        digest = _adapter_hash(values, adapter.scope, halves)
        values = {**values, "adapter_hash": digest, "adapter_scope": adapter.scope.to_dict()}
        files = {ADAPTER_FILE: save(halves, metadata={"format": "pt"}), CONFIG_FILE: _to_json(values)}
        _write_files(path.parent, files)
        return digest

    def read_adapter(self, folder: str | Path) -> LoRAAdapter | None:
        """The adapter, its factors in float32; None where the folder has none."""
        path, values = self._values(folder)
        if "adapter_hash" not in values:
            return None
        try:
            scope = LoRAScope.from_dict(values.get("adapter_scope"))
        except (TypeError, ValueError) as error:
            raise self._error(f"{path}: adapter_scope: {error}") from error
        tensors = self._load(path.with_name(ADAPTER_FILE))
        if _adapter_hash(values, scope, tensors) != values["adapter_hash"]:
            raise self._mismatch(path.with_name(ADAPTER_FILE))
        return LoRAAdapter(scope, {name: value.float() for name, value in tensors.items()})

    def _values(self, folder: str | Path) -> tuple[Path, JSONObject]:
        """Path and content of config.json."""
        path = Path(folder) / CONFIG_FILE
        try:
            values = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise self._error(f"{path} is missing") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise self._error(f"{path} is not valid JSON: {error}") from error
        kind = values.get("model_type") if isinstance(values, dict) else None
        if kind is not None and kind != self.model_type:
            raise self._error(
                f"{path} describes a model of type {kind}, not a SpeechX {self.name} ({self.model_type})"
            )
        found = values.get("format", 1) if isinstance(values, dict) else None
        if found != FORMAT:
            raise self._error(
                f"{path} has format {found}; this release reads format {FORMAT}: export the weights again, "
                "convert them with scripts/convert_weights.py or use the release that made them"
            )
        if kind is None:
            raise self._error(f"{path} does not describe a SpeechX {self.name}")
        return path, values

    def _split(self, tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        """The tensors of each file."""
        found: dict[str, dict[str, Tensor]] = {WEIGHTS_FILE: {}}
        for name, value in tensors.items():
            file = next(
                (f for prefix, f in (self.parts or {}).items() if name.startswith(prefix)), WEIGHTS_FILE
            )
            found.setdefault(file, {})[name] = value
        return found

    def _load(self, path: Path) -> dict[str, Tensor]:
        try:
            return load_file(path)
        except FileNotFoundError as error:
            pickled = sorted(p.name for p in path.parent.glob("*") if p.suffix in PICKLES)
            reason = f"; {pickled[0]} holds pickled weights, which are not read" if pickled else ""
            raise self._error(f"{path} is missing{reason}") from error
        except (SafetensorError, OSError) as error:
            raise self._error(f"{path} cannot be read: {error}") from error

    def _mismatch(self, path: Path) -> InputError:
        return self._error(
            f"{path} does not match the hash in its {CONFIG_FILE}: one of them is damaged or was replaced"
        )

    def _error(self, message: str) -> InputError:
        return InputError(f"{self.field}: {message}", field=self.field)


def on_grid(values: Tensor, step: float) -> Tensor:
    """Values rounded to multiples of a power of two that is about `step` of their root mean square. 0: as they are.

    One grid for a whole tensor: its values then repeat, and a repository stores the file in less space (docs/log.md).
    """
    size = values.float().square().mean().sqrt() * step
    if not step or not size > 0:
        return values
    unit = float(2.0 ** size.log2().round())
    return (values.float() / unit).round() * unit


def matrices_on_grid(tensors: Mapping[str, Tensor], step: float) -> dict[str, Tensor]:
    """`on_grid` of every tensor with two dimensions or more."""
    return {name: on_grid(value, step) if value.ndim > 1 else value for name, value in tensors.items()}


def _halves(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    halves = {name: value.detach().cpu().half().contiguous() for name, value in tensors.items()}
    bad = [name for name, value in halves.items() if not value.isfinite().all()]
    if bad:
        raise ValueError(f"weights are not finite in half precision: {', '.join(bad)}")
    return halves


def _weights_hash(values: Mapping[str, object], tensors: Mapping[str, Tensor]) -> str:
    """Over config.json as it is in the file, so that a field added later leaves older folders valid."""
    left_out = ("weights_hash", *ADAPTER_FACTS)
    config = {name: value for name, value in values.items() if name not in left_out}
    return _tensors_hash(json.dumps(config, sort_keys=True), tensors)


def _adapter_hash(values: JSONObject, scope: LoRAScope, tensors: Mapping[str, Tensor]) -> str:
    """Names the weights that the adapter was trained for, too."""
    return _tensors_hash(f"{values['weights_hash']} {json.dumps(scope.to_dict())}", tensors)


def _tensors_hash(start: str, tensors: Mapping[str, Tensor]) -> str:
    """16 hex digits of SHA-256 over a text and names, types, shapes and bytes of tensors."""
    digest = hashlib.sha256(start.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def _to_json(values: Mapping[str, object]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    with atomic_files(*(folder / file for file in files)) as paths:
        for path, data in zip(paths, files.values(), strict=True):
            path.write_bytes(data)
