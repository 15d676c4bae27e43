"""The weights in the package: what the codec keeps, what the aligner hears."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pystoi
import pytest
import soundfile

from speechx.audio import levels, reading
from speechx.cli.main import main
from speechx.pipeline.loading import load_front
from speechx.task.frontend import Frontend

SAMPLES = Path(reading.__file__).parents[1] / "assets/samples"
TEXT = "I left the keys on the kitchen table, right next to the blue notebook."


@pytest.fixture(scope="module")
def shipped() -> Frontend:
    return load_front()


def test_the_codec_keeps_speech_intelligible(shipped: Frontend) -> None:
    wav_T = shipped.load_audio(SAMPLES / "noisy_clean.flac")
    made_T = shipped.decode(shipped.encode(wav_T))[: len(wav_T)]
    assert pystoi.stoi(wav_T, made_T, 16000) > 0.8


def test_the_aligner_finds_the_words(shipped: Frontend) -> None:
    found = shipped.align_text(SAMPLES / "noisy_clean.flac", TEXT, "en")
    at = {word.text: word for word in found.words}
    assert at["left"].start == pytest.approx(0.58, abs=0.12)
    # The comma is a pause, from 2.45 s to 2.77 s by eye.
    assert at["table"].end == pytest.approx(2.45, abs=0.12)
    assert at["right"].start == pytest.approx(2.77, abs=0.12)
    assert at["notebook"].end == pytest.approx(4.35, abs=0.15)


def test_a_letter_that_cannot_be_said_leaves_the_other_words_in_their_place(shipped: Frontend) -> None:
    plain, odd = (
        {word.text: word for word in shipped.align_text(SAMPLES / "noisy_clean.flac", text, "en").words}
        for text in (TEXT, TEXT.replace("right", "安 right"))
    )
    assert set(odd) == {*plain, "安"}
    for word, time in plain.items():
        assert odd[word].start == pytest.approx(time.start, abs=0.1), word


def test_it_tells_the_text_from_another(shipped: Frontend) -> None:
    codes_FK = shipped.encode(shipped.load_audio(SAMPLES / "noisy_clean.flac"))
    true = shipped.phone_errors(codes_FK, shipped.phones(TEXT, "en"))
    other = shipped.phone_errors(
        codes_FK, shipped.phones("Please remember to water the plants on the balcony.", "en")
    )
    assert true < shipped.max_phone_errors < other


def sounds() -> dict[str, np.ndarray]:
    """4 s without speech."""
    rng, seconds_T = np.random.default_rng(0), np.arange(64000) / 16000
    tones_TC = np.sin(2 * np.pi * np.outer(seconds_T, [261.6, 329.6, 392.0]))
    bell_T = tones_TC.sum(1) * np.exp(-6 * (seconds_T % 1))
    rumble_T = np.convolve(rng.normal(size=64000), np.ones(50) / 50, "same")
    named = {"noise": rng.normal(size=64000), "rumble": rumble_T, "tone": tones_TC[:, 0], "bells": bell_T}
    return {name: np.asarray(0.2 * wav_T / np.abs(wav_T).max(), np.float32) for name, wav_T in named.items()}


@pytest.mark.parametrize("name", sounds())
def test_a_voice_without_speech_is_warned_of(shipped: Frontend, name: str) -> None:
    assert "hardly any speech was found in voice" in str(shipped.voice_warning((sounds()[name], 16000)))


@pytest.mark.parametrize("name", ["nothing", *sounds()])
@pytest.mark.parametrize("voice", ["heart", "michael", "dora", "siwis", "nicola", "alex"])
def test_a_voice_with_something_under_it_is_not(shipped: Frontend, voice: str, name: str) -> None:
    """At 10 dB, the level of loud music in the room."""
    wav_T = np.resize(shipped.voice(voice), 64000)
    under_T = sounds().get(name, np.zeros(64000, np.float32))
    ratio = levels.active_rms(wav_T) / max(levels.rms(under_T), 1e-9) * 10 ** (-10 / 20)
    assert shipped.voice_warning((wav_T + min(ratio, 1.0) * under_T, 16000)) is None


def test_codec_and_align_need_no_language_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for part in ("codec", "aligner"):
        (folder / part).symlink_to(SAMPLES.parent / "model" / part)
    monkeypatch.setenv("SPEECHX_MODEL", str(folder))
    clip = str(SAMPLES / "noisy_clean.flac")
    assert main(["codec", "roundtrip", clip, "-o", str(tmp_path / "again.wav")]) == 0
    assert soundfile.info(tmp_path / "again.wav").duration == pytest.approx(4.91, abs=0.01)
    assert main(["align", clip, "--text", TEXT, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["words"]) == 14
    assert main(["tts", "hello", "--voice", "heart", "-o", str(tmp_path / "out.wav")]) == 2
    assert "lm/config.json is missing" in capsys.readouterr().err and not (tmp_path / "out.wav").exists()
