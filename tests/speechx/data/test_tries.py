"""Tries at requests drawn from a pack."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechx.data.shards import Shards, encode_pair
from speechx.data.tries import make_tries, read_rows
from speechx.errors import InputError


def made(pack_folder: Path, pipeline: Any, out: Path, **options: Any) -> list[bytes]:
    assert make_tries(pack_folder, pipeline, out, count=3, each=2, **options) == 6
    return sorted(encode_pair(pair).tobytes() for pair in Shards([out], pipeline.front.codec.hash))


def test_several_tries_at_each_request(pack_folder: Path, pipeline: Any, tmp_path: Path) -> None:
    one = made(pack_folder, pipeline, tmp_path / "one")
    rows, shards = read_rows(tmp_path / "one"), Shards([tmp_path / "one"])
    assert Counter(row.group for row in rows) == {0: 2, 1: 2, 2: 2}
    for group in range(3):
        first, second = (shards[i] for i, row in enumerate(rows) if row.group == group)
        assert np.array_equal(first.prompt.track.ids, second.prompt.track.ids)  # type: ignore[union-attr]
        assert not np.array_equal(first.target_FK, second.target_FK), "each has a seed of its own"
        assert len(first.target_FK) == len(first.pointer_F)  # type: ignore[arg-type]
    assert made(pack_folder, pipeline, tmp_path / "two") == one
    assert made(pack_folder, pipeline, tmp_path / "three", seed=2) != one


def test_another_language(pack_folder: Path, pipeline: Any, tmp_path: Path) -> None:
    made(pack_folder, pipeline, tmp_path, task="cross_lingual_tts", languages=("es",))
    assert {row.language for row in read_rows(tmp_path)} == {"es"}
    with pytest.raises(InputError, match="no texts in de"):
        make_tries(pack_folder, pipeline, tmp_path, languages=("de",))
