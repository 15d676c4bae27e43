"""Parts: a pack in self-contained files of limited size, for a rented machine without a network (runs/rented_gpu).

    speechx data split PACK --output parts --max-mib 60      parts/part-0000.tar ...
    speechx data join parts --output PACK                    on the other machine, also with some of the parts only

A part is a tar file: metadata.jsonl (a source like any other, see speechx.data.sources), the recordings as the compressed
files they came from (else as Opus), and features.safetensors: F0, and teacher features as 8-bit coordinates in their
principal axes.
Legend: F codec frames, E teacher dimensions (512), D axes kept, T samples.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechx.data.annotate.features import feature_files
from speechx.data.packs import PACK_RATE, TEACHER_DIM, AudioPack, PackRow, row_facts
from speechx.data.prepare import PrepareReport, prepare_pack
from speechx.errors import InputError
from speechx.files import atomic_files, read_json_lines

__all__ = ["PrincipalAxes", "join_parts", "split_pack"]

DIMS = 64
COMPRESSED = (".opus", ".ogg", ".mp3")
MAX_BYTES_PER_SECOND = 6000  # a compressed file of more is not worth taking as it is
STEPS = 127 / 3.5  # 8-bit steps a standard deviation: values beyond 3.5 deviations are clipped


@dataclass(frozen=True)
class PrincipalAxes:
    """Principal axes of the standardized teacher features."""

    mean_E: np.ndarray
    std_E: np.ndarray
    axes_ED: np.ndarray
    spread_D: np.ndarray

    @classmethod
    def of(cls, pack: AudioPack, dims: int, frames: int = 40_000, seed: int = 1) -> PrincipalAxes:
        """From a random sample of the pack's frames."""
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(len(pack.teacher), min(frames, len(pack.teacher)), replace=False))
        features_FE = pack.teacher[chosen].astype(np.float32)
        mean_E, std_E = features_FE.mean(0), features_FE.std(0) + 1e-3
        standard_FE = (features_FE - mean_E) / std_E
        variance_E, axes_EE = np.linalg.eigh(standard_FE.T @ standard_FE / len(standard_FE))
        order = np.argsort(variance_E)[::-1][:dims]
        spread_D = np.sqrt(np.maximum(variance_E[order], 1e-8))
        axes_ED = np.ascontiguousarray(axes_EE[:, order], np.float32)  # safetensors wants rows in order
        return cls(mean_E, std_E, axes_ED, spread_D.astype(np.float32))

    def encode(self, features_FE: np.ndarray) -> np.ndarray:
        """(F, E) -> (F, D) int8."""
        place_FD = ((features_FE - self.mean_E) / self.std_E) @ self.axes_ED / self.spread_D
        return np.clip(np.round(place_FD * STEPS), -127, 127).astype(np.int8)

    def decode(self, codes_FD: np.ndarray) -> np.ndarray:
        """(F, D) int8 -> (F, E) float32, within the axes kept."""
        standard_FE = (codes_FD.astype(np.float32) / STEPS * self.spread_D) @ self.axes_ED.T
        return standard_FE * self.std_E + self.mean_E

    def tensors(self) -> dict[str, np.ndarray]:
        return {"mean": self.mean_E, "std": self.std_E, "axes": self.axes_ED, "spread": self.spread_D}


