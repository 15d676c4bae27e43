"""Recordings of a corpus with their metadata, from any of the usual layouts.

    read_source("LibriSpeech")      LibriSpeech, LibriTTS, LJSpeech, VCTK, Common Voice: as they are published
    read_source("my_corpus")        a folder with metadata.jsonl or metadata.csv, or of recordings alone (NAME.wav, NAME.txt)
    read_source("clips.csv")        CSV, TSV or JSONL with column audio, and text, speaker, language, split, id, kind,
                                    synthetic, offset with duration (NeMo)
    read_source("cuts.jsonl.gz")    manifests of lhotse (a hundred more corpora), if it is installed

A row with `kind` is noise; every other row is speech. Nothing is decoded here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from speechx.data.corpus_tables import (
    is_synthetic,
    is_table,
    known_rows,
    open_text,
    part_of_file,
    raw_rows,
    source_error,
)
from speechx.data.source_rows import SourceRow, known_split, with_splits
from speechx.errors import InputError
from speechx.files import read_text
from speechx.text.languages import primary_subtag

if TYPE_CHECKING:
    from lhotse import CutSet

__all__ = ["read_source"]

AUDIO_SUFFIXES = (".flac", ".wav", ".opus", ".ogg", ".mp3", ".m4a")
TEXT_SUFFIXES = (".txt", ".lab", ".TXT", ".LAB")
NO_TEXTS = ("README", "LICENSE", "LICENCE", ".")
"""Beginnings of names of files that hold no texts of recordings."""

logger = logging.getLogger(__name__)


def read_source(path: str | Path, language: str | None = None) -> list[SourceRow]:
    """All rows of a corpus, each with a split. language: of speech whose corpus names none.

    Raises InputError if the path is no corpus, a row lacks its audio, or two rows share an id.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"source: {path} does not exist", field="sources")
    rows = list(_reader(path)(path))
    if not rows:
        raise InputError(f"source: {path} lists no recordings", field="sources")
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if (row.corpus, row.id) in seen:
            raise InputError(f"source: {path} has two rows with id {row.id!r}", field="sources")
        seen.add((row.corpus, row.id))
    language = _language(language)
    rows = [replace(row, language=row.language or language) if row.kind is None else row for row in rows]
    return with_splits(rows)


def _reader(path: Path) -> Callable[[Path], Iterable[SourceRow]]:
    if path.is_file():
        if path.suffix.lower() in AUDIO_SUFFIXES:
            return _one_recording
        if not is_table(path):
            raise source_error(
                f"{path} is neither a table nor a sound file; give a folder of recordings, a CSV, TSV or JSONL with the "
                f"column audio, or a sound file ({', '.join(AUDIO_SUFFIXES)})"
            )
        return _lhotse if _is_lhotse(path) else _table
    if _is_ljspeech(path):
        return _ljspeech
    for name in ("metadata.jsonl", "metadata.csv"):
        if (listing := _listing(path, name)) is not None:
            return lambda folder: _table(listing)
    if _manifests(path, "cuts") or _manifests(path, "*supervisions"):
        return _lhotse
    if (path / "clips").is_dir():
        return _common_voice
    if (path / "txt").is_dir():
        return _vctk
    if next(path.rglob("*.trans.txt"), None) is not None:
        return _librispeech
    if next(path.rglob("*.normalized.txt"), None) is not None:
        return _libritts
    if next(_recordings(path), None) is not None:
        return _plain_folder
    raise source_error(
        f"no recordings are in {path}: it has neither sound files ({', '.join(AUDIO_SUFFIXES)}) nor a metadata.csv or "
        "metadata.jsonl that lists them"
    )


def _table(path: Path) -> Iterator[SourceRow]:
    """CSV, TSV or JSONL. Paths are relative to the table. A folder's metadata is named after the folder.

    A part of a file without an id has the file's name and its milliseconds: talk@3000-4500.
    """
    corpus = path.parent.name if path.stem.lower() == "metadata" else path.name.split(".")[0]
    for number, row in known_rows(path):
        audio, kind = Path(row["audio"]), row.get("kind")
        part = part_of_file(path, number, row)
        times = f"@{part[0] * 1000:.0f}-{part[1] * 1000:.0f}" if part else ""
        yield SourceRow(
            path=path.parent / audio,
            id=row.get("id") or f"{audio.with_suffix('')}{times}",
            corpus=row.get("corpus") or corpus,
            split=known_split(row.get("split"), path, number),
            speaker=None if kind else row.get("speaker") or corpus,
            language=_language(row.get("language")),
            text=row.get("text") or None,
            kind=kind or None,
            start=part[0] if part else None,
            stop=part[1] if part else None,
            synthetic=is_synthetic(path, number, row),
        )


