"""Recordings as people have them: what is used, what is left out and why, and where long ones are cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechx.data.recordings import (
    check_recordings,
    cut_at_pauses,
    cut_at_words,
    signal_to_noise,
    speaker_rows,
)
from speechx.errors import InputError
from speechx.task.frontend import Frontend
from speechx.text.types import WordTime

Speech = Callable[..., np.ndarray]


def write(path: Path, wav_T: np.ndarray, text: str | None = None) -> None:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, wav_T, 16000)
    if text is not None:
        path.with_suffix(".txt").write_text(text)


def with_pauses(wav_T: np.ndarray) -> np.ndarray:
    """Silence for a third of each second and a half: the pauses that speech has."""
    gate_T = (np.arange(len(wav_T)) % 24000 < 16000).astype(np.float32)
    return np.asarray(wav_T * gate_T, np.float32)


def test_a_folder_of_recordings_with_their_texts(tmp_path: Path, speech: Speech, frontend: Frontend) -> None:
    for number in range(8):
        write(
            tmp_path / "anna" / f"{number}.wav",
            with_pauses(speech(4.0, number)),
            f"This is sentence {number}.",
        )
    checked = check_recordings(speaker_rows(tmp_path / "anna", "en"), frontend, "en")
    assert checked.count("train") == 6 and checked.count("dev") == 2 and not checked.dropped
    assert {row.speaker for row in checked.rows} == {"anna"} and {row.language for row in checked.rows} == {
        "en"
    }
    again = check_recordings(speaker_rows(tmp_path / "anna", "en"), frontend, "en")
    assert [row.split for row in again.rows] == [row.split for row in checked.rows], (
        "the same are held out each time"
    )
    assert checked.table().splitlines()[0].split() == ["training", "6", "24", "s"]


def test_why_recordings_are_left_out(tmp_path: Path, speech: Speech, frontend: Frontend) -> None:
    rng = np.random.default_rng(1)
    folder, good = tmp_path / "anna", with_pauses(speech(4.0, 1))
    for number in range(3):
        write(folder / f"good{number}.wav", with_pauses(speech(4.0, number)), "Good.")
    write(folder / "again.wav", good, "The same.")
    write(folder / "short.wav", good[:12000], "Short.")
    write(folder / "silent.wav", np.zeros(32000, np.float32), "Silent.")
    write(folder / "clipped.wav", np.clip(40 * with_pauses(speech(4.0, 9)), -1, 1), "Clipped.")
    write(
        folder / "noisy.wav",
        with_pauses(speech(4.0, 8)) + rng.normal(0, 0.03, 64000).astype(np.float32),
        "Noisy.",
    )
    write(folder / "untold.wav", with_pauses(speech(4.0, 7)))
    (folder / "broken.wav").write_bytes(b"RIFF")
    checked = check_recordings(speaker_rows(folder, "en"), frontend, "en")
    assert len(checked.rows) == 3
    why = {drop.id.split("@")[0]: drop.why for drop in checked.dropped}
    assert why.pop("broken.wav")
    twin = "good1.wav" if "good1.wav" in why else "again.wav"
    assert why == {
        twin: "the same as another one", "short.wav": "shorter than 1 s", "silent.wav": "silent", "clipped.wav": "clipped",
        "noisy.wav": "too noisy", "untold.wav": "no text",
    }  # fmt: skip
    assert "dropped: too noisy" in checked.table()


def test_too_little_is_left(tmp_path: Path, speech: Speech, frontend: Frontend) -> None:
    for number in range(4):
        write(tmp_path / "anna" / f"{number}.wav", speech(0.5, number), "Hm.")
    (tmp_path / "anna" / "garbage.wav").write_text("garbage")
    write(tmp_path / "anna" / "long.wav", with_pauses(speech(30.0, 5)))
    with pytest.raises(InputError) as refused:
        check_recordings(speaker_rows(tmp_path / "anna", "en"), frontend, "en")
    told = str(refused.value).removeprefix(
        "recordings: 0 utterances of 6 recordings can be used, and at least 3 are needed; left out: "
    )
    assert "4 (shorter than 1 s)" in told
    assert re.search(
        r"1 \(cannot be read: the file \S*garbage.wav is text, not audio: it begins with 'garbage'\)", told
    )
    assert re.search(r"[2-9] \(no text\)", told), "a long recording is several utterances"


def test_a_long_recording_without_text_is_cut_and_transcribed(
    tmp_path: Path, speech: Speech, frontend: Frontend
) -> None:
    write(tmp_path / "talk.wav", with_pauses(speech(40.0, 3)))
    heard = list[float]()

    def recognize(wav_T: np.ndarray, language: str) -> str:
        heard.append(len(wav_T) / 16000)
        return f"Part {len(heard)} in {language}."

    checked = check_recordings(speaker_rows(tmp_path / "talk.wav", "en"), frontend, "en", recognize)
    assert 4 <= len(checked.rows) == len(heard) and max(heard) <= 12.0 and sum(heard) > 30
    assert [row.text for row in checked.rows] == [f"Part {n + 1} in en." for n in range(len(heard))]
    for row, seconds in zip(checked.rows, checked.seconds, strict=True):
        assert (
            row.start is not None and row.stop is not None and row.stop - row.start == pytest.approx(seconds)
        )


def test_cuts_lie_in_pauses() -> None:
    tone_T = np.sin(np.arange(16000 * 5) / 8).astype(np.float32) / 4
    rest_T = np.zeros(16000 * 2, np.float32)
    cuts = list(cut_at_pauses(np.concatenate([rest_T, tone_T, rest_T, tone_T, tone_T, rest_T])))
    assert [(round(a), round(b)) for a, b in cuts] == [(2, 7), (9, 19)]
    assert list(cut_at_pauses(rest_T)) == []


def test_a_text_is_cut_with_its_recording() -> None:
    words = [WordTime(f"w{n}", n * 1.0, n * 1.0 + (0.5 if n % 5 == 4 else 0.95)) for n in range(30)]
    pieces = list(cut_at_words(words, 30.0))
    assert [text.split()[0] for _, _, text in pieces] == ["w0", "w10", "w20"]
    assert all(stop - start <= 12 for start, stop, _ in pieces)
    assert " ".join(text for *_, text in pieces).split() == [word.text for word in words]
    assert pieces[0][0] == 0 and pieces[-1][1] == 30.0
    assert [a[1] for a in pieces[:-1]] == [b[0] for b in pieces[1:]]


def test_recordings_of_several_people_or_languages(tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text("audio,text,speaker\na.wav,Hi.,anna\nb.wav,Hi.,bert\n")
    with pytest.raises(InputError, match=r"has 2 speakers \(anna, bert\); give those of one"):
        speaker_rows(table, "en")
    assert len(speaker_rows(table, "fy", several=True)) == 2, "a new language may be learned from many"
    table.write_text("audio,text,language\na.wav,Hola.,es\n")
    with pytest.raises(InputError, match="said to be in es, not in en") as caught:
        speaker_rows(table, "en")
    assert caught.value.field == "language"


def test_signal_to_noise(speech: Speech) -> None:
    clean_T = with_pauses(speech(6.0, 1))
    noise_T = np.random.default_rng(1).normal(0, 1, len(clean_T)).astype(np.float32)
    level = float(np.sqrt(np.mean(clean_T[clean_T != 0] ** 2)))
    for snr in (30, 20, 10):
        assert signal_to_noise(clean_T + noise_T * level * 10 ** (-snr / 20)) == pytest.approx(snr, abs=3)
