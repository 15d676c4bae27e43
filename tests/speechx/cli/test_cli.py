"""The command line: results, and every kind of bad input: a sentence, exit code 2, nothing left behind."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from speechx.api import SpeechX
from speechx.audio import reading
from speechx.cli.main import main

HELLO = ["tts", "Hello there.", "--voice", "heart"]


@pytest.fixture
def sx(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> SpeechX:
    """The model every command loads."""
    loaded = SpeechX(pipeline)
    monkeypatch.setattr(SpeechX, "load", classmethod(lambda cls, *_, **__: loaded))
    return loaded


def test_a_task(sx: SpeechX, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.wav"
    assert main([*HELLO, "-o", str(out), "--seed", "3", "--json", "--timestamps"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seed"] == 3 and told["output"] == str(out) and told["model"] == "echo"
    assert [w["text"] for w in told["words"]] == ["Hello", "there"]
    assert soundfile.info(out).duration == pytest.approx(told["audio_seconds"], abs=1e-3)
    assert list(tmp_path.iterdir()) == [out]
    assert main([*HELLO, "-o", str(out), "--timestamps"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0].split("\t")[-1] == "Hello" and "RTF" in shown.err


@pytest.mark.parametrize(
    ("suffix", "format"),
    [("flac", None), ("opus", None), ("mp3", None), ("bin", "mp3"), ("pcm", None), ("aac", None)],
)
def test_formats(sx: SpeechX, tmp_path: Path, suffix: str, format: str | None) -> None:
    out = tmp_path / f"out.{suffix}"
    assert main([*HELLO, "-o", str(out), *(["--format", format] if format else [])]) == 0
    if suffix != "pcm":
        assert len(reading.read(out)) > 8000


def test_standard_output(sx: SpeechX, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main([*HELLO, "-o", "-", "--stream", "--seed", "1"]) == 0
    wav_T = reading.read(capfdbinary.readouterr().out)
    assert np.abs(wav_T - sx.tts("Hello there.", voice="heart", seed=1).wav_T).max() < 1e-3


def test_flac_on_standard_output_has_its_length(
    sx: SpeechX, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main([*HELLO, "-o", "-", "--format", "flac", "--seed", "1"]) == 0
    wav_T, _ = soundfile.read(io.BytesIO(capfdbinary.readouterr().out))
    assert np.abs(wav_T - sx.tts("Hello there.", voice="heart", seed=1).wav_T).max() < 1e-3
    assert main([*HELLO, "-o", "-", "--format", "flac", "--stream", "--seed", "1"]) == 0
    assert reading.probe(capfdbinary.readouterr().out).frames is None


def test_an_edit_keeps_16_bit_samples(sx: SpeechX, tmp_path: Path, speech: Any) -> None:
    soundfile.write(tmp_path / "in.wav", speech(6, rate=22050), 22050, subtype="PCM_16")
    command = [
        "speech-editing",
        str(tmp_path / "in.wav"),
        "--span",
        "2.5",
        "3.0",
        "--text",
        "one two three four five",
    ]
    assert main([*command, "-o", str(tmp_path / "out.wav")]) == 0
    (old, rate), (new, same) = (soundfile.read(tmp_path / f"{n}.wav", dtype="int16") for n in ("in", "out"))
    assert rate == same == 22050
    assert np.array_equal(old[: 22050 * 2], new[: 22050 * 2]) and np.array_equal(old[-22050:], new[-22050:])


def test_align_and_codec(sx: SpeechX, wav_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["align", str(wav_file), "--text", "Hello there.", "--json"]) == 0
    assert {w["text"] for w in json.loads(capsys.readouterr().out)["words"]} <= {"Hello", "there"}
    codes, again, trip = (str(wav_file.with_name(n)) for n in ("codes.npz", "again.wav", "trip.wav"))
    assert main(["codec", "encode", str(wav_file), "-o", codes]) == 0
    assert main(["codec", "decode", codes, "-o", again]) == 0
    assert main(["codec", "roundtrip", str(wav_file), "-o", trip]) == 0
    assert soundfile.info(again).frames == soundfile.info(trip).frames == 48000
    with np.load(codes) as file:
        other = {**file, "codec": np.array("another")}
    np.savez(codes, **other)
    assert main(["codec", "decode", codes, "-o", again]) == 2
    assert "made by codec another" in capsys.readouterr().err


def sound(name: str, speech: Any) -> bytes | None:
    """The bytes of a file that cannot be used; None for no file."""
    buffer = io.BytesIO()
    samples: Any = {
        "none.wav": np.zeros(0), "silent.wav": np.zeros(32000), "nan.wav": np.full(32000, np.nan),
        "short.wav": speech(0.05), "cut.wav": speech(3),
    }.get(name)  # fmt: skip
    if name == "missing.wav":
        return None
    if samples is None:
        return {"empty.wav": b"", "text.wav": b"this is not sound, whatever its name says " * 50}[name]
    soundfile.write(buffer, samples, 16000, format="WAV", subtype="FLOAT")
    return buffer.getvalue()[:20_000] if name == "cut.wav" else buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.wav", "does not exist"),
        ("empty.wav", "is empty"),
        ("text.wav", "not audio"),
        ("cut.wav", "truncated"),
        ("none.wav", "no samples"),
        ("silent.wav", "silent"),
        ("nan.wav", "NaN"),
        ("short.wav", "at least 0.1 s"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ["noise-suppression", "FILE"],
        ["speech-removal", "FILE"],
        ["tts", "Hello.", "--voice", "FILE"],
        ["target-speaker-extraction", "GOOD", "--enrollment", "FILE"],
        ["speech-editing", "FILE", "--text", "hi you", "--transcript", "hi there"],
        ["align", "FILE", "--text", "hi"],
    ],
    ids=lambda c: c[0],
)
def test_bad_sound(
    sx: SpeechX, wav_file: Path, speech: Any, name: str, says: str, command: list[str], capsys: Any
) -> None:
    path = wav_file.with_name(name)
    if (data := sound(name, speech)) is not None:
        path.write_bytes(data)
    places = {"FILE": str(path), "GOOD": str(wav_file)}
    refused([places.get(c, c) for c in command], says, wav_file.parent, capsys)


def refused(command: list[str], says: str, folder: Path, capsys: Any) -> None:
    """One sentence on standard error, exit code 2, no file more than before."""
    before = sorted(folder.iterdir())
    out = [] if command[0] == "align" else ["-o", str(folder / "out.wav")]
    assert main([*command, *out]) == 2
    shown = capsys.readouterr()
    assert says in shown.err and not shown.out
    assert "Traceback" not in shown.err and len(shown.err.strip().splitlines()) == 1
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["tts", "", "--voice", "heart"], "text: has nothing to speak"),
        (["tts", "  \n", "--voice", "heart"], "text: has nothing to speak"),
        (["tts", "🎉🎉", "--voice", "heart"], "text: has nothing to speak"),
        (["tts", "a" * 100_000, "--voice", "heart"], "text: has 100,000 characters"),
        (["tts", "hi", "--voice", "nobody"], "neither a file nor a known voice"),
        (["tts", "hi", "--voice", "heart", "--language", "tlh"], "language: 'tlh' is not supported"),
        (["tts", "hi", "--voice", "heart", "--seed", "-4"], "seed: "),
        (["tts", "hi", "--voice", "heart", "--top-p", "0"], "top_p: "),
        (["tts", "hi", "--voice", "heart", "--best-of", "0"], "best_of: "),
        (["tts", "hi", "--voice", "heart", "--format", "wma"], "format: "),
        (["speech-editing", "FILE", "--text", "hi"], "transcript is missing"),
        (
            ["speech-editing", "FILE", "--text", "hi", "--span", "1", "9"],
            "outside the audio, which is 3.00 s long",
        ),
        (
            ["speech-editing", "FILE", "--text", "hi", "--span", "2", "1"],
            "span: must be a start and a later end",
        ),
        (["speech-editing", "FILE", "--text", "Hi you", "--transcript", "hi, you!"], "text changes nothing"),
        (["align", "FILE", "--text", "so many words " * 40], "don't belong together"),
        (["codec", "decode", "FILE"], "no file of codes"),
    ],
)
def test_bad_requests(sx: SpeechX, wav_file: Path, command: list[str], says: str, capsys: Any) -> None:
    refused([str(wav_file) if c == "FILE" else c for c in command], says, wav_file.parent, capsys)


def test_a_transcript_of_something_else(
    sx: SpeechX, wav_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(sx.pipeline.frontend, "max_phone_errors", 0.5)
    command = ["speech-editing", str(wav_file), "--text", "hi you", "--transcript", "hi there"]
    refused(command, "transcript does not match the audio", wav_file.parent, capsys)


@pytest.mark.parametrize(
    ("output", "says"), [("no/where/out.wav", "does not exist"), ("out.xyz", "suffix"), (".", "folder")]
)
def test_bad_outputs_are_told_before_the_work(
    sx: SpeechX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, says: str, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*HELLO, "-o", output]) == 2
    assert says in capsys.readouterr().err
    assert not sx.pipeline.runner.engine.added and not list(tmp_path.iterdir())  # type: ignore[attr-defined]


def test_odd_but_usable_sound(sx: SpeechX, tmp_path: Path, speech: Any) -> None:
    soundfile.write(tmp_path / "phone.wav", speech(2, rate=8000), 8000)
    soundfile.write(tmp_path / "six.wav", np.stack([speech(2)] * 6, 1), 16000)
    for name in ("phone", "six"):
        out = tmp_path / f"{name}.out.wav"
        assert main(["noise-suppression", str(tmp_path / f"{name}.wav"), "-o", str(out)]) == 0
        assert soundfile.info(out).frames == 32000


def test_three_hours_are_refused_from_the_header(sx: SpeechX, wav_file: Path, capsys: Any) -> None:
    with soundfile.SoundFile(wav_file, "w", 4000, 1, "PCM_U8") as file:
        for _ in range(180):
            file.write(np.full(4000 * 60, 0.1))
    refused(["noise-suppression", str(wav_file)], "the limit is 3600 s", wav_file.parent, capsys)


def test_a_full_disk(sx: SpeechX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    refused(HELLO, "the disk is full", tmp_path, capsys)


def test_ctrl_c(sx: SpeechX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    engine: Any = sx.pipeline.runner.engine
    step, count = engine.step, 0

    def interrupted() -> list[Any]:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return step()

    monkeypatch.setattr(engine, "step", interrupted)
    assert main([*HELLO, "-o", str(tmp_path / "out.wav")]) == 130
    assert not list(tmp_path.iterdir()) and not engine.has_work


def test_usage_errors(sx: SpeechX, capsys: Any) -> None:
    assert main(["tts", "hi"]) == 2
    assert main(["fly"]) == 2
    assert main(["tts", "hi", "--voice", "heart", "-o", "-", "--json"]) == 2
    assert main(["--version"]) == 0
    assert "speechx 0" in capsys.readouterr().out


def test_help_names_everything(capsys: Any) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in (
        "tts",
        "speech-editing",
        "batch",
        "align",
        "codec",
        "voices",
        "bench",
        "demo",
        "data",
        "train",
    ):
        assert name in shown


def test_what_is_not_given_is_left_to_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapted voice has a language of its own, which counts where the command line names none."""
    given = list[dict[str, Any]]()
    monkeypatch.setattr("speechx.cli.task.perform", lambda task, fields, *more: given.append(fields))
    assert main(["tts", "Hi.", "--voice", "heart", "-o", "hi.wav"]) == 0
    assert main(["tts", "Hi.", "--voice", "heart", "-o", "hi.wav", "--language", "en"]) == 0
    said = {"text": "Hi.", "voice": "heart", "stream": False, "timestamps": False}
    assert given == [said, {**said, "language": "en"}]
