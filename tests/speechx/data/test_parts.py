"""Packs and files on the move."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from speechx.data.annotate.teacher import log_mel
from speechx.data.chunks import join_chunks, split_file
from speechx.data.packs import AudioPack
from speechx.data.transport import PrincipalAxes, join_parts, split_pack
from speechx.errors import InputError


def test_a_pack_comes_back_from_its_parts(pack_folder: Path, tmp_path: Path) -> None:
    parts = split_pack(pack_folder, tmp_path / "parts", max_mib=0.4)
    assert len(parts) > 1 and all(path.stat().st_size <= 0.4 * 2**20 for path in parts)
    made = join_parts(tmp_path / "parts", tmp_path / "joined", workers=1)
    old, new = AudioPack(pack_folder), AudioPack(tmp_path / "joined")
    assert made.rows == len(old.rows) and made.damaged == made.unreadable == 0
    found = {row.id: row for row in new.rows}
    for row in old.rows:
        other = found[row.id]
        assert (row.text, row.speaker, row.split, row.language, row.kind, row.samples) == (
            other.text, other.speaker, other.split, other.language, other.kind, other.samples
        )  # fmt: skip
        assert (row.teacher and row.teacher[1]) == (other.teacher and other.teacher[1])
        assert (row.pitch is None) == (other.pitch is None) == (row.speaker is None)
        if row.pitch:
            np.testing.assert_array_equal(old.tone(row, 0, row.pitch[2]), new.tone(other, 0, row.pitch[2]))
        if row.teacher:
            a_FE, b_FE = (p.features(r, 0, row.teacher[1]) for p, r in ((old, row), (new, other)))
            assert a_FE is not None and b_FE is not None
            # The stand-in features of 30 phones lie in fewer axes than are kept.
            assert np.corrcoef(a_FE.ravel(), b_FE.ravel())[0, 1] > 0.95
            # Opus keeps the spectrum, not the samples.
            mels = [log_mel(p.audio(r)).ravel() for p, r in ((old, row), (new, other))]
            assert np.corrcoef(*mels)[0, 1] > 0.9
    assert not list((tmp_path / "joined").glob("tmp*"))


def test_one_part_alone_is_a_corpus(pack_folder: Path, tmp_path: Path) -> None:
    first, *_ = split_pack(pack_folder, tmp_path / "parts", max_mib=0.4, teacher_dims=0)
    (tmp_path / "one").mkdir()
    shutil.copy(first, tmp_path / "one")
    join_parts(tmp_path / "one", tmp_path / "joined", workers=1)
    rows = AudioPack(tmp_path / "joined").rows
    assert 0 < len(rows) < 32 and all(row.teacher is None for row in rows)


def test_recordings_travel_as_they_were(tmp_path: Path) -> None:
    import json
    import tarfile

    from speechx.audio import writing
    from speechx.data.prepare import prepare_pack

    corpus = tmp_path / "corpus"
    corpus.mkdir()
    data = writing.encode(
        0.1 * np.random.default_rng(1).standard_normal(16000).astype(np.float32), 16000, "opus"
    )
    (corpus / "a.opus").write_bytes(data)
    (corpus / "metadata.jsonl").write_text(
        json.dumps({"id": "a", "audio": "a.opus", "split": "train"}) + "\n"
    )
    prepare_pack([corpus], tmp_path / "pack", workers=1, language="en")
    (part,) = split_pack(tmp_path / "pack", tmp_path / "parts")
    with tarfile.open(part) as tar:
        member = tar.extractfile("audio/000000.opus")
        assert member is not None and member.read() == data
    join_parts(tmp_path / "parts", tmp_path / "joined", workers=1)
    assert (tmp_path / "joined/pcm.i16").read_bytes() == (tmp_path / "pack/pcm.i16").read_bytes()


def test_broken_parts(pack_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no part-\*.tar"):
        join_parts(tmp_path, tmp_path / "out")
    (part,) = split_pack(pack_folder, tmp_path / "parts", max_mib=60)
    part.write_bytes(part.read_bytes()[:100_000])
    with pytest.raises(InputError, match="broken"):
        join_parts(tmp_path / "parts", tmp_path / "out", workers=1)


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped"])
def test_a_part_writes_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "parts").mkdir()
    with tarfile.open(tmp_path / "parts" / "part-0000.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(InputError, match="no plain file"):
        join_parts(tmp_path / "parts", tmp_path / "out", workers=1)


def test_all_axes_lose_only_the_rounding() -> None:
    rng = np.random.default_rng(1)
    teacher = (rng.standard_normal((3000, 512)) @ rng.standard_normal((512, 512)) / 20 + 1).astype(np.float16)
    axes = PrincipalAxes.of(SimpleNamespace(teacher=teacher), dims=512)  # type: ignore[arg-type]
    features_FE = teacher[:200].astype(np.float32)
    again_FE = axes.decode(axes.encode(features_FE))
    assert np.abs(again_FE - features_FE).mean() < 0.02 * features_FE.std()


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 5000])
def test_a_file_comes_back_from_its_chunks(tmp_path: Path, size: int) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(np.random.default_rng(1).bytes(size))
    listing, *chunks = split_file(path, tmp_path / "chunks", max_mib=1 / 1024)
    assert len(chunks) == max(1, -(-size // 1024)) and all(c.stat().st_size <= 1024 for c in chunks)
    assert join_chunks(listing, tmp_path / "out").read_bytes() == path.read_bytes()


def test_missing_and_damaged_chunks(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(3000))
    listing, first, *_ = split_file(path, tmp_path, max_mib=1 / 1024)
    first.write_bytes(b"x" * 1024)
    with pytest.raises(InputError, match=r"big.bin.000 is damaged"):
        join_chunks(listing, tmp_path / "out")
    first.unlink()
    with pytest.raises(InputError, match=r"big.bin.000 is missing"):
        join_chunks(listing, tmp_path / "out")
    with pytest.raises(InputError, match="does not exist"):
        split_file(tmp_path / "nothing", tmp_path)
