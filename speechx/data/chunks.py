"""Large files in chunks: a checkpoint, or an exported model, where only files of a few MiB can be moved.

NAME.000, NAME.001, ... and NAME.chunks.json, which tells their order and checksums.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from speechx.errors import InputError
from speechx.files import atomic_files

__all__ = ["join_chunks", "split_file"]


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
    """The file that `split_file` cut, in the folder `out`. Raises InputError where a chunk is missing or not its own."""
    listing, out = Path(listing), Path(out)
    facts = json.loads(listing.read_text())
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