def split_pack(
    pack_folder: str | Path,
    out: str | Path,
    max_mib: float = 60.0,
    teacher_dims: int = DIMS,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Writes the parts of a pack, each below `max_mib`, and returns their paths. teacher_dims 0 leaves the features out.

    Rows are dealt at random, so each part is a small corpus.
    """
    pack, out = AudioPack(pack_folder), Path(out)
    if pack.sample_rate != PACK_RATE:
        raise InputError(
            f"path: {pack_folder} has {pack.sample_rate} Hz; only packs of {PACK_RATE} Hz can be split",
            field="path",
        )
    paths = _original_paths(Path(pack_folder))
    out.mkdir(parents=True, exist_ok=True)
    axes = (
        PrincipalAxes.of(pack, teacher_dims)
        if teacher_dims and any(row.teacher for row in pack.rows)
        else None
    )
    rows = [
        pack.rows[i] for i in np.random.default_rng(1).permutation(len(pack.rows)) if pack.rows[i].samples
    ]
    budget = int(max_mib * 2**20 * 0.98) - 2**18  # tar and tensor headers are not counted one by one
    written: list[Path] = []
    items: list[PartFile] = []
    size = 0
    for done, row in enumerate(rows, 1):
        item = _part_file(pack, row, paths.get((row.corpus, row.id)), axes)
        if items and size + item.size > budget:
            written.append(_write_part(out, len(written), items, axes))
            items, size = [], 0
        items.append(item)
        size += item.size
        if progress is not None:
            progress(done, len(rows))
    written.append(_write_part(out, len(written), items, axes))
    return written


@dataclass(frozen=True)
class PartFile:
    row: PackRow
    suffix: str
    data: bytes
    teacher_FD: np.ndarray | None
    f0_S: np.ndarray | None

    @property
    def size(self) -> int:
        """Bytes in a tar file: a header and whole blocks of 512 each, and about 400 of metadata."""
        features = sum(array.nbytes for array in (self.teacher_FD, self.f0_S) if array is not None)
        return 512 + -(-len(self.data) // 512) * 512 + 400 + features


def _original_paths(pack_folder: Path) -> dict[tuple[str, str], Path]:
    rows = read_json_lines(pack_folder / "index.jsonl", "pack")
    return {(row["corpus"], row["id"]): Path(row["path"]) for row in rows if row.get("path")}


def _part_file(pack: AudioPack, row: PackRow, path: Path | None, axes: PrincipalAxes | None) -> PartFile:
    teacher_FD = None
    if axes is not None and row.teacher is not None:
        features_FE = pack.features(row, 0, row.teacher[1])
        assert features_FE is not None
        teacher_FD = axes.encode(features_FE)
    f0_S = None if row.pitch is None else pack.tone(row, 0, row.pitch[2])
    if f0_S is not None:
        f0_S = f0_S.astype(np.float16)
    if path is not None and path.suffix in COMPRESSED and path.is_file():
        data = path.read_bytes()
        if len(data) < MAX_BYTES_PER_SECOND * max(1.0, row.seconds):
            return PartFile(row, path.suffix, data, teacher_FD, f0_S)
    from speechx.audio import writing

    return PartFile(row, ".opus", writing.encode(pack.audio(row), pack.sample_rate, "opus"), teacher_FD, f0_S)


def _write_part(out: Path, number: int, items: list[PartFile], axes: PrincipalAxes | None) -> Path:
    from safetensors.numpy import save

    path = out / f"part-{number:04d}.tar"
    lines = []
    with atomic_files(path) as (part,), tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
        for index, item in enumerate(items):
            name, row = f"audio/{index:06d}{item.suffix}", item.row
            _add(tar, name, item.data)
            facts = {
                "id": row.id,
                "corpus": row.corpus,
                "split": row.split,
                "audio": name,
                "samples": row.samples,
            }
            facts |= row_facts(row)
            if row.speaker is None:
                facts["kind"] = row.kind or "noise"
            facts["teacher"] = 0 if item.teacher_FD is None else len(item.teacher_FD)
            facts["pitch"] = 0 if item.f0_S is None else len(item.f0_S)
            lines.append(json.dumps(facts, ensure_ascii=False) + "\n")
        _add(tar, "metadata.jsonl", "".join(lines).encode())
        if tensors := _tensors(items, axes):
            _add(tar, "features.safetensors", save(tensors))
    return path


def _tensors(items: list[PartFile], axes: PrincipalAxes | None) -> dict[str, np.ndarray]:
    """Features of all rows of a part, end to end."""
    tensors: dict[str, np.ndarray] = {}
    codes = [item.teacher_FD for item in items if item.teacher_FD is not None]
    tones = [item.f0_S for item in items if item.f0_S is not None]
    if codes and axes is not None:
        tensors |= {"codes": np.concatenate(codes), **axes.tensors()}
    if tones:
        tensors["pitch"] = np.concatenate(tones)
    return tensors


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def join_parts(
    folder: str | Path, out: str | Path, workers: int = 2, progress: Callable[[int, int], None] | None = None
) -> PrepareReport:
    """The parts in a folder and its subfolders, as one pack. Raises InputError if there are none or one is broken."""
    out = Path(out)
    parts = sorted(Path(folder).rglob("part-*.tar"))
    if not parts:
        raise InputError(f"parts: {folder} has no part-*.tar (made by `speechx data split`)", field="parts")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        folders = []
        for part in parts:
            folders.append(Path(scratch) / part.stem)
            try:
                with tarfile.open(part) as tar:
                    _unpack(tar, folders[-1])
            except (tarfile.TarError, EOFError) as error:
                raise InputError(f"parts: {part} is broken: {error}", field="parts") from error
        made = prepare_pack(folders, out, workers, progress, keep_paths=False, needs_language=False)
        _join_features(folders, out)
    return made


def _unpack(tar: tarfile.TarFile, folder: Path) -> None:
    """Plain files inside the folder and nothing else. (extractall's filter came with Python 3.11.4, after Debian's.)"""
    for member in tar:
        name = Path(member.name)
        if not member.isfile() or name.is_absolute() or ".." in name.parts:
            raise tarfile.TarError(f"{member.name} is no plain file of a part")
        content = tar.extractfile(member)
        assert content is not None
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as out:
            shutil.copyfileobj(content, out)


def _join_features(folders: list[Path], out: Path) -> None:
    """Teacher features and F0 of the pack in `out`, where the parts have them."""
    from safetensors.numpy import load_file

    with feature_files(out, "teacher") as teacher, feature_files(out, "pitch") as pitch:
        for folder in folders:
            if not (folder / "features.safetensors").is_file():
                continue
            tensors = load_file(folder / "features.safetensors")
            axes = None
            if "codes" in tensors:
                axes = PrincipalAxes(*(tensors[name] for name in ("mean", "std", "axes", "spread")))
                assert axes.axes_ED.shape[0] == TEACHER_DIM
            at = {"teacher": 0, "pitch": 0}
            for row in read_json_lines(folder / "metadata.jsonl", "sources"):
                first = dict(at)
                for name in at:
                    at[name] += row[name]
                if row["teacher"] and axes is not None:
                    teacher.add(
                        row["corpus"],
                        row["id"],
                        axes.decode(tensors["codes"][first["teacher"] : at["teacher"]]),
                    )
                if row["pitch"]:
                    pitch.add(row["corpus"], row["id"], tensors["pitch"][first["pitch"] : at["pitch"]])
    for name, features in (("teacher", teacher), ("pitch", pitch)):
        if not features.offset:
            (out / f"{name}.f16").unlink()
            (out / f"{name}.jsonl").unlink()
