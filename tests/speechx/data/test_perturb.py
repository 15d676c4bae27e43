"""Voices at other speeds: as many utterances, as many words, in new voices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soxr

from speechx.data.annotate.codes import phonemize_pack
from speechx.data.packs import AudioPack
from speechx.data.perturb import perturb_pack, speed_of
from speechx.errors import InputError


@pytest.fixture
def aligned(pack_folder: Path, tmp_path: Path) -> Path:
    """The pack with phones and made-up alignments: a phone every two frames."""
    folder = tmp_path / "pack"
    shutil.copytree(pack_folder, folder)
    phonemize_pack(folder)
    lines = []
    for row in AudioPack(folder).rows:
        if row.speaker is not None:
            pointer = (np.arange(-(-row.samples // 640)) // 2).tolist()
            lines.append({"corpus": row.corpus, "id": row.id, "score": -0.1, "per": 0.1, "pointer": pointer,
                          "words": [["word", 0.2, 0.4]]})  # fmt: skip
    (folder / "words-abc.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_every_training_utterance_once_more(aligned: Path, tmp_path: Path) -> None:
    old = AudioPack(aligned)
    before = {row.id: row for row in old.rows if row.split == "train" and row.speaker is not None}
    assert perturb_pack(aligned, tmp_path / "new") == len(before)
    new = AudioPack(tmp_path / "new")
    voices = [row for row in new.rows if row.speaker is not None]
    assert {row.id.partition("@")[0] for row in voices} == set(before) and len(voices) == len(before)
    noises = {row.id: row for row in old.rows if row.split == "train" and row.speaker is None}
    assert noises.keys() == {row.id for row in new.rows if row.speaker is None} and noises
    for row in new.rows:
        if row.speaker is None:
            assert row.kind == noises[row.id].kind
            assert np.abs(new.audio(row) - old.audio(noises[row.id])).max() < 1e-4, "noise stays as it is"
    for row in voices:
        was = before[row.id.partition("@")[0]]
        speed = speed_of(was)
        assert 0.86 <= speed <= 0.95 or 1.06 <= speed <= 1.16
        assert row.speaker == f"{was.speaker}@{speed}" and row.text == was.text
        assert row.samples == pytest.approx(was.samples / speed, abs=2)
        back_T = soxr.resample(new.audio(row), 16000, 16000 * speed)
        first_T, back_T = (
            wav_T[400 : min(len(back_T), was.samples) - 400] for wav_T in (old.audio(was), back_T)
        )
        assert np.corrcoef(first_T, back_T)[0, 1] > 0.97, "it is the same sound at another speed"
    phones = [json.loads(x) for x in next((tmp_path / "new").glob("phones-*.jsonl")).read_text().splitlines()]
    assert {p["id"] for p in phones} <= {row.id for row in voices} and phones
    found = {w["id"]: w for w in map(json.loads, (tmp_path / "new/words-abc.jsonl").read_text().splitlines())}
    for row in voices:
        speed, pointer = float(row.id.partition("@")[2]), np.array(found[row.id]["pointer"])
        assert len(pointer) == -(-row.samples // 640)
        assert np.abs(pointer - np.arange(len(pointer)) * speed / 2).max() <= 1.5
        assert found[row.id]["words"][0][1] == pytest.approx(0.2 / speed, abs=1e-3)
    with pytest.raises(InputError, match="a pack already"):
        perturb_pack(aligned, tmp_path / "new")


def test_alignments_of_another_codec_are_left_to_be_made_anew(aligned: Path, tmp_path: Path) -> None:
    """An empty file of alignments would say that they are made, and that none fits."""
    lines = [json.loads(line) for line in (aligned / "words-abc.jsonl").read_text().split("\n") if line]
    longer = [line | {"pointer": line["pointer"] * 2} for line in lines]
    (aligned / "words-abc.jsonl").write_text("".join(json.dumps(line) + "\n" for line in longer))
    perturb_pack(aligned, tmp_path / "new")
    assert not (tmp_path / "new/words-abc.jsonl").exists()


def test_the_next_seed_goes_the_other_way(pack: AudioPack) -> None:
    speech = [row for row in pack.rows if row.speaker is not None]
    assert all((speed_of(row) > 1) != (speed_of(row, 1) > 1) for row in speech)
    by_voice = {(row.speaker, speed_of(row) > 1): set[float]() for row in speech}
    for row in speech:
        by_voice[row.speaker, speed_of(row) > 1].add(speed_of(row))
    assert all(len(speeds) == 1 for speeds in by_voice.values()), "a voice has one speed"
