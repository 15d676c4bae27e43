"""Files for a machine that takes and returns only small ones: chunks with checksums, slim checkpoints (runs/rented_gpu).

NAME.000, NAME.001, ... and NAME.chunks.json, which has their order and checksums.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from speechx.errors import InputError
from speechx.files import atomic_files, read_text

__all__ = ["join_chunks", "slim_checkpoint", "split_file"]


def split_file(path: str | Path, out: str | Path, max_mib: float = 16.0) -> list[Path]:
    """Writes the chunks of a file, each of at most `max_mib`; returns the list of chunks first, then them."""
    path, out = Path(path), Path(out)
    if not path.is_file():
        raise InputError(f"file: {path} does not exist", field="path")
    size = int(max_mib * 2**20)
    if size < 1:
        raise InputError(f"max-mib: {max_mib} MiB is no room for a chunk", field="max_mib")
    out.mkdir(parents=True, exist_ok=True)
    chunks, total = list[dict[str, str]](), hashlib.sha256()
    with path.open("rb") as file:
        while (data := file.read(size)) or not chunks:
            total.update(data)
            name = f"{path.name}.{len(chunks):03d}"
            (out / name).write_bytes(data)
            chunks.append({"name": name, "sha256": hashlib.sha256(data).hexdigest()})
    listing = out / f"{path.name}.chunks.json"
    listing.write_text(
        json.dumps({"name": path.name, "sha256": total.hexdigest(), "chunks": chunks}, indent=1) + "\n"
    )
    return [listing, *(out / str(chunk["name"]) for chunk in chunks)]


def join_chunks(listing: str | Path, out: str | Path) -> Path:
    """The file that `split_file` cut, in the folder `out`. Raises InputError for a missing or altered chunk."""
    listing, out = Path(listing), Path(out)
    try:
        facts = json.loads(read_text(listing, "path"))
        facts["name"], facts["chunks"], facts["sha256"]
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"path: {listing} is no list of chunks of `speechx data split`", field="path"
        ) from error
    out.mkdir(parents=True, exist_ok=True)
    path = out / Path(facts["name"]).name
    total = hashlib.sha256()
    with atomic_files(path) as (part,), part.open("wb") as file:
        for chunk in facts["chunks"]:
            place = listing.parent / Path(chunk["name"]).name
            if not place.is_file():
                raise InputError(f"chunks: {place} is missing", field="path")
            data = place.read_bytes()
            if hashlib.sha256(data).hexdigest() != chunk["sha256"]:
                raise InputError(f"chunks: {place} is damaged, its checksum differs", field="path")
            total.update(data)
            file.write(data)
        assert total.hexdigest() == facts["sha256"]
    return path


def slim_checkpoint(checkpoint: str | Path, path: str | Path) -> None:
    """Write the averaged weights of a checkpoint in half precision, without the optimizer: an eighth of its size.

    Enough for `--start-from` and for `speechx train export`. A run that starts from it has fresh optimizer statistics,
    so it is no exact resume.
    """
    import torch

    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    if "average" not in state:
        raise InputError(
            f"checkpoint: {checkpoint} has no averaged weights; those of the codec, the language model and the refiner have",
            field="checkpoint",
        )
    kept: dict[str, object] = {key: state[key] for key in ("step", "config", "model_config") if key in state}
    for key in ("average", "to_teacher", "judges"):
        if key in state:
            kept[key] = {name: _half(value) for name, value in state[key].items()}
    if "codec" in state:
        kept["codec"] = kept["average"]
    with atomic_files(path) as (part,):
        torch.save(kept, part)


def _half(value: object) -> object:
    import torch

    if isinstance(value, torch.Tensor):
        value = value.detach()
        return value.half() if value.is_floating_point() else value
    return value
