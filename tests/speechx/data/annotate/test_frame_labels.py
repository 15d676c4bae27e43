"""Phone times of a synthesizer, aligned with the front end's phones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from speechx.cli.data import app
from speechx.data.annotate.frame_labels import (
    FrameLabels,
    label_pack,
    label_phones,
    match_symbols,
    read_frame_labels,
    resolve_symbols,
)
from speechx.errors import InputError
from speechx.text import TextFrontend
from speechx.text.phones import PHONE_IDS

TIMED = [
    ("_", 0.0, 0.1),
    ("ˈ", 0.1, 0.15),
    ("o", 0.15, 0.2),
    ("l", 0.2, 0.25),
    ("a", 0.25, 0.3),
    (",", 0.3, 0.5),
    (" ", 0.5, 0.55),
    ("m", 0.55, 0.6),
    ("u", 0.6, 0.65),
    ("n", 0.65, 0.7),
    ("d", 0.7, 0.75),
    ("o", 0.75, 0.85),
    (".", 0.85, 0.9),
    ("_", 0.9, 1.0),
]


def test_each_phone_gets_its_time() -> None:
    text = TextFrontend()("Hola, mundo.", "es")
    found = label_phones(TIMED, text)
    assert found.words == ((0.1, 0.3), (0.55, 0.85))
    assert [phone for phone, _, _ in found.spans] == text.ids.tolist()


def test_stress_and_length_are_no_symbols_of_their_own() -> None:
    timed = [("ˈ", 0.0, 0.1), ("u", 0.1, 0.2), ("ː", 0.2, 0.3), (" ", 0.3, 0.4), ("ʧ", 0.4, 0.5)]
    assert resolve_symbols(timed) == [(("uː",), 0.0, 0.3), (("tʃ",), 0.4, 0.5)]


def test_a_diphthong_is_one_or_two() -> None:
    assert [p[1:4:2] for p in match_symbols([("r",), ("eɪ",)], ["r", "ˈe", "j"])] == [(1, 1), (1, 2)]
    assert [p[1:4:2] for p in match_symbols([("ə",), ("ɹ",)], ["ɚ"])] == [(2, 1)]


def test_a_word_that_does_not_fit_has_no_labels() -> None:
    text = TextFrontend()("Hola, bikini.", "es")
    found = label_phones(TIMED, text)
    assert found.words[0] == (0.1, 0.3)
    assert found.words[1] is None


def test_steps_are_labelled_in_their_middle() -> None:
    labels = FrameLabels(((5, 0.0, 0.05), (7, 0.05, 0.08)), ())
    assert labels.steps(6).tolist() == [5, 5, 7, 7, -1, -1]
    assert labels.steps(3).tolist() == [5, 5, 7]


def test_labels_are_kept_beside_the_pack(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    rows = [
        {"id": "1", "language": "es", "text": "Hola, mundo.", "phones": TIMED},
        {"id": "2", "language": "es", "text": "Hola."},
    ]
    (corpus / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert label_pack(tmp_path, [corpus / "metadata.jsonl"]) == (1, 2, 0)
    found = read_frame_labels(tmp_path)
    assert list(found) == [("corpus", "1")]
    label_H = found["corpus", "1"].steps(50)
    assert label_H[0] == PHONE_IDS["_"]
    assert np.count_nonzero(label_H == PHONE_IDS["d"]) == 2
    assert read_frame_labels(corpus) == {}


def test_the_command_counts_words(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    metadata = tmp_path / "corpus/metadata.jsonl"
    row = {"id": "1", "language": "es", "text": "Hola, bikini.", "phones": TIMED}
    metadata.write_text(json.dumps(row) + "\n")
    result = CliRunner().invoke(app, ["label", "--pack", str(tmp_path), str(metadata)])
    assert result.output == "1 recordings, 2 words, 1 of them without times\n"
    assert list(read_frame_labels(tmp_path)) == [("corpus", "1")]
    error = CliRunner().invoke(app, ["label", "--pack", str(tmp_path), str(tmp_path / "absent")]).exception
    assert isinstance(error, InputError) and "No such file" in str(error)
    assert list(read_frame_labels(tmp_path)) == [("corpus", "1")]
