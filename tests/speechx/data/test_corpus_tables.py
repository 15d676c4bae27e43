"""Files of texts as people bring them: other encodings, other names of columns, broken rows."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechx.data.annotate.frame_labels import label_pack
from speechx.data.sources import read_source
from speechx.errors import InputError

LATIN = "Un été à Orléans."
CONVERT = "is not UTF-8 text; convert it, for example with `iconv -f latin1 -t utf-8`"


def sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(4000, 0.1), 16000)


def a_folder(root: Path, suffix: str) -> Path:
    sound(root / "a.wav")
    return root / f"a{suffix}"


def librispeech(root: Path, suffix: str) -> Path:
    sound(root / "dev-clean/1/2/1-2-0001.flac")
    return root / "dev-clean/1/2" / f"1-2{suffix}"


def libritts(root: Path, suffix: str) -> Path:
    sound(root / "1_2_0_0.wav")
    return root / f"1_2_0_0{suffix}"


def vctk(root: Path, suffix: str) -> Path:
    sound(root / "wav48/p1/p1_001.wav")
    (root / "txt/p1").mkdir(parents=True)
    return root / f"txt/p1/p1_001{suffix}"


def common_voice(root: Path, suffix: str) -> Path:
    sound(root / "clips/a.mp3")
    return root / f"validated{suffix}"


LAYOUTS = [
    (a_folder, ".txt", LATIN),
    (a_folder, ".lab", LATIN),
    (a_folder, ".TXT", LATIN),
    (librispeech, ".trans.txt", f"1-2-0001 {LATIN}"),
    (libritts, ".normalized.txt", LATIN),
    (vctk, ".txt", LATIN),
    (common_voice, ".tsv", f"client_id\tpath\tsentence\tlocale\nx\ta.mp3\t{LATIN}\tfr\n"),
]


@pytest.mark.parametrize(("layout", "suffix", "text"), LAYOUTS)
def test_every_layout_is_utf8(tmp_path: Path, layout: object, suffix: str, text: str) -> None:
    """With a byte order mark or without; anything else is one sentence with the file's name and how to convert it."""
    assert callable(layout)
    file: Path = layout(tmp_path, suffix)
    for encoding in ("utf-8", "utf-8-sig"):
        file.write_text(text, encoding)
        assert [row.text for row in read_source(tmp_path)] == [LATIN], encoding
    file.write_text(text, "latin1")
    with pytest.raises(InputError) as caught:
        read_source(tmp_path)
    assert str(caught.value) == f"source: {file} {CONVERT}"


TABLES = [
    ("m.csv", f"audio,text\na.wav,{LATIN}\n"),
    ("m.tsv", f"audio\ttext\na.wav\t{LATIN}\n"),
    ("m.jsonl", json.dumps({"audio": "a.wav", "text": LATIN}, ensure_ascii=False)),
    ("m.json", json.dumps({"audio": "a.wav", "text": LATIN}, ensure_ascii=False)),
]


@pytest.mark.parametrize(("name", "text"), TABLES)
def test_every_table_is_utf8(tmp_path: Path, name: str, text: str) -> None:
    plain, packed = tmp_path / name, tmp_path / f"{name}.gz"
    for encoding, converted in (("utf-8", ""), ("utf-8-sig", ""), ("latin1", "latin1"), ("utf-16", "utf-16")):
        plain.write_text(text, encoding)
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        for file in (plain, packed):
            if not converted:
                assert [row.text for row in read_source(file)] == [LATIN]
                continue
            with pytest.raises(InputError) as caught:
                read_source(file)
            assert str(caught.value) == f"source: {file} {CONVERT.replace('latin1', converted)}"
    packed.write_bytes(gzip.compress(text.encode())[:-9])
    with pytest.raises(InputError, match="no gzip file, or not a whole one"):
        read_source(packed)


def test_names_in_capitals(tmp_path: Path) -> None:
    for name, text in TABLES:
        packed = tmp_path / f"{name}.gz".upper()
        packed.write_bytes(gzip.compress(text.encode()))
        assert [row.text for row in read_source(packed)] == [LATIN]


def test_a_manifest_of_lhotse_is_utf8(tmp_path: Path) -> None:
    pytest.importorskip("lhotse", reason="lhotse is not installed", exc_type=ImportError)
    cuts = tmp_path / "cuts.jsonl"
    cuts.write_text('{"supervisions": [], "id": "été"}', "latin1")
    for source in (cuts, tmp_path):
        with pytest.raises(InputError, match=f"{cuts} is not UTF-8 text"):
            read_source(source)
    cuts.write_text('{"supervisions": []}')
    with pytest.raises(InputError, match="is no lhotse manifest that can be read: "):
        read_source(tmp_path)


