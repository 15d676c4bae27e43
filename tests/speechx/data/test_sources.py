"""Corpora in their own layouts, tables, manifests of lhotse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechx.data.prepare import decode, prepare_pack
from speechx.data.source_rows import SourceRow, hold_out_speakers
from speechx.data.sources import read_source
from speechx.errors import InputError


def sound(path: Path, seconds: float = 0.5, rate: int = 16000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time_T = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * time_T), rate)
    return path


def test_a_folder_with_metadata(tmp_path: Path) -> None:
    rows = [
        {
            "id": "a",
            "audio": "audio/a.wav",
            "speaker": "s1",
            "language": "pt-BR",
            "text": "Olá.",
            "split": "dev",
            "synthetic": True,
        },
        {"id": "b", "audio": "audio/b.wav", "kind": "rain", "split": "train"},
    ]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    speech, noise = read_source(tmp_path)
    assert speech == SourceRow(
        tmp_path / "audio/a.wav", "a", tmp_path.name, "dev", "s1", "pt", "Olá.", synthetic=True
    )
    assert (noise.kind, noise.speaker, noise.language, noise.split) == ("rain", None, None, "train")
    assert not noise.synthetic


@pytest.mark.parametrize("name", ["METADATA.CSV", "Metadata.csv"])
def test_a_listing_whose_name_is_in_capitals(tmp_path: Path, name: str) -> None:
    sound(tmp_path / "a.wav")
    (tmp_path / name).write_text("audio,text\na.wav,Good morning.\n")
    (row,) = read_source(tmp_path, "en")
    assert (row.id, row.corpus, row.text) == ("a", tmp_path.name, "Good morning.")


def test_a_csv_of_a_spreadsheet_with_semicolons(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("\ufeffaudio;text\na.wav;Hello, you.\n", "utf-8")
    assert [(row.path.name, row.text) for row in read_source(table)] == [("a.wav", "Hello, you.")]
    table.write_text("sound;text\na.wav;Hi.\n", "utf-8")
    with pytest.raises(InputError, match=r"line 2 has no column `audio` \(path, .*\); it has sound, text"):
        read_source(table)


def test_a_csv_with_other_names_for_its_columns(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text('path,transcript,speaker_id\nx/1.wav,"Hello, you.",anna\nx/2.wav,Bye.,ben\n')
    rows = read_source(table, language="en")
    assert [(r.id, r.text, r.speaker, r.language, r.corpus) for r in rows] == [
        ("x/1", "Hello, you.", "anna", "en", "mine"),
        ("x/2", "Bye.", "ben", "en", "mine"),
    ]
    assert {r.split for r in rows} <= {"train", "dev", "test"}


def test_librispeech_and_libritts(tmp_path: Path) -> None:
    libri, tts = tmp_path / "LibriSpeech", tmp_path / "LibriTTS"
    folder = libri / "dev-clean/19/198"
    sound(folder / "19-198-0000.flac")
    (folder / "19-198.trans.txt").write_text("19-198-0000 HE SAID SO\n19-198-0001 NOT THERE\n")
    folder = tts / "train-clean-100/19/198"
    sound(folder / "19_198_0_0.wav")
    (folder / "19_198_0_0.normalized.txt").write_text("He said so.\n")
    (row,) = read_source(libri)
    assert (row.id, row.speaker, row.split, row.text) == ("19-198-0000", "ls19", "dev", "HE SAID SO")
    (other,) = read_source(tts)
    assert (other.speaker, other.split, other.text, other.language) == ("ls19", "train", "He said so.", "en")
    # One speaker, held out in one corpus: not trained on in the other.
    assert hold_out_speakers([row, other]) == ([row], 1)


def test_ljspeech(tmp_path: Path) -> None:
    root = tmp_path / "LJSpeech-1.1"
    for name in ("LJ001-0001", "LJ001-0002"):
        sound(root / f"wavs/{name}.wav")
    listing = root / "metadata.csv"
    listing.write_text(
        "LJ001-0001|Printed in 1455, yes|Printed in fourteen fifty-five, yes\nLJ001-0002|Short.\nLJ001-0003|No|No\n"
    )
    first, second = read_source(root, "en")
    assert (first.id, first.speaker, first.language) == ("LJ001-0001", "LJSpeech-1.1", "en")
    assert (first.text, second.text) == ("Printed in fourteen fifty-five, yes", "Short.")
    listing.write_text("LJ001-0001|Yes.\nLJ001-0002\n")
    with pytest.raises(InputError, match=r"metadata\.csv line 2 has no \| after the name of its recording"):
        read_source(root)


def test_vctk(tmp_path: Path) -> None:
    sound(tmp_path / "wav48_silence_trimmed/p225/p225_001_mic1.flac", rate=48000)
    (tmp_path / "txt/p225").mkdir(parents=True)
    (tmp_path / "txt/p225/p225_001.txt").write_text("Please call Stella.\n")
    (tmp_path / "txt/p225/p225_002.txt").write_text("Not recorded.\n")
    (row,) = read_source(tmp_path)
    assert (row.id, row.speaker, row.text) == ("p225_001", "vctk_p225", "Please call Stella.")


def test_common_voice(tmp_path: Path) -> None:
    sound(tmp_path / "clips/c1.mp3")
    header = "client_id\tpath\tsentence\tlocale\n"
    (tmp_path / "train.tsv").write_text(header + 'abcdef0123456789ff\tc1.mp3\tEr sagte "ja\tde\n')
    (tmp_path / "test.tsv").write_text(header)
    (row,) = read_source(tmp_path)
    assert (row.split, row.language, row.text, row.id) == ("train", "de", 'Er sagte "ja', "c1")


def test_manifests_of_lhotse(tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse", reason="lhotse is not installed", exc_type=ImportError)
    path = sound(tmp_path / "long.wav", seconds=3.0)
    recordings = lhotse.RecordingSet.from_recordings([lhotse.Recording.from_file(path)])
    said = [
        lhotse.SupervisionSegment(
            f"u{i}", "long", start=i, duration=0.5, text="hi", language="English", speaker="s"
        )
        for i in range(2)
    ]
    recordings.to_file(tmp_path / "x_recordings.jsonl.gz")
    lhotse.SupervisionSet.from_segments(said).to_file(tmp_path / "x_supervisions.jsonl.gz")
    rows = read_source(tmp_path)
    assert [(r.start, r.stop, r.text, r.speaker) for r in rows] == [(0, 0.5, "hi", "s"), (1, 1.5, "hi", "s")]
    wav_T, damaged = decode(rows[1], 16000)
    assert len(wav_T) == 8000 and not damaged
    for name in ("x_recordings.jsonl.gz", "x_supervisions.jsonl.gz"):
        (tmp_path / name).rename(tmp_path / name.upper())
    assert read_source(tmp_path) == rows
    cuts = tmp_path / "cuts.jsonl.gz"
    lhotse.CutSet.from_manifests(recordings, lhotse.SupervisionSet.from_segments(said)).to_file(cuts)
    (row,) = read_source(cuts)
    assert (row.id, row.stop) == ("long-0", 3.0)
    cuts.rename(tmp_path / "CUTS.JSONL.GZ")
    for source in (tmp_path, tmp_path / "CUTS.JSONL.GZ"):
        assert [(row.id, row.stop) for row in read_source(source)] == [("long-0", 3.0)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"text": "hi"}\n', "line 1 has no column `audio`"),
        ('{"audio": "a.wav"}\n{"audio": \n', "line 2 is not JSON"),
        ('{"audio": "a.wav", "id": "x"}\n{"audio": "b.wav", "id": "x"}\n', "two rows with id 'x'"),
        ('{"audio": "a.wav", "synthetic": "Kokoro"}\n', "`synthetic` must be true or false, not 'kokoro'"),
        ("", "lists no recordings"),
    ],
)
def test_broken_tables(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "metadata.jsonl").write_text(content)
    with pytest.raises(InputError, match=says):
        read_source(tmp_path)


def test_splits_by_other_names(tmp_path: Path) -> None:
    rows = [
        {"audio": f"{i}.wav", "language": "en", "split": name}
        for i, name in enumerate(("Train", "validation", ""))
    ]
    table = tmp_path / "table.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = [row.split for row in read_source(table)]
    assert found[:2] == ["train", "dev"] and found[2] in ("train", "dev", "test")
    table.write_text(json.dumps({"audio": "a.wav", "split": "trian"}) + "\n")
    with pytest.raises(InputError, match=r"table\.jsonl row 1 has the split 'trian'"):
        list(read_source(table))


def test_what_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no recordings are in .*neither sound files \(.flac, .*nor a metadata"
    ):
        read_source(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_source(tmp_path / "nowhere")


def test_speakers_are_held_out_where_there_are_many(tmp_path: Path) -> None:
    table = tmp_path / "many.jsonl"
    rows = [{"audio": f"{s}-{i}.wav", "speaker": f"s{s}"} for s in range(200) for i in range(3)]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits: dict[str | None, set[str]] = {}
    for row in read_source(table):
        splits.setdefault(row.speaker, set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert set().union(*splits.values()) == {"train", "dev", "test"}


def test_a_pack_leaves_out_what_cannot_be_read(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    sound(corpus / "good.wav", rate=48000)
    sound(corpus / "half.wav", seconds=2.0)
    data = (corpus / "half.wav").read_bytes()
    (corpus / "half.wav").write_bytes(data[: len(data) // 2])
    (corpus / "text.wav").write_text("no sound at all")
    names = ["good", "half", "text", "missing"]
    lines = [
        json.dumps({"id": n, "audio": f"{n}.wav", "split": "train", "text": "A B", "synthetic": n == "half"})
        + "\n"
        for n in names
    ]
    (corpus / "metadata.jsonl").write_text("".join(lines))
    made = prepare_pack([corpus], tmp_path / "pack", workers=1, language="en")
    assert (made.rows, made.damaged, made.unreadable, made.held_out) == (2, 1, 2, 0)
    from speechx.data.packs import AudioPack

    pack = AudioPack(tmp_path / "pack")
    good, half = pack.rows
    assert good.samples == 8000 and abs(float(np.abs(pack.audio(good)).max()) - 0.3) < 0.01
    assert 0.9 < half.seconds < 1.1 and half.text == "a b" and half.language == "en"
    assert half.synthetic and not good.synthetic
    with pytest.raises(InputError, match="holds a pack already"):
        prepare_pack([corpus], tmp_path / "pack")
    (corpus / "metadata.jsonl").write_text(lines[2])
    with pytest.raises(InputError, match="none of 1 recordings"):
        prepare_pack([corpus], tmp_path / "other", workers=1, language="en")


def test_parts_of_a_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """31 minutes, decoded once for the parts that follow each other."""
    from speechx.audio import reading
    from speechx.data.packs import AudioPack

    quiet_T = np.zeros(31 * 60 * 8000, np.int16)
    quiet_T[-8000:] = 8000  # the last second
    soundfile.write(tmp_path / "talk.wav", quiet_T, 8000, subtype="PCM_U8")
    sound(tmp_path / "short.wav")
    parts = [("talk", 0.0), ("talk", 1.0), ("talk", 31 * 60 - 1.0), ("short", 0.0)]
    rows = [{"audio": f"{name}.wav", "offset": start, "duration": 0.5} for name, start in parts]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    opened: list[str] = []

    def read(path: Path, **options: object) -> np.ndarray:
        opened.append(path.stem)
        return original(path, **options)

    original: Callable[..., np.ndarray] = reading.read
    monkeypatch.setattr(reading, "read", read)
    made = prepare_pack([tmp_path / "m.jsonl"], tmp_path / "pack", workers=1, language="en")
    assert (made.rows, made.damaged, made.unreadable, opened) == (4, 0, 0, ["talk", "short"])
    pack = AudioPack(tmp_path / "pack")
    levels = [float(np.abs(pack.audio(row)).mean()) for row in pack.rows]
    assert [row.samples for row in pack.rows] == [8000] * 4
    assert levels[:2] == [0, 0] and levels[2] > 0.2


def test_the_pitch_of_a_pack(tmp_path: Path) -> None:
    from speechx.data.annotate.pitch import add_pitch
    from speechx.data.packs import AudioPack

    time_T = np.arange(16000) / 16000
    corpus = tmp_path / "c"
    corpus.mkdir()
    for name, hertz in (("low", 110), ("high", 220)):
        saw_T = sum(np.sin(2 * np.pi * hertz * k * time_T) / k for k in range(1, 15))
        soundfile.write(corpus / f"{name}.wav", 0.2 * saw_T, 16000)
    rows = [{"id": n, "audio": f"{n}.wav", "split": "train"} for n in ("low", "high")]
    (corpus / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepare_pack([corpus], tmp_path / "pack", workers=1, language="en")
    assert add_pitch(tmp_path / "pack", workers=1) == 200
    pack = AudioPack(tmp_path / "pack")
    for row, hertz in zip(pack.rows, (110, 220), strict=True):
        f0_S = pack.tone(row, 0, 100)
        assert f0_S is not None and abs(float(np.median(f0_S[10:90])) / hertz - 1) < 0.02


def test_many_processes_keep_the_order(tmp_path: Path) -> None:
    for number in range(70):
        sound(tmp_path / "c" / f"{number:02d}.wav", seconds=0.02 + number / 1000)
    rows = [
        json.dumps({"id": f"{n:02d}", "audio": f"{n:02d}.wav", "split": "train"}) + "\n" for n in range(70)
    ]
    (tmp_path / "c/metadata.jsonl").write_text("".join(rows))
    prepare_pack([tmp_path / "c"], tmp_path / "pack", workers=2, language="en")
    index = [json.loads(line) for line in (tmp_path / "pack/index.jsonl").read_text().splitlines()]
    assert [row["samples"] for row in index] == [320 + 16 * n for n in range(70)]


def test_speech_without_a_language_is_refused_with_the_fix(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    sound(tmp_path / "b.wav")
    table = tmp_path / "clips.csv"
    table.write_text("audio,text,kind,language\na.wav,Hello.,,\nb.wav,,rain,\n")
    message = r"1 recordings of speech name no language \(the first is .*a\.wav\): give it with --language"
    with pytest.raises(InputError, match=message) as caught:
        prepare_pack([table], tmp_path / "pack", workers=1)
    assert caught.value.field == "language" and not (tmp_path / "pack").exists()
    assert prepare_pack([table], tmp_path / "pack", workers=1, language="en").rows == 2


def test_a_folder_of_recordings_alone(tmp_path: Path) -> None:
    for name in ("b.wav", "a.flac", "deep/c.WAV"):
        sound(tmp_path / "anna" / name)
    (tmp_path / "anna" / "a.txt").write_text("Hello there.\n")
    (tmp_path / "anna" / "deep" / "c.lab").write_text("")
    rows = read_source(tmp_path / "anna", language="en")
    assert [(row.id, row.text) for row in rows] == [
        ("a.flac", "Hello there."),
        ("b.wav", None),
        ("deep/c.WAV", None),
    ]
    assert {row.speaker for row in rows} == {"anna"}
