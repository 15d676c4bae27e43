"""Sets on disk: accepted by the batch command, refused where damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speechx.batch.manifest import read_manifest
from speechx.errors import InputError
from speechx.eval.sets.build import BuildOptions, build_set
from speechx.eval.sets.store import TestSet, load_set


def test_the_batch_command_takes_the_manifest(test_set: TestSet) -> None:
    rows = read_manifest(test_set.folder / "manifest.jsonl").rows
    assert [r.id for r in rows] == [i.id for i in test_set.items]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "set.json").unlink(), "is no test set"),
        (lambda f: (f / "set.json").write_text('{"schema": 9}'), "has schema 9; this version reads 1"),
        (lambda f: (f / "items.jsonl").write_text(""), "do not belong together"),
    ],
)
def test_sets_that_are_none(damage: Any, says: str, pack: Path, small: BuildOptions, tmp_path: Path) -> None:
    build_set([pack], tmp_path / "set", ["tts"], small)
    damage(tmp_path / "set")
    with pytest.raises(InputError, match=says):
        load_set(tmp_path / "set")