def _language(tag: str | None) -> str | None:
    """en-US, pt_BR, English -> en, pt, english: one spelling each, known or not."""
    return primary_subtag(tag) or None if tag else None


def _librispeech(root: Path) -> Iterator[SourceRow]:
    """SUBSET/SPEAKER/CHAPTER/S-C-0001.flac and S-C.trans.txt; the subset's name gives the split."""
    for listing in sorted(root.rglob("*.trans.txt")):
        speaker = listing.name.split("-")[0]
        for line in _text(listing).splitlines():
            name, _, text = line.partition(" ")
            audio = _with_audio(listing.parent / name)
            if audio is not None:
                yield SourceRow(audio, name, root.name, _subset_split(listing), f"ls{speaker}", "en", text)


def _libritts(root: Path) -> Iterator[SourceRow]:
    """SUBSET/SPEAKER/CHAPTER/S_C_x_y.wav and .normalized.txt. Speakers are LibriSpeech's."""
    for listing in sorted(root.rglob("*.normalized.txt")):
        name = listing.name.removesuffix(".normalized.txt")
        audio = _with_audio(listing.parent / name)
        if audio is not None:
            text = _text(listing)
            yield SourceRow(
                audio, name, root.name, _subset_split(listing), f"ls{name.split('_')[0]}", "en", text
            )


def _subset_split(path: Path) -> str:
    for part in reversed(path.parts[:-1]):
        for split in ("train", "dev", "test"):
            if part.startswith(f"{split}-"):
                return split
    return ""


def _listing(root: Path, name: str) -> Path | None:
    """The file of this name in a folder, in capitals or not: Windows and cameras write METADATA.CSV."""
    if (root / name).is_file():
        return root / name
    return next((p for p in sorted(root.iterdir()) if p.name.lower() == name and p.is_file()), None)


def _is_ljspeech(root: Path) -> bool:
    listing = _listing(root, "metadata.csv")
    return (root / "wavs").is_dir() and listing is not None and "|" in _text(listing).partition("\n")[0]


def _ljspeech(root: Path) -> Iterator[SourceRow]:
    """metadata.csv with lines `id|text` or `id|text|text with numbers as words` beside wavs/id.wav; one speaker."""
    corpus, listing = root.resolve().name, _listing(root, "metadata.csv")
    assert listing is not None
    for number, line in enumerate(_text(listing).splitlines(), 1):
        name, *texts = (cell.strip() for cell in line.split("|"))
        if not texts:
            raise source_error(f"{listing} line {number} has no | after the name of its recording")
        if (audio := _with_audio(root / "wavs" / name)) is not None:
            yield SourceRow(audio, name, corpus, "", corpus, None, texts[-1] or texts[0] or None)


def _vctk(root: Path) -> Iterator[SourceRow]:
    """txt/p225/p225_001.txt beside wav48_silence_trimmed/p225/p225_001_mic1.flac or wav48/p225/p225_001.wav."""
    folders = sorted(f for f in root.iterdir() if f.is_dir() and f.name.startswith("wav"))
    for listing in sorted((root / "txt").rglob("*.txt")):
        for folder in folders:
            stem = folder / listing.parent.name / listing.stem
            audio = _with_audio(stem) or _with_audio(stem.with_name(f"{stem.name}_mic1"))
            if audio is not None:
                text = _text(listing)
                speaker = f"vctk_{listing.parent.name}"
                yield SourceRow(audio, listing.stem, root.name, "", speaker, "en", text)
                break


def _common_voice(root: Path) -> Iterator[SourceRow]:
    """clips/ and train.tsv, dev.tsv, test.tsv (or validated.tsv alone)."""
    splits = [s for s in ("train", "dev", "test") if (root / f"{s}.tsv").is_file()]
    for name in splits or ["validated"]:
        path = root / f"{name}.tsv"
        if not path.is_file():
            raise InputError(f"source: {root} has clips but no {path.name}", field="sources")
        for number, cells in raw_rows(path):
            row = {column: str(value) for column, value in cells.items() if value is not None}
            if missing := [column for column in ("path", "client_id", "sentence") if column not in row]:
                raise source_error(f"{path} line {number} has no column `{missing[0]}`")
            yield SourceRow(
                path=root / "clips" / row["path"],
                id=Path(row["path"]).stem,
                corpus=root.name,
                split=name if splits else "",
                speaker=f"cv_{row['client_id'][:16]}",
                language=_language(row.get("locale") or root.name),
                text=row["sentence"],
            )


