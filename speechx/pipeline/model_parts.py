"""What a model folder holds: facts of each part, and whether the parts belong together."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from speechx.errors import InputError
from speechx.models.config import JSONObject
from speechx.pipeline import loading

__all__ = ["PartFacts", "model_parts", "verify_model"]

PARTS = ("codec", "lm", "aligner", "mask")


@dataclass(frozen=True)
class PartFacts:
    """parameters: numbers in the weights. size_mb: of its files. codec_hash: of the codec that it was trained on."""

    name: str
    model_type: str
    parameters: int
    size_mb: float
    weights_hash: str
    codec_hash: str

    def as_dict(self) -> JSONObject:
        return asdict(self)


def model_parts(folder: Path) -> list[PartFacts]:
    """The parts that are there, from headers alone. Raises InputError where one cannot be read, or there is none."""
    found = [_facts(folder / name, name) for name in PARTS if (folder / name).is_dir()]
    if not found:
        raise InputError(
            f"model: {folder} is no model folder: it has none of {', '.join(PARTS)}", field="model"
        )
    return found


def verify_model(folder: Path) -> str:
    """Loads all parts, which checks hashes, shapes and what each was trained on; the hash of all weights.

    Raises InputError for the first fault. A folder without a language model may be a front end alone.
    """
    if (folder / "lm").is_dir():
        return loading.load_pipeline(folder).model
    loading.load_front(folder)
    return loading.weights_hash(folder)


def _facts(folder: Path, name: str) -> PartFacts:
    try:
        values = json.loads((folder / "config.json").read_text())
        files, parameters = sorted(folder.glob("*.safetensors")), 0
        for path in files:
            with safe_open(path, "np") as tensors:
                for key in tensors.keys():  # noqa: SIM118 (no mapping)
                    size = 1
                    for axis in tensors.get_slice(key).get_shape():
                        size *= axis
                    parameters += size
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"model: {name} in {folder} cannot be read: {error}", field="model") from error
    size_mb = round(sum(path.stat().st_size for path in files) / 1e6, 1)
    own = values if isinstance(values, dict) else {}
    return PartFacts(
        name, str(own.get("model_type", "")), parameters, size_mb, str(own.get("weights_hash", "")),
        str(own.get("codec_hash") or own.get("hash", "")),
    )  # fmt: skip
