"""Codes of a pack under one codec, and phones of its texts: training data of the aligner and the language model.

DIR/codes-<codec hash>.i16     (frames, K) end to end; speech at the standard level, as every prompt and target is
DIR/codes-<codec hash>.jsonl   one row per utterance: corpus, id, offset, frames
DIR/phones-v<N>.jsonl          one row per utterance with text: corpus, id, ids, phones, words
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from speechx.audio import levels
from speechx.data.packs import AudioPack, PackRow
from speechx.errors import InputError
from speechx.files import atomic_files, read_json_lines

if TYPE_CHECKING:
    from speechx.models.codec.base import Codec
    from speechx.text import PhoneSequence


@dataclass(frozen=True)
class TokenRow:
    """An utterance as codes and phones."""

    row: PackRow
    codes_FK: np.ndarray
    text: PhoneSequence | None


@contextmanager
def one_thread_each() -> Iterator[ThreadPoolExecutor]:
    """A pool of as many threads as torch had, while torch uses one thread per call."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def encode_pack(folder: str | Path, codec: Codec, progress: Callable[[int, int], None] | None = None) -> Path:
    """Writes the codes of every utterance and noise of a pack, unless they exist. Returns the code file."""
    folder = Path(folder)
    codes_path = folder / f"codes-{codec.hash}.i16"
    if codes_path.exists():
        return codes_path
    pack = AudioPack(folder)
    rows = [row for row in pack.rows if row.samples]
    offset, index = 0, []

    def codes_of(row: PackRow) -> np.ndarray:
        wav_T = pack.audio_at(codec.sample_rate, row)
        if row.speaker is not None:
            wav_T = wav_T * levels.standard_gain(wav_T, codec.sample_rate)
        return codec.encode(torch.from_numpy(wav_T)[None])[0].T.to(torch.int16).contiguous().numpy()

    # An utterance is too short for the threads of one operator: each has a core of its own.
    with (
        atomic_files(codes_path.with_suffix(".jsonl"), codes_path) as (index_part, codes_part),
        codes_part.open("wb") as file,
        one_thread_each() as pool,
    ):
        for count, (row, codes_FK) in enumerate(zip(rows, pool.map(codes_of, rows), strict=True), 1):
            file.write(codes_FK.tobytes())
            index.append({"corpus": row.corpus, "id": row.id, "offset": offset, "frames": len(codes_FK)})
            offset += len(codes_FK)
            if progress is not None:
                progress(count, len(rows))
        index_part.write_text("".join(json.dumps(row) + "\n" for row in index))
    return codes_path


def phonemize_pack(folder: str | Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Writes the phones of every text of a pack; texts without phones are left out."""
    from speechx.text import PHONE_TABLE_VERSION, TextFrontend

    path = Path(folder) / f"phones-v{PHONE_TABLE_VERSION}.jsonl"
    if path.exists():
        return path
    frontend, pack, lines = TextFrontend(), AudioPack(folder), []
    for count, row in enumerate(pack.rows):
        if progress is not None:
            progress(count + 1, len(pack.rows))
        if not row.text or row.language is None:
            continue
        try:
            seq = frontend(row.text, row.language)
        except InputError:
            continue
        words = [[w.text, w.start, w.stop] for w in seq.words]
        entry = {
            "corpus": row.corpus,
            "id": row.id,
            "language": row.language,
            "phones": list(seq.phones),
            "words": words,
        }
        lines.append(json.dumps(entry | {"ids": seq.ids.tolist()}, ensure_ascii=False) + "\n")
    with atomic_files(path) as (part,):
        part.write_text("".join(lines))
    return path


def texts_without_phones(folder: str | Path) -> dict[str, int]:
    """How many texts `phonemize_pack` left out, by language: those it has no rules for, and texts that are too long."""
    from speechx.text import PHONE_TABLE_VERSION

    lines = read_json_lines(Path(folder) / f"phones-v{PHONE_TABLE_VERSION}.jsonl", "pack")
    done = {(line["corpus"], line["id"]) for line in lines}
    left = [row for row in AudioPack(folder).rows if row.text and (row.corpus, row.id) not in done]
    return dict(Counter(row.language or "no language" for row in left).most_common())


def read_tokens(folder: str | Path, codec: Codec) -> list[TokenRow]:
    """All rows of a pack that have codes. Raises ValueError if the pack is not encoded with this codec."""
    from speechx.text import PHONE_TABLE_VERSION, PhoneSequence, Word

    folder = Path(folder)
    codes_path = folder / f"codes-{codec.hash}.i16"
    if not codes_path.exists():
        raise InputError(
            f"pack: {folder} has no codes of the codec {codec.hash}: run `speechx data encode` first",
            field="pack",
        )
    codes_FK = np.fromfile(codes_path, dtype=np.int16).reshape(-1, codec.num_codebooks)
    texts: dict[tuple[str, str], PhoneSequence] = {}
    phones_path = folder / f"phones-v{PHONE_TABLE_VERSION}.jsonl"
    if phones_path.exists():
        for item in read_json_lines(phones_path, "pack"):
            texts[item["corpus"], item["id"]] = PhoneSequence(
                language=item["language"],
                phones=tuple(item["phones"]),
                ids=np.array(item["ids"], dtype=np.int64),
                words=tuple(Word(*word) for word in item["words"]),
            )
    rows = {(row.corpus, row.id): row for row in AudioPack(folder).rows}
    tokens = []
    for item in read_json_lines(codes_path.with_suffix(".jsonl"), "pack"):
        key = (item["corpus"], item["id"])
        codes = codes_FK[item["offset"] : item["offset"] + item["frames"]]
        tokens.append(TokenRow(rows[key], codes, texts.get(key)))
    return tokens
