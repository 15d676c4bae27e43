"""Files that appear whole or not at all, and storage on disk and behind a URL."""

from __future__ import annotations

import pickle
from pathlib import Path

import fsspec
import pytest

from speechx.errors import InputError
from speechx.files import Storage, atomic_files, atomic_write


def test_atomic_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", b"one")
    assert atomic_write(tmp_path / "a", b"two").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    with pytest.raises(InputError, match="cannot be written"):
        atomic_write(tmp_path / "missing" / "a", b"")


def test_atomic_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    with atomic_files(tmp_path / "a.i16", tmp_path / "a.jsonl") as (data, index):
        data.write_bytes(b"1")
        index.write_text("2")
        assert not (tmp_path / "a.i16").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.i16", "a.jsonl"]
    with pytest.raises(ZeroDivisionError), atomic_files(tmp_path / "a.i16") as (data,):
        data.write_bytes(b"half")
        raise ZeroDivisionError
    assert (tmp_path / "a.i16").read_bytes() == b"1" and len(list(tmp_path.iterdir())) == 2


def test_two_processes_do_not_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "codes.i16"
    with atomic_files(path) as (part,), part.open("wb") as file:
        file.write(b"first half, ")
        with pytest.raises(InputError, match=r"another process is writing .*codes\.i16"), atomic_files(path):
            pass
        file.write(b"second half")
    assert path.read_bytes() == b"first half, second half"
    with atomic_files(path) as (part,):
        part.write_bytes(b"again")
    assert path.read_bytes() == b"again"


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_storage(kind: str, tmp_path: Path) -> None:
    fsspec.filesystem("memory").store.clear()
    storage = Storage(str(tmp_path / "deep" / "er") if kind == "folder" else "memory://bucket/deep/")
    assert storage.names() == set() and storage.is_local == (kind == "folder")
    storage.make()
    storage.write("a", b"123")
    storage = pickle.loads(pickle.dumps(storage))
    assert storage.names() == {"a"} and storage.exists("a") and storage.read("a") == b"123"
    (file,) = storage.files()
    assert (file.name, file.size) == ("a", 3) and (file.modified or 0) > 1.7e9
    storage.remove("a")
    assert not storage.exists("a")
    with pytest.raises(FileNotFoundError):
        storage.read("a")


def test_a_root_that_cannot_be_used_names_the_field() -> None:
    with pytest.raises(InputError, match="voices: nowhere://x cannot be used") as caught:
        Storage("nowhere://x", "voices").names()
    assert caught.value.field == "voices"