def test_labels_are_read_from_utf8(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text('{"text": "été"}', "latin1")
    with pytest.raises(InputError, match=r"metadata: .*metadata.jsonl is not UTF-8 text"):
        label_pack(tmp_path, [tmp_path / "metadata.jsonl"])
    (tmp_path / "metadata.jsonl").write_text('{"text": "hi"}\n{"text": \n')
    with pytest.raises(InputError, match=r"metadata: .*metadata.jsonl line 2 is not JSON"):
        label_pack(tmp_path, [tmp_path / "metadata.jsonl"])


@pytest.mark.parametrize(
    "header",
    ["audio;text", "Audio; Text", "file name;Sentence", "file_name;transcription", "AUDIO-FILEPATH;text"],
)
def test_columns_are_known_however_they_are_written(
    tmp_path: Path, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "m.csv").write_text(f"{header}\na.wav;Hello.\n")
    assert [(row.path.name, row.text) for row in read_source(tmp_path / "m.csv")] == [("a.wav", "Hello.")]
    assert not caplog.records


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("audio;text;note, of, the, day, x", "a.wav;Hello.;fine"),
        ('"File name","text","a; b; c; d"', "a.wav,Hello.,fine"),
        ("audio\ttext\ta, b; c, d; e, f", "a.wav\tHello.\tfine"),
    ],
)
def test_delimiters_inside_names_of_columns(tmp_path: Path, header: str, row: str) -> None:
    (tmp_path / "m.csv").write_text(f"{header}\n{row}\n")
    assert [(row.path.name, row.text) for row in read_source(tmp_path / "m.csv")] == [("a.wav", "Hello.")]


def test_parts_of_files_as_nemo_writes_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        {"audio_filepath": "talk.wav", "offset": 3.0, "duration": 1.5, "text": "One."},
        {"audio_filepath": "talk.wav", "offset": 4.5, "duration": 2, "text": "Two."},
        {"audio_filepath": "talk.wav", "offset": 0, "duration": 1, "text": "Zero.", "id": "first"},
        {"audio_filepath": "whole.wav", "duration": "unknown", "text": "Whole."},
        {"audio_filepath": "all.wav", "offset": 0.0, "text": "All."},
    ]
    (tmp_path / "m.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = [(row.id, row.start, row.stop, row.text) for row in read_source(tmp_path / "m.json")]
    assert read == [
        ("talk@3000-4500", 3.0, 4.5, "One."),
        ("talk@4500-6500", 4.5, 6.5, "Two."),
        ("first", 0.0, 1.0, "Zero."),
        ("whole", None, None, "Whole."),
        ("all", None, None, "All."),
    ]
    assert not caplog.records


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"offset": "3,5", "duration": 1}, "`offset` must be a number of seconds from 0, not '3,5'"),
        ({"offset": float("nan"), "duration": 1}, "`offset` must be a number of seconds from 0, not 'nan'"),
        ({"offset": -1, "duration": 1}, "`offset` must be a number of seconds from 0, not '-1'"),
        ({"offset": True, "duration": 1}, "`offset` must be a number of seconds from 0, not 'True'"),
        ({"offset": 1, "duration": float("inf")}, "`duration` must be a number of seconds from 0, not 'inf'"),
        ({"offset": 1, "duration": "long"}, "`duration` must be a number of seconds from 0, not 'long'"),
        ({"offset": 1, "duration": 0}, "`duration` of a part must be above 0 s"),
        ({"offset": 1}, "has an `offset` and no `duration`"),
    ],
)
def test_what_is_no_part_of_a_file(tmp_path: Path, part: dict[str, object], says: str) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({"audio_filepath": "a.wav", "text": "Hi."} | part))
    with pytest.raises(InputError) as caught:
        read_source(tmp_path / "m.jsonl")
    assert f"m.jsonl line 1{':' if says[0] == '`' else ''} {says}" in str(caught.value)


def test_languages_have_one_spelling_each(tmp_path: Path) -> None:
    tags = ["eng-US", "eng", "English", "english ", "pt_BR", "PT", "xx-YY"]
    rows = [json.dumps({"audio": f"{n}.wav", "lang": tag}) + "\n" for n, tag in enumerate(tags)]
    (tmp_path / "m.jsonl").write_text("".join(rows))
    read = [row.language for row in read_source(tmp_path / "m.jsonl")]
    assert read == ["eng", "eng", "english", "english", "pt", "pt", "xx"]


