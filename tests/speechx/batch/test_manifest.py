"""The same rows in every format of a manifest; ids; seeds; the order of rows."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path
from typing import Any

import fsspec
import pytest

from speechx.batch.manifest import Manifest, read_manifest
from speechx.batch.order import fair_order
from speechx.batch.rows import ManifestRow, RowDefaults
from speechx.errors import InputError

ROWS: list[dict[str, Any]] = [
    {"id": "001", "task": "noise_suppression", "audio": "a.wav", "seed": 7},
    {"id": "2", "task": "tts", "text": 'Say "one", two.\nThree.', "voice": "heart", "timestamps": True},
    {"id": "3", "task": "speech_editing", "audio": "a.wav", "text": "Hello.", "span": [0.3, 1.6]},
]


def parsed(manifest: Manifest) -> list[tuple[Any, ...]]:
    return [(r.id, r.task, r.request.model_dump(exclude_unset=True), r.seed) for r in manifest.rows]


def as_csv(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ["", *names], delimiter=delimiter)
        writer.writeheader()
        for number, row in enumerate(rows):
            span = {"span": "0.3, 1.6"} if "span" in row else {}
            writer.writerow({"": number, **row, **span})


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "m.jsonl").write_text(text)
    as_csv(tmp_path / "m.csv", ROWS)
    as_csv(tmp_path / "m.tsv", ROWS, "\t")
    same_columns = [{name: row.get(name) for each in ROWS for name in each} for row in ROWS]
    parquet.write_table(pyarrow.Table.from_pylist(same_columns), tmp_path / "m.parquet")
    (tmp_path / "m.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    wanted = parsed(read_manifest(tmp_path / "m.jsonl"))
    assert [row[0] for row in wanted] == ["001", "2", "3"]
    for name in ("m.csv", "m.tsv", "m.parquet", "m.jsonl.gz"):
        manifest = read_manifest(tmp_path / name)
        assert (parsed(manifest), manifest.bad) == (wanted, []), name


def test_parquet_columns_that_only_some_rows_have(tmp_path: Path) -> None:
    """Whole numbers with gaps stay whole; parts of nested values that only other rows have are absent."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [
        {"id": 1, "task": "noise_suppression", "audio": {"path": "a.wav", "start": 1.0}, "seed": 3},
        {"id": 2, "task": "noise_suppression", "audio": {"path": "a.wav", "duration": 2.0}},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "m.parquet")
    manifest = read_manifest(tmp_path / "m.parquet")
    assert not manifest.bad and [row.id for row in manifest.rows] == ["1", "2"] and manifest.rows[0].seed == 3
    assert [row.segments["audio"] for row in manifest.rows] == [(1.0, None), (0.0, 2.0)]