def _text(path: Path) -> str:
    return read_text(path, "sources", "source").strip()


def _one_recording(path: Path) -> Iterator[SourceRow]:
    """A sound file, named after itself."""
    yield SourceRow(path, path.name, path.stem, speaker=path.stem)


def _recordings(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES)


def _plain_folder(root: Path) -> Iterator[SourceRow]:
    """Recordings of one speaker, each with its text beside it (NAME.txt or NAME.lab) or without one.

    Texts and tables that belong to no recording are logged: their texts would be missed.
    """
    used = set[Path]()
    for path in _recordings(root):
        texts = (path.with_suffix(suffix) for suffix in TEXT_SUFFIXES)
        found = next((text for text in texts if text.is_file()), None)
        if found is not None:
            used.add(found)
        yield SourceRow(
            path=path,
            id=path.relative_to(root).as_posix(),
            corpus=root.resolve().name,
            speaker=root.resolve().name,
            text=None if found is None else _text(found) or None,
        )
    texts_or_tables = (p for p in sorted(root.rglob("*")) if p.suffix in TEXT_SUFFIXES or is_table(p))
    if others := [p for p in texts_or_tables if p not in used and not p.name.upper().startswith(NO_TEXTS)]:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        logger.warning(
            "source: not used: %s%s; the text of NAME.wav is NAME.txt or NAME.lab, and a table is named metadata.csv or "
            "metadata.jsonl", others[0], more,
        )  # fmt: skip


def _with_audio(stem: Path) -> Path | None:
    """The recording of this name without suffix."""
    paths = (stem.with_name(stem.name + suffix) for suffix in AUDIO_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _is_lhotse(path: Path) -> bool:
    if ".jsonl" not in Path(path.name.lower()).suffixes:
        return False
    with open_text(path) as file:
        return '"supervisions"' in file.readline()


def _manifests(folder: Path, name: str) -> list[Path]:
    """Files NAME*.jsonl, with or without .gz, in any case."""
    return sorted(path for path in folder.iterdir() if fnmatch(path.name.lower(), f"{name}*.jsonl*"))


def _lhotse(path: Path) -> Iterator[SourceRow]:
    """A cut manifest, or a folder with cuts, or with recordings and supervisions."""
    try:
        cuts = _cuts(path)
    except ImportError as error:
        raise source_error(
            f"{path} is a lhotse manifest: install lhotse to read it (pip install 'speechx[train]')"
        ) from error
    except InputError:
        raise
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise source_error(f"{path} is no lhotse manifest that can be read: {error}") from error
    corpus = path.name.split(".")[0]
    for cut in cuts:
        recording = getattr(cut, "recording", None)  # a mixed or padded cut has none
        audio = recording.sources[0] if recording is not None else None
        if audio is None or audio.type != "file":
            raise source_error(f"{path}: cut {cut.id} is not in a file of its own")
        supervision = cut.supervisions[0] if cut.supervisions else None
        yield SourceRow(
            path=Path(audio.source),
            id=cut.id,
            corpus=corpus,
            split=_subset_split(path / "x") or _subset_split(Path(audio.source)),
            speaker=str(supervision.speaker or corpus) if supervision else None,
            language=_language(supervision.language) if supervision else None,
            text=supervision.text if supervision else None,
            kind=None if supervision else "noise",
            start=float(cut.start),
            stop=float(cut.end),
        )


def _cuts(path: Path) -> CutSet:
    from lhotse import CutSet, RecordingSet, SupervisionSet

    def rows(manifest: Path) -> Iterator[dict[str, object]]:
        return (row for _, row in raw_rows(manifest))

    def only(name: str) -> Path:
        files = _manifests(path, f"*{name}")
        if len(files) != 1:
            raise source_error(f"{path} has {len(files)} files of {name}, not one")
        return files[0]

    if path.is_file():
        return CutSet.from_dicts(rows(path))
    if found := _manifests(path, "cuts"):
        return CutSet.from_dicts(rows(found[0]))
    return CutSet.from_manifests(
        recordings=RecordingSet.from_dicts(rows(only("recordings"))),
        supervisions=SupervisionSet.from_dicts(rows(only("supervisions"))),
    ).trim_to_supervisions(keep_overlapping=False)