@pytest.mark.parametrize("name", ["texte", "txt", "texts", "Sentences", "transcripts", "phrase", "Satz"])
def test_a_column_that_seems_to_have_the_texts(tmp_path: Path, name: str) -> None:
    """Without its texts, a corpus would be transcribed, and nobody would know."""
    (tmp_path / "m.csv").write_text(f"file;{name}\na.wav;Bonjour.\n")
    with pytest.raises(InputError) as caught:
        read_source(tmp_path / "m.csv")
    known = "`text` (sentence, transcript, transcription)"
    told = f"has no column {known}; if it is `{name}`, rename that one, else take it out"
    assert str(caught.value) == f"source: {tmp_path / 'm.csv'} {told}"


@pytest.mark.parametrize(
    ("rows", "unused"),
    [
        ([{"audio": "a.wav", "text": "Hi.", "note": "loud", "texts": 3}], "`note`, `texts`"),
        ([{"audio": "a.wav", "kind": "rain", "texte": "x"}, {"audio": "b.wav", "kind": "rain"}], "`texte`"),
        (
            [{"audio": "a.wav", "text_id": "7"}, {"audio": "b.wav", "text_id": "8", "mood": 1}],
            "`text_id`, `mood`",
        ),
        ([{"audio": "a.wav", "sprecher": "anna", "text": "Hi."}], "`sprecher`"),
    ],
)
def test_other_columns_are_said_once(
    tmp_path: Path, rows: list[dict[str, object]], unused: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with caplog.at_level(logging.WARNING):
        assert len(read_source(tmp_path / "m.jsonl")) == len(rows)
    (record,) = caplog.records
    known = "audio, text, speaker, language, split, id, kind, synthetic, corpus, offset, duration"
    assert (
        record.getMessage()
        == f"source: {tmp_path / 'm.jsonl'}: not used: column {unused}; the known ones are {known}"
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("m.csv", "audio,text\na.wav,Hello, you.\n", "line 2 has more cells than the first line; a text with ',' needs"),
        ("m.csv", "audio,text,text\na.wav,Hi.,Ho.\n", "the first line must name each column once"),
        ("m.csv", f"audio,text\na.wav,{'x' * 140_000}\n", "line 2 is no CSV: field larger"),
        ("m.jsonl", "[1, 2]\n", "line 1 is no JSON object"),
        ("m.json", '[\n{"audio": 1}\n]\n', "line 1 is not JSON at column 1: .*; a JSONL has one JSON object per line"),
        ("m.jsonl", '{"audio": {"path": "a.wav"}}\n', "line 1: `audio` must be a text or a number"),
        ("m.txt", "Good morning.\n", "neither a table nor a sound file; give a folder of recordings, a CSV, TSV"),
        ("m.xlsx", "PK", "is neither a table nor a sound file"),
    ],
)  # fmt: skip
def test_what_is_no_table(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=says):
        read_source(tmp_path / name)


def test_empty_cells_at_the_end_cost_nothing(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("audio;text;;\na.wav;Hi.;;\nb.wav;Ho.;;;\n")
    assert [row.text for row in read_source(tmp_path / "m.csv")] == ["Hi.", "Ho."]


def test_common_voice_with_other_columns(tmp_path: Path) -> None:
    common_voice(tmp_path, ".tsv").write_text("path\tsentence\na.mp3\tHi.\n")
    with pytest.raises(InputError, match=r"validated.tsv line 2 has no column `client_id`"):
        read_source(tmp_path)


@pytest.mark.parametrize("names", [["b.txt", "c.lab"], ["texts.csv"], ["deep/list.jsonl", "x.txt", "y.txt"]])
def test_texts_without_a_recording_are_said(
    tmp_path: Path, names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """They would be missed, and nobody would know."""
    sound(tmp_path / "a.wav")
    sound(tmp_path / "deep/d.wav")
    for name in ("a.txt", "README.txt", "license.txt", *names):
        (tmp_path / name).write_text("Hello.")
    assert [row.text for row in read_source(tmp_path)] == ["Hello.", None]
    (record,) = caplog.records
    more = "" if len(names) == 1 else f" and {len(names) - 1} more"
    assert record.getMessage().startswith(
        f"source: not used: {tmp_path / names[0]}{more}; the text of NAME.wav is NAME.txt"
    )


def test_a_sound_file_alone(tmp_path: Path) -> None:
    sound(tmp_path / "anna.wav")
    (row,) = read_source(tmp_path / "anna.wav", language="en")
    assert (row.id, row.speaker, row.language, row.text) == ("anna.wav", "anna", "en", None)
