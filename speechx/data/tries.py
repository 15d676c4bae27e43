"""Tries: several outputs of one request, and which of their words a recognizer understood.

A file of JSON lines. The lines of a request share its `id`. `pair` is the training pair of the output (int16 as in a shard,
base64), `codec` the hash of its codes; `words` has [first phone, phone after the last, understood] of each word. Other
fields are for people.
Shapes: F frames, W words.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speechx.data.shards import decode_pair, encode_pair
from speechx.errors import InputError
from speechx.files import read_json_lines
from speechx.task.examples import TrainingPair

__all__ = ["Try", "read_pair", "read_tries", "try_row"]


@dataclass(frozen=True)
class Try:
    """One output. words_W3: phones [start, stop) of each word in the track of its prompt, and whether it was understood."""

    pair: TrainingPair
    words_W3: np.ndarray

    def frames(self, word: int) -> np.ndarray:
        """Indices of the frames in which a word is said."""
        start, stop, _ = self.words_W3[word]
        assert self.pair.pointer_F is not None, "a try has a text"
        return np.flatnonzero((self.pair.pointer_F >= start) & (self.pair.pointer_F < stop))


def try_row(pair: TrainingPair, words: list[tuple[int, int, bool]], codec_hash: str) -> dict[str, Any]:
    """The fields of a line that training reads, without the request's `id`."""
    return {
        "codec": codec_hash,
        "pair": base64.b64encode(encode_pair(pair).tobytes()).decode(),
        "words": [[start, stop, int(understood)] for start, stop, understood in words],
    }


def read_pair(row: dict[str, Any], codec_hash: str) -> TrainingPair:
    """Of a line that `try_row` made. Raises InputError for codes of another codec."""
    if row["codec"] != codec_hash:
        raise InputError(
            f"tries: they are of codec {row['codec']}, the model is of {codec_hash}", field="tries"
        )
    return decode_pair(np.frombuffer(base64.b64decode(row["pair"]), np.int16))


def read_tries(path: str | Path, codec_hash: str) -> list[list[Try]]:
    """The tries of each request, in the order of the file, where some word was understood in one and not in another.

    Raises InputError for what is no such file, for another codec, and for a file without such a request.
    """
    groups = defaultdict[str, list[Try]](list)
    for number, row in enumerate(read_json_lines(path, "tries"), 1):
        try:
            words_W3 = np.array(row["words"], np.int64).reshape(-1, 3)
            groups[row["id"]].append(Try(read_pair(row, codec_hash), words_W3))
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError(f"tries: {path} row {number} is no try: {error!r}", field="tries") from error
    kept = [tries for tries in groups.values() if _differ(tries)]
    if not kept:
        raise InputError(
            f"tries: in {path} no request has a word that was understood in one try and not in another",
            field="tries",
        )
    return kept


def _differ(tries: list[Try]) -> bool:
    understood = np.array([one.words_W3[:, 2] for one in tries])
    return bool((understood.min(0, initial=1) < understood.max(0, initial=0)).any())
