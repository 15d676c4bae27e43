"""Test sets are the same each time, split as asked, and say what the sources lack."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from speechx.errors import InputError
from speechx.eval.sets.build import BuildOptions, build_set
from speechx.eval.sets.store import TestSet, load_set
from speechx.task.examples import Utterance
from speechx.text.languages import AddedLanguage, add_language
from speechx.text.types import WordTime
from tests.eval.conftest import TASKS


@pytest.fixture
def corpus(tmp_path: Path, speech: Any) -> Path:
    """Two speakers of one language, and noise, as a folder with a table."""
    folder, rows = tmp_path / "corpus", []
    folder.mkdir()
    for n in range(6):
        soundfile.write(folder / f"{n}.flac", speech(2.5, seed=n, pitch=100 + 40 * (n % 2)), 16000)
        rows.append(
            {
                "audio": f"{n}.flac",
                "text": "WE LEAVE BEFORE NOON",
                "speaker": f"s{n % 2}",
                "language": "en",
                "split": "test",
            }
        )
    soundfile.write(folder / "n.flac", np.random.default_rng(0).standard_normal(32000) * 0.05, 16000)
    rows.append({"audio": "n.flac", "kind": "rain", "split": "test"})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


def test_every_ability_has_its_items(test_set: TestSet) -> None:
    counts = test_set.about["abilities"]
    assert counts == dict.fromkeys([*TASKS, "speech_editing_background"], 2)
    assert len(test_set.chosen(limit=1)) == 6 and len(test_set.chosen(["tts"])) == 2
    for item in test_set.items:
        assert item.text and len(item.target_T) > 1600
        assert item.fields["seed"] >= 0 and Path(item.fields[item.input_field]).is_file()


def test_references_are_there(test_set: TestSet) -> None:
    by = {item.ability: item for item in test_set.items}
    assert len(by["tts"].reference("voice")) <= 3 * 16000
    mixed = by["target_speaker_extraction"]
    assert len(mixed.reference("interferer")) == len(mixed.target_T) == len(mixed.recording("audio"))
    start, stop = by["speech_editing"].meta["span"]
    assert len(by["speech_editing"].target_T) == round((stop - start) * 16000)


def test_same_seed_same_set(pack: Path, small: BuildOptions, tmp_path: Path) -> None:
    one, two, three = (
        build_set([pack], tmp_path / name, ["noise_suppression"], replace(small, seed=seed))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one["hash"] == two["hash"] != three["hash"]
    first, other = (load_set(tmp_path / n).items[0] for n in ("a", "c"))
    assert first.meta["snr_db"] != other.meta["snr_db"]


def test_splits_do_not_mix(pack: Path, tmp_path: Path, small: BuildOptions) -> None:
    build_set([pack], tmp_path / "dev", ["noise_suppression"], replace(small, split="dev"))
    assert {i.speaker for i in load_set(tmp_path / "dev").items} == {"s3"}
    with pytest.raises(InputError, match="no recording of split 'test'"):
        build_set([pack], tmp_path / "test", ["tts"], replace(small, split="test"))


@pytest.mark.usefixtures("no_added_languages")
def test_an_added_language_has_items(corpus: Path, tmp_path: Path) -> None:
    options = BuildOptions(count=2, seconds=(2.0, 4.0))
    table = corpus / "metadata.jsonl"
    table.write_text(table.read_text().replace('"language": "en"', '"language": "fy"'))
    with pytest.raises(InputError):
        build_set([corpus], tmp_path / "before", ["tts"], options)
    add_language(AddedLanguage("fy", rules="phones:\n  a: a\n"))
    build_set([corpus], tmp_path / "set", ["tts"], options)
    assert {item.language for item in load_set(tmp_path / "set").items} == {"fy"}


def test_noise_may_come_from_another_split(pack: Path, tmp_path: Path, small: BuildOptions) -> None:
    rows = [json.loads(line) for line in (pack / "index.jsonl").read_text().splitlines()]
    silent = tmp_path / "pack"  # the same speech, but no noise in the dev split
    silent.mkdir()
    (silent / "pcm.i16").symlink_to(pack / "pcm.i16")
    kept = [row for row in rows if row.get("speaker") or row["split"] != "dev"]
    (silent / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    dev = replace(small, split="dev")
    with pytest.raises(InputError, match="no noise"):
        build_set([silent], tmp_path / "none", ["noise_suppression"], dev)
    about = build_set([silent], tmp_path / "set", ["noise_suppression"], replace(dev, noise_split="train"))
    assert about["noise_split"] == "train" and load_set(tmp_path / "set").items[0].speaker == "s3"


def test_what_a_corpus_lacks_is_said(corpus: Path, tmp_path: Path) -> None:
    few = BuildOptions(count=2)
    about = build_set([corpus], tmp_path / "set", ["tts", "cross_lingual_tts"], few)
    assert about["short"] == {"cross_lingual_tts": 2}
    with pytest.raises(InputError, match="no item could be made"):
        build_set([corpus], tmp_path / "none", ["cross_lingual_tts"], few)
    assert not (tmp_path / "none").exists() and not list(tmp_path.glob(".*")), "nothing is left behind"
    with pytest.raises(InputError, match="holds a set already"):
        build_set([corpus], tmp_path / "set", ["tts"], few)


def test_continuation_starts_with_the_utterance_itself(
    pack: Path, tmp_path: Path, small: BuildOptions
) -> None:
    build_set([pack], tmp_path / "set", ["tts"], replace(small, protocol="continuation", voice_seconds=1.5))
    item = load_set(tmp_path / "set").items[0]
    assert np.array_equal(item.reference("voice"), item.target_T[:24000])


def test_a_folder_of_recordings_is_a_source(corpus: Path, tmp_path: Path) -> None:
    build_set([corpus], tmp_path / "set", ["noise_suppression", "tts"], BuildOptions(count=2))
    items = load_set(tmp_path / "set").items
    assert len(items) == 4 and items[0].text == "we leave before noon"


def test_spans_of_edits_begin_and_end_between_words(pack: Path, tmp_path: Path, small: BuildOptions) -> None:
    """The words' times come from an aligner; utterances in which it finds no place for them are left out."""
    asked: list[str] = []

    def words(cut: Utterance) -> tuple[WordTime, ...] | None:
        assert cut.text is not None
        asked.append(cut.id)
        if len(asked) == 1:
            return None
        said = cut.text.split()
        step = cut.seconds / len(said)
        return tuple(WordTime(w, i * step, (i + 1) * step) for i, w in enumerate(said))

    about = build_set([pack], tmp_path / "set", ["speech_editing", "tts"], small, words=words)
    assert about["spans"] == "between words"
    items = [i for i in load_set(tmp_path / "set").items if i.task == "speech_editing"]
    assert items and asked[0] not in {item.meta["id"] for item in items}
    for item in items:
        step = item.meta["seconds"] / len(str(item.text).split())
        for edge in item.meta["span"]:  # to a codec frame
            assert abs(edge / step - round(edge / step)) * step <= 0.041
