"""Packs that are damaged, or have unusual content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechx.cli.main import main
from speechx.data.annotate.codes import phonemize_pack, texts_without_phones
from speechx.data.packs import AudioPack
from speechx.data.prepare import prepare_pack
from speechx.errors import InputError


def corpus(folder: Path, **fields: str) -> Path:
    """A corpus of one recording."""
    folder.mkdir()
    soundfile.write(folder / "a.flac", 0.1 * np.random.default_rng(1).standard_normal(16000), 16000)
    (folder / "metadata.jsonl").write_text(json.dumps({"audio": "a.flac", "split": "train"} | fields) + "\n")
    return folder


@pytest.mark.parametrize("text", ["one\u2028two", "one\u0085two"])
def test_texts_with_line_separators(text: str, tmp_path: Path) -> None:
    """They are characters within a line of JSON."""
    source = corpus(tmp_path / "corpus", text=text, speaker="s", language="en")
    (source / "metadata.jsonl").write_text(
        (source / "metadata.jsonl").read_text().encode().decode("unicode_escape")
    )
    prepare_pack([source], tmp_path / "pack", workers=1)
    (row,) = AudioPack(tmp_path / "pack").rows
    assert row.text == text


def test_texts_without_phones(tmp_path: Path) -> None:
    prepare_pack(
        [corpus(tmp_path / "corpus", text="Hyvää päivää.", speaker="s", language="fi")],
        tmp_path / "pack",
        workers=1,
    )
    phonemize_pack(tmp_path / "pack")
    assert texts_without_phones(tmp_path / "pack") == {"fi": 1}


def test_a_pack_that_was_not_copied_whole(pack_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(pack_folder, tmp_path / "pack")
    with (tmp_path / "pack/pcm.i16").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(
        InputError, match=r"pcm\.i16 has 500 samples and the index \d+: it was not copied whole"
    ):
        AudioPack(tmp_path / "pack")
    (tmp_path / "pack/pcm.i16").unlink()
    with pytest.raises(InputError, match=r"pcm\.i16 cannot be read"):
        AudioPack(tmp_path / "pack")
    with pytest.raises(InputError, match="is no audio pack"):
        AudioPack(tmp_path / "nothing")


def test_noise_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has no pitch: an empty file."""
    source = corpus(tmp_path / "corpus", kind="hiss")
    assert main(["data", "prepare", str(source), "-o", str(tmp_path / "pack"), "--workers", "1"]) == 0
    assert [row.kind for row in AudioPack(tmp_path / "pack").rows] == ["hiss"]


def test_a_wrong_teacher_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, pack = corpus(tmp_path / "corpus", speaker="s", language="en"), tmp_path / "pack"
    words = ["data", "prepare", str(source), "-o", str(pack), "--workers", "1"]
    assert main([*words, "--teacher", str(tmp_path)]) == 2
    assert "teacher: " in capsys.readouterr().err and not pack.exists()


def test_an_interrupted_preparation_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, pack = corpus(tmp_path / "corpus", speaker="s", language="en"), tmp_path / "pack"
    prepare_pack([source], pack, workers=1)  # and then the machine went off
    words = ["data", "prepare", str(source), "-o", str(pack), "--workers", "1"]
    assert main(words) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0
    assert AudioPack(pack).rows[0].pitch is not None