def test_delimiters_inside_names_of_columns(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("id;task;text;voice;note, of, the, day, x\na;tts;One, two.;heart;\n")
    manifest = read_manifest(tmp_path / "m.csv")
    assert not manifest.bad and [row.fields["text"] for row in manifest.rows] == ["One, two."]


def test_a_csv_row_with_too_many_cells_costs_itself(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("id,task,text,voice\na,tts,One,two,heart\nb,tts,One,heart\n")
    manifest = read_manifest(tmp_path / "m.csv")
    assert [row.id for row in manifest.rows] == ["b"]
    assert [(b.line, b.error) for b in manifest.bad] == [(2, "the row has more cells than the header")]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("m.csv", b"id,id\na,b\n", "must name each column once"),
        (
            "m.jsonl",
            b"\xff\xfe\x00",
            "m.jsonl is not UTF-8 text; convert it, for example with `iconv -f utf-16",
        ),
        ("m.jsonl.gz", b"\x1f\x8bnothing", "it is no gzip file"),
        ("m.parquet", b"PAR2", "it is no Parquet file"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says) as caught:
        read_manifest(tmp_path / name)
    assert caught.value.field == "manifest"


def test_a_cut_set(tmp_path: Path, wav_file: Path) -> None:
    lhotse = pytest.importorskip("lhotse")
    recording = lhotse.Recording.from_file(wav_file)
    spoken = lhotse.SupervisionSegment("s", recording.id, 0, 3, text="Hello there.", language="en")
    whole = lhotse.MonoCut("whole", 0, 3, 0, supervisions=[spoken], recording=recording)
    part = lhotse.MonoCut("part", 1, 1.5, 0, recording=recording)
    removal = part.with_id("removal")
    removal.custom = {"task": "speech_removal", "seed": 5, "snr": 3}
    mixed = whole.pad(5).with_id("mixed")
    lhotse.CutSet.from_cuts([whole, part, removal, mixed]).to_file(tmp_path / "cuts.jsonl.gz")
    manifest = read_manifest(tmp_path / "cuts.jsonl.gz", RowDefaults(task="noise-suppression"))
    by_id = {row.id: row for row in manifest.rows}
    assert by_id["whole"].fields == {"audio": str(wav_file), "text": "Hello there.", "language": "en"}
    assert by_id["part"].segments == {"audio": (1.0, 1.5)}
    assert by_id["removal"].task == "speech_removal" and by_id["removal"].seed == 5
    assert "mixed" in manifest.bad[0].error and len(manifest) == 4


def test_a_folder(tmp_path: Path, wav_file: Path) -> None:
    (tmp_path / "b.FLAC").touch()
    (tmp_path / "text.txt").write_text("Good morning.", encoding="utf-8-sig")
    rows = read_manifest(tmp_path, RowDefaults(task="noise-suppression")).rows
    assert [(r.id, r.fields["audio"]) for r in rows] == [
        ("b", str(tmp_path / "b.FLAC")),
        ("in", str(wav_file)),
    ]
    (row,) = read_manifest(f"{tmp_path}/", RowDefaults(task="tts", fields={"voice": "heart"})).rows
    assert row.id == "text" and row.fields == {"text": "Good morning.", "voice": "heart"}
    with pytest.raises(InputError, match="say what to do with its files with --task"):
        read_manifest(tmp_path)


def test_a_text_in_another_encoding_costs_itself(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Good morning.", "utf-8")
    (tmp_path / "b.txt").write_text("Un été.", "latin1")
    manifest = read_manifest(tmp_path, RowDefaults(task="tts", fields={"voice": "heart"}))
    assert [row.id for row in manifest.rows] == ["a"]
    (bad,) = manifest.bad
    assert bad.error.startswith(
        "text: b.txt is not UTF-8 text; convert it, for example with `iconv -f latin1"
    )


def test_a_csv_of_a_spreadsheet_with_semicolons(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("id;task;text;voice\na;tts;One, two.;heart\n", "utf-8-sig")
    (row,) = read_manifest(tmp_path / "m.csv").rows
    assert row.fields == {"text": "One, two.", "voice": "heart"}


def test_urls(wav_file: Path) -> None:
    base = f"memory://urls-{os.getpid()}"
    rows = [
        {"id": i, "task": "tts", "text": "Hi.", "voice": v} for i, v in [("a", "v/me.wav"), ("b", "heart")]
    ]
    text = "\n".join(map(json.dumps, rows))
    fsspec.filesystem("memory").pipe(f"/urls-{os.getpid()}/m.jsonl", text.encode())
    assert [row.fields["voice"] for row in read_manifest(f"{base}/m.jsonl").rows] == [
        f"{base}/v/me.wav",
        "heart",
    ]
    fsspec.filesystem("memory").pipe(f"/urls-{os.getpid()}/in/x.wav", wav_file.read_bytes())
    (row,) = read_manifest(f"{base}/in", RowDefaults(task="speech_removal")).rows
    assert row.fields["audio"] == f"{base}/in/x.wav"


def test_seeds_and_fingerprints(tmp_path: Path) -> None:
    """A row's seed depends on its id alone; its fingerprint on all that its output depends on, not on its folder."""

    def row(folder: str = "x", defaults: RowDefaults | None = None, **fields: Any) -> ManifestRow:
        (tmp_path / folder).mkdir(exist_ok=True)
        given = {"id": "a", "task": "noise_suppression", "audio": "a.wav"} | fields
        (tmp_path / folder / "m.jsonl").write_text(json.dumps(given))
        return read_manifest(tmp_path / folder / "m.jsonl", defaults).rows[0]

    assert row().seed == row().seed == row(audio="b.wav").seed != row(id="b").seed
    assert row(defaults=RowDefaults(seed=1)).seed != row().seed and row(seed=9).seed == 9
    assert row().fingerprint == row("y").fingerprint
    others = {row(audio="b.wav").fingerprint, row(seed=9).fingerprint, row(format="mp3").fingerprint}
    assert len(others | {row().fingerprint}) == 4
    assert ManifestRow.from_json(row().to_json()).request == row().request


def test_long_rows_are_spread(tmp_path: Path) -> None:
    def text(row_id: str, sentences: int) -> dict[str, Any]:
        return {"id": row_id, "task": "tts", "text": "Hello there. " * sentences, "voice": "heart"}

    rows = [text(f"long{i}", 100) for i in range(3)] + [text(f"s{i}", 1 + i % 2) for i in range(9)]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ordered = [row.id for row in fair_order(read_manifest(tmp_path / "m.jsonl").rows)]
    assert ordered == ["long0", "s0", "s1", "s2", "long1", "s3", "s4", "s5", "long2", "s6", "s7", "s8"]
