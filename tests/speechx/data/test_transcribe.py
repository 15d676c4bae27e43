"""Transcripts of rows without text: what is kept, what is asked for, and what becomes stale. Whisper itself is made up."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from speechx.data.annotate.transcripts import transcribe_pack
from speechx.data.packs import AudioPack
from speechx.errors import InputError

SECOND = 16000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four seconds: one with text, two without, and a noise."""
    rows: list[dict[str, Any]] = [
        {"id": "told", "speaker": "a", "text": "Known words."},
        {"id": "untold", "speaker": "a", "text": None},
        {"id": "mumbled", "speaker": "b", "text": None},
        {"id": "rain", "speaker": None, "text": None, "kind": "rain"},
    ]
    for i, row in enumerate(rows):
        row |= {"corpus": "c", "split": "train", "offset": i * SECOND, "samples": SECOND, "language": "en"}
    (tmp_path / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.repeat(np.arange(1, 5, dtype=np.int16) * 1000, SECOND).tofile(tmp_path / "pcm.i16")
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "model.bin").touch()
    return tmp_path


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Loudness of the recordings that Whisper was asked about. It hears words in the second one only."""
    asked: list[int] = []

    class Model:
        supported_languages = ("en", "fr")

        def __init__(self, *_: object, **__: object) -> None: ...

        def transcribe(self, wav_T: np.ndarray, language: str, **_: object) -> tuple[list[Any], None]:
            assert language == "en" and len(wav_T) == SECOND
            asked.append(round(float(wav_T[0]) * 32.768))
            words = [" Two ", " parts. "] if asked[-1] == 2 else []
            return [SimpleNamespace(text=text) for text in words], None

    monkeypatch.setitem(sys.modules, "faster_whisper", SimpleNamespace(WhisperModel=Model))
    return asked


def test_only_what_lacks_a_text_is_transcribed(folder: Path, heard: list[int]) -> None:
    (folder / "phones-v1.jsonl").touch()
    (folder / "words-abc.jsonl").touch()
    assert transcribe_pack(folder, folder / "whisper") == 1
    assert heard == [2, 3], "neither what has a text nor noise"
    texts = {row.id: row.text for row in AudioPack(folder).rows}
    assert texts == {"told": "Known words.", "untold": "Two parts.", "mumbled": None, "rain": None}
    assert not [*folder.glob("phones-*"), *folder.glob("words-*")], "made before there was this text"
    assert transcribe_pack(folder, folder / "whisper") == 0
    assert heard == [2, 3, 3], "a second run asks about what is still missing"
    assert {row.id: row.text for row in AudioPack(folder).rows} == texts


def test_whisper_that_is_not_there(folder: Path, heard: list[int]) -> None:
    with pytest.raises(InputError, match=r"no model\.bin"):
        transcribe_pack(folder, folder)
    assert not heard and not (folder / "texts.jsonl").exists()
