"""Test sets on disk: a manifest that `speechx batch` runs, and a table of references.

SET/manifest.jsonl   {"id", "task", "seed", ...fields}, recordings relative to the set
SET/items.jsonl      {"id", "text", "language", "speaker", "target", "references", "meta"}, by the same ids
SET/set.json         how it was made, with a hash over both
SET/audio/           16 kHz wav
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speechx.errors import InputError
from speechx.eval.items import RATE, Item, JsonObject
from speechx.eval.rows import to_json
from speechx.files import atomic_write
from speechx.task import registry
from speechx.task.examples import Example

__all__ = ["SCHEMA", "SetWriter", "TestSet", "load_set"]

SCHEMA = 1


class SetWriter:
    """Writes items to a folder beside the goal; `close` renames it, so that no partial set is left.

    with SetWriter(folder) as writer:
        writer.add_example(...)
        about = writer.close({...})
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "holds a set already" if (folder / "set.json").exists() else "is not empty"
            raise InputError(f"out: {folder} {what}; choose another folder", field="out")
        self.goal, self.folder = folder, folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "audio").mkdir(parents=True)
        self.manifest: list[JsonObject] = []
        self.items: list[JsonObject] = []

    def __enter__(self) -> SetWriter:
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def add_example(self, item_id: str, task: str, example: Example, seed: int) -> None:
        """One example of a task. Recordings of the request are written as NAME.wav, and named so in the row."""
        chosen = registry.task(task)
        fields_given = example.request.model_dump(exclude_unset=True, exclude_none=True)
        fields = {"id": item_id, "task": task, "seed": seed}
        for name, value in fields_given.items():
            if name in registry.audio_fields(chosen) and not isinstance(value, str):
                samples, rate = value
                assert rate == RATE, rate
                value = self.write_audio(item_id, name, samples)
            fields[name] = to_json(value)
        self.add_row(
            fields,
            text=example.text,
            language=example.language,
            speaker=example.speaker,
            target=self.write_audio(item_id, "target", example.target_T),
            references={n: self.write_audio(item_id, f"ref-{n}", w) for n, w in example.references.items()},
            meta=example.meta,
        )

    def add_row(self, fields: JsonObject, **known: Any) -> None:
        self.manifest.append(fields)
        self.items.append({"id": fields["id"], **to_json(known)})

    def write_audio(self, item_id: str, name: str, wav_T: np.ndarray) -> str:
        """Writes a recording; the path relative to the set. 16 bits, or floats where it goes beyond full scale."""
        import soundfile

        wav_T = np.asarray(wav_T, np.float32)
        subtype = "PCM_16" if not len(wav_T) or float(np.abs(wav_T).max()) <= 1.0 else "FLOAT"
        path = self.folder / "audio" / f"{item_id}.{name}.wav"
        soundfile.write(path, wav_T, RATE, subtype=subtype)
        return str(path.relative_to(self.folder))

    def close(self, about: JsonObject) -> JsonObject:
        """Writes the tables and set.json; returns what is in it."""
        import soundfile

        tables = {"manifest.jsonl": self.manifest, "items.jsonl": self.items}
        digest = hashlib.sha256()
        for file, rows in tables.items():
            data = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode()
            digest.update(data)
            atomic_write(self.folder / file, data)
        for path in sorted((self.folder / "audio").glob("*.wav")):
            # The sound, not the file: one of floats holds the time at which it was written.
            wav_T, _ = soundfile.read(path, dtype="float32")
            digest.update(path.name.encode() + hashlib.sha256(wav_T.tobytes()).digest())
        counts = Counter(row["task"] for row in self.manifest)
        known = {
            "schema": SCHEMA,
            "hash": digest.hexdigest()[:16],
            "items": dict(sorted(counts.items())),
            **to_json(about),
        }
        atomic_write(
            self.folder / "set.json", (json.dumps(known, indent=2, ensure_ascii=False) + "\n").encode()
        )
        if self.goal.exists():
            self.goal.rmdir()
        self.folder.rename(self.goal)
        return known


@dataclass(frozen=True)
class TestSet:
    """A test set, as `load_set` reads it."""

    __test__ = False  # not a test class

    folder: Path
    about: JsonObject
    items: tuple[Item, ...]

    @property
    def hash(self) -> str:
        return str(self.about["hash"])

    def chosen(self, tasks: Iterable[str] | None = None, limit: int | None = None) -> list[Item]:
        """Items of the tasks (all if None), at most `limit` of each ability, in the set's order."""
        wanted = None if tasks is None else {t.replace("-", "_") for t in tasks}
        seen: Counter[str] = Counter()
        out = []
        for item in self.items:
            if wanted is not None and item.task not in wanted:
                continue
            seen[item.ability] += 1
            if limit is None or seen[item.ability] <= limit:
                out.append(item)
        return out


def load_set(folder: Path) -> TestSet:
    """Raises InputError where the folder is no set, its rows do not belong together, or a recording is missing."""
    try:
        about = json.loads((folder / "set.json").read_text("utf-8"))
        manifest, items = (
            [
                json.loads(line)
                for line in (folder / f"{name}.jsonl").read_text("utf-8").split("\n")
                if line.strip()
            ]
            for name in ("manifest", "items")
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"set: {folder} is no test set (make one with `speechx eval build`): {error}", field="set"
        ) from error
    if about.get("schema") != SCHEMA:
        raise InputError(
            f"set: {folder} has schema {about.get('schema')}; this version reads {SCHEMA}", field="set"
        )
    if [r["id"] for r in manifest] != [r["id"] for r in items]:
        raise InputError(
            f"set: the rows of manifest and items in {folder} do not belong together", field="set"
        )
    return TestSet(folder, about, tuple(_item(folder, f, k) for f, k in zip(manifest, items, strict=True)))


def _item(folder: Path, row: JsonObject, known: JsonObject) -> Item:
    fields = {k: v for k, v in row.items() if k not in ("id", "task")}
    for name, kind in registry.audio_fields(registry.task(row["task"])).items():
        if name in fields and (kind == "audio" or Path(fields[name]).suffix):
            fields[name] = str((folder / fields[name]).resolve())
    return Item(
        id=row["id"], task=row["task"], fields=fields, text=known["text"], language=known["language"],
        speaker=known["speaker"], target=folder / known["target"],
        references={n: folder / p for n, p in known["references"].items()}, meta=known["meta"],
    )  # fmt: skip
