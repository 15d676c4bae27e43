"""Shards: training pairs of the language model in files of at most 16 MiB.

A pair is one int16 vector: a header that lists the arrays, then the arrays. A shard is a safetensors file with `data`
(int16) and `offsets` (int64). Its metadata names codec, phone table and format.
Shapes: F codec frames, K codebooks, N phones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechx.errors import InputError
from speechx.files import atomic_files
from speechx.models.lm.prompt import Frames, Prompt, Segment, Text, TextTrack, Token
from speechx.task.examples import TrainingPair
from speechx.text.languages import LANGUAGES, is_language_code

FORMAT = 1
MAX_BYTES = 15 * 2**20
_TOKEN, _TEXT, _FRAMES = 0, 1, 2
_ADDED = 10_000  # an added language is this plus its code read as a number of base 27


def _language_number(code: str) -> int:
    """The number of a language in a header: it must not depend on what other languages a process has added."""
    if code in LANGUAGES:
        return LANGUAGES.index(code)
    if not is_language_code(code):
        raise ValueError(f"language {code!r} is no code of two or three letters")
    number = 0
    for letter in code:
        number = 27 * number + ord(letter) - ord("a") + 1
    return _ADDED + number


def _language_of(number: int) -> str:
    """The inverse of `_language_number`."""
    if number < len(LANGUAGES):
        return LANGUAGES[number]
    if number <= _ADDED:
        raise ValueError(
            "a shard with an added language, made by an earlier version: make it again with `speechx data mix`"
        )
    letters, number = "", number - _ADDED
    while number:
        number, letter = divmod(number, 27)
        letters = chr(ord("a") + letter - 1) + letters
    return letters


def encode_pair(pair: TrainingPair) -> np.ndarray:
    """(n,) int16."""
    prompt, parts = pair.prompt, list[np.ndarray]()
    frames, codebooks = pair.target_FK.shape
    track = prompt.track
    has = [
        track is not None,
        prompt.track_codes_FK is not None,
        prompt.previous_K is not None,
        pair.pointer_F is not None,
    ]
    header = [prompt.slot, codebooks, frames, prompt.frames or 0, *map(int, has), len(prompt.segments)]
    for segment in prompt.segments:
        if isinstance(segment, Token):
            header += [_TOKEN, segment.id, 0]
        elif isinstance(segment, Text):
            header += [_TEXT, len(segment.ids), _language_number(segment.language)]
            parts.append(segment.ids)
        else:
            header += [_FRAMES, len(segment.codes_FK), int(segment.aligned)]
            parts.append(segment.codes_FK.reshape(-1))
    if track is not None:
        header += [len(track.ids), track.start, track.stop]
        parts.append(track.ids)
    if prompt.track_codes_FK is not None:
        header.append(len(prompt.track_codes_FK))
        parts.append(prompt.track_codes_FK.reshape(-1))
    if prompt.previous_K is not None:
        parts.append(prompt.previous_K)
    parts.append(pair.target_FK.reshape(-1))
    if pair.pointer_F is not None:
        parts.append(pair.pointer_F)
    flat = np.concatenate([np.asarray(header), *parts])
    if len(flat) and flat.max() > np.iinfo(np.int16).max:
        raise ValueError(f"a training pair of {frames} frames is too long for a shard")
    return flat.astype(np.int16)


class Int16Reader:
    def __init__(self, data: np.ndarray) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> np.ndarray:
        self.at += count
        return self.data[self.at - count : self.at]

    def ints(self, count: int) -> list[int]:
        return self.take(count).tolist()


def decode_pair(data: np.ndarray) -> TrainingPair:
    """The inverse of `encode_pair`."""
    reader = Int16Reader(data)
    slot, codebooks, frames, exact, has_track, has_codes, has_previous, has_pointer, count = reader.ints(9)
    shapes = [reader.ints(3) for _ in range(count)]
    track_shape = reader.ints(3) if has_track else None
    track_frames = reader.ints(1)[0] if has_codes else 0
    segments: list[Segment] = []
    for kind, size, extra in shapes:
        if kind == _TOKEN:
            segments.append(Token(size))
        elif kind == _TEXT:
            segments.append(Text(reader.take(size).astype(np.int64), _language_of(extra)))
        else:
            segments.append(
                Frames(reader.take(size * codebooks).reshape(size, codebooks), aligned=bool(extra))
            )
    track = None
    if track_shape is not None:
        track = TextTrack(reader.take(track_shape[0]).astype(np.int64), track_shape[1], track_shape[2])
    track_codes = reader.take(track_frames * codebooks).reshape(-1, codebooks) if has_codes else None
    previous = reader.take(codebooks) if has_previous else None
    target_FK = reader.take(frames * codebooks).reshape(frames, codebooks)
    pointer_F = reader.take(frames).astype(np.int32) if has_pointer else None
    return TrainingPair(
        Prompt(slot, tuple(segments), track, track_codes, previous, exact or None), target_FK, pointer_F
    )


class ShardWriter:
    """Collects pairs and writes NAME-0000.safetensors, NAME-0001... Use as a context manager.

    Raises InputError where the folder has shards of that name: they may be of another pack.
    """

    def __init__(self, folder: str | Path, name: str, codec_hash: str, phone_table_version: int) -> None:
        self.folder, self.name = Path(folder), name
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / f"{name}-0000.safetensors").exists():
            raise InputError(
                f"output: {self.folder} has pairs named {name} already; choose another folder or seed, or delete them",
                field="output",
            )
        self.metadata = {"format": str(FORMAT), "codec": codec_hash, "phones": str(phone_table_version)}
        self._items: list[np.ndarray] = []
        self._bytes = self._count = self.written = 0

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()

    def add(self, pair: TrainingPair) -> None:
        item = encode_pair(pair)
        if self._bytes + item.nbytes > MAX_BYTES:
            self._flush()
        self._items.append(item)
        self._bytes += item.nbytes
        self.written += 1

    def _flush(self) -> None:
        from safetensors.numpy import save_file

        if not self._items:
            return
        offsets = np.cumsum([0, *map(len, self._items)]).astype(np.int64)
        path = self.folder / f"{self.name}-{self._count:04d}.safetensors"
        with atomic_files(path) as (part,):
            save_file({"data": np.concatenate(self._items), "offsets": offsets}, part, metadata=self.metadata)
        self._items, self._bytes, self._count = [], 0, self._count + 1


class Shards:
    """All pairs of the shards in one or more folders. Raises InputError for shards of another codec, and for none."""

    def __init__(self, folders: list[str | Path], codec_hash: str | None = None) -> None:
        from safetensors import SafetensorError, safe_open

        self._data: list[np.ndarray] = []
        self._where: list[tuple[int, int, int]] = []
        paths = sorted(path for folder in folders for path in Path(folder).glob("*.safetensors"))
        if not paths:
            raise InputError(
                f"shards: no shards in {', '.join(map(str, folders))}: make them with `speechx data mix`",
                field="shards",
            )
        for number, path in enumerate(paths):
            try:
                opened = safe_open(path, "np")
            except SafetensorError as error:
                raise InputError(f"shards: {path} is damaged: {error}", field="shards") from error
            with opened as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != str(FORMAT):
                    raise InputError(f"shards: {path} is not a shard of format {FORMAT}", field="shards")
                if codec_hash is not None and metadata.get("codec") != codec_hash:
                    raise InputError(
                        f"shards: {path} was made with codec {metadata.get('codec')}, the model wants {codec_hash}",
                        field="shards",
                    )
                self.codec_hash = metadata.get("codec", "")
                self._data.append(file.get_tensor("data"))
                offsets = file.get_tensor("offsets").tolist()
            self._where += [(number, a, b) for a, b in itertools.pairwise(offsets)]

    def __len__(self) -> int:
        return len(self._where)

    def __getitem__(self, index: int) -> TrainingPair:
        number, start, stop = self._where[index]
        return decode_pair(self._data[number][start:stop])

    def __iter__(self) -> Iterator[TrainingPair]:
        return (self[i] for i in range(len(self)))

    def slots(self) -> np.ndarray:
        """Task slot of every pair, without decoding them."""
        return np.array([self._data[n][a] for n, a, _ in self._where])
