"""Converts a model folder of format 1 (before November 2026) to format 2: the same numbers as plain fp16 files.

python scripts/convert_weights.py OLD_MODEL NEW_MODEL

OLD_MODEL has codec/, lm/, aligner/ and mask/, or some of them. Format 1 stored some matrices as a Huffman-coded stream of
int8 multiples of a unit. A weights file that was plain fp16 is copied byte by byte.
"""

from __future__ import annotations

import json
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from speechx.models.aligner import ALIGNER_FOLDER
from speechx.models.codec.folder import CODEC_FOLDER
from speechx.models.folder import ModelFolder
from speechx.models.lm.folder import LM_FOLDER
from speechx.models.lora import LoRAAdapter, LoRAScope
from speechx.models.refiner import REFINER_FOLDER

PARTS: dict[str, ModelFolder] = {
    "codec": CODEC_FOLDER,
    "lm": LM_FOLDER,
    "aligner": ALIGNER_FOLDER,
    "mask": REFINER_FOLDER,
}
UNIT, STREAM = ".unit", "stream"
RETIRED = {"frames_per_step": 1}
"""Config keys that are gone, with the only value that is still supported."""


def unpacked(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """float32 tensors of a file of format 1."""
    found: dict[str, Tensor] = {}
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
            found[name] = value.float() * tensors.get(name + UNIT, torch.tensor(1.0))
    return found


def read(path: Path) -> dict[str, Tensor]:
    """Raises ValueError for numbers that fp16 does not hold exactly."""
    tensors = unpacked(load_file(path))
    lossy = [name for name, value in tensors.items() if not torch.equal(value.half().float(), value)]
    if lossy:
        raise ValueError(f"{path}: fp16 does not hold {', '.join(lossy)}")
    return tensors


def convert(part: str, old: Path, new: Path) -> None:
    """One net's folder."""
    kind = PARTS[part]
    values = json.loads((old / "config.json").read_text())
    if any(values.pop(key, value) != value for key, value in RETIRED.items()):
        raise ValueError(f"{old}: {', '.join(RETIRED)} must be {', '.join(map(str, RETIRED.values()))}")
    config = kind.config_class.from_dict(
        {k: v for k, v in values.items() if k in kind.config_class.model_fields}
    )
    files = [path for path in sorted(old.glob("*.safetensors")) if path.stem != "adapter"]
    tensors = {name: value for path in files for name, value in read(path).items()}
    kind.write(new, config, tensors, **({"hash": values["hash"]} if part == "codec" else {}))
    for path in files:
        if all(value.dtype == torch.float16 for value in load_file(path).values()):
            shutil.copyfile(path, new / path.name)
    if values.get("adapter_hash"):
        scope = values.get("adapter_scope") or {
            "languages": values.get("adapter_languages", []), "slots": values.get("adapter_slots", [])
        }  # fmt: skip
        kind.write_adapter(new, LoRAAdapter(LoRAScope.from_dict(scope), read(old / "adapter.safetensors")))


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    old, new = map(Path, sys.argv[1:])
    for part in PARTS:
        if (old / part / "config.json").is_file():
            convert(part, old / part, new / part)
            print(f"{old / part} -> {new / part}")


if __name__ == "__main__":
    main()
