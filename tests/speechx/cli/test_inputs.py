"""What people write on a command line: texts that look like options, texts from files and pipes, mistyped names."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from speechx.api import SpeechX
from speechx.cli.main import main
from speechx.task import registry
from tests.house.test_layout import ROOT


class LoadedModel(Exception):
    """A command has loaded the model."""


@pytest.fixture
def sx(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> SpeechX:
    loaded = SpeechX(pipeline)
    monkeypatch.setattr(SpeechX, "load", classmethod(lambda cls, *_, **__: loaded))
    return loaded


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that loads the model fails."""

    def load(*_: object, **__: object) -> None:
        raise LoadedModel

    monkeypatch.setattr("speechx.pipeline.loading.load_pipeline", load)
    monkeypatch.setattr("speechx.pipeline.loading.load_front", load)


@pytest.fixture
def asked(sx: SpeechX, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The fields of every job."""
    fields: list[dict[str, Any]] = []
    job = sx.pipeline.job
    monkeypatch.setattr(sx.pipeline, "job", lambda task, **its: fields.append(its) or job(task, **its))
    return fields


@pytest.mark.parametrize(
    "text",
    ["-5 degrees", "-5", "-$5 off", "- first, - second", "--- and so on", "-.5", "-hello there", "—so"],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_text_may_begin_with_a_minus(
    asked: list[dict[str, Any]], tmp_path: Path, text: str, first: bool
) -> None:
    options = ["--voice", "heart", "-o", str(tmp_path / "out.wav")]
    assert main(["tts", text, *options] if first else ["tts", *options, text]) == 0
    assert asked[0]["text"] == text


def test_options_stay_options(asked: list[dict[str, Any]], wav_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    assert main(["tts", "--voice=heart", f"-o{out}", "--seed", "3", "--", "-x"]) == 0
    assert asked[0]["text"] == "-x" and out.exists()
    command = ["speech-editing", str(wav_file), "--span", "1", "2", "--text", "-5 or so", "-o", str(out)]
    assert main(command) == 0
    assert asked[1]["text"] == "-5 or so" and asked[1]["span"] == (1.0, 2.0)


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize("arguments", [["-"], ["--text-file", "-"], ["--text-file", "FILE"]])
@pytest.mark.parametrize("data", ["From a pipe.\n", "\ufeffFrom a pipe.\r\n", " From a pipe."])
def test_text_from_a_pipe_or_a_file(
    asked: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    data: str,
) -> None:
    pipe(monkeypatch, data.encode())
    (tmp_path / "text.txt").write_bytes(data.encode())
    given = [str(tmp_path / "text.txt") if a == "FILE" else a for a in arguments]
    assert main(["tts", *given, "--voice", "heart", "-o", str(tmp_path / "out.wav")]) == 0
    assert asked[0]["text"] == "From a pipe."


@pytest.mark.parametrize("option", ["-", "/dev/fd"])
def test_sound_from_a_pipe(
    sx: SpeechX, wav_file: Path, tmp_path: Path, option: str, monkeypatch: Any
) -> None:
    """`cat in.wav | speechx noise-suppression -`, and `speechx noise-suppression <(cat in.wav)`."""
    pipe(monkeypatch, wav_file.read_bytes())
    if option != "-":
        end, other = os.pipe()
        option = f"/dev/fd/{end}"
        threading.Thread(target=lambda: (os.write(other, wav_file.read_bytes()), os.close(other))).start()
    for source, name in ((option, "pipe"), (str(wav_file), "file")):
        assert main(["noise-suppression", source, "-o", str(tmp_path / f"{name}.wav"), "--seed", "1"]) == 0
    assert (tmp_path / "pipe.wav").read_bytes() == (tmp_path / "file.wav").read_bytes()


def test_sound_for_every_command_from_standard_input(
    sx: SpeechX, wav_file: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    out = ["-o", str(tmp_path / "out.wav")]
    monkeypatch.setenv("SPEECHX_VOICES", str(tmp_path / "voices"))
    monkeypatch.setattr("speechx.pipeline.loading.load_front", lambda _, codec=None: sx.pipeline.frontend)
    for command in (
        ["tts", "Hello.", "--voice", "-", *out],
        ["target-speaker-extraction", str(wav_file), "--enrollment", "-", *out],
        ["codec", "roundtrip", "-", *out],
        ["align", "-", "--text", "Hello there."],
        ["voices", "add", "-", "piped", "--consent"],
    ):
        pipe(monkeypatch, wav_file.read_bytes())
        assert main(command) == 0, command


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "audio: standard input is empty (0 bytes)"),
        (b"no sound " * 99, "audio: the audio is text, not audio"),
    ],
)
def test_no_sound_from_a_pipe(no_model: None, data: bytes, says: str, monkeypatch: Any, capsys: Any) -> None:
    pipe(monkeypatch, data)
    assert main(["noise-suppression", "-", "-o", "out.wav"]) == 2
    assert says in capsys.readouterr().err


def test_every_text_may_come_from_a_file(
    asked: list[dict[str, Any]], wav_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    old, new = wav_file.with_name("old.txt"), wav_file.with_name("new.txt")
    old.write_text("hi there")
    new.write_text("hi you")
    command = ["speech-editing", str(wav_file), "--transcript-file", str(old), "--text-file", str(new)]
    assert main([*command, "-o", str(wav_file.with_name("out.wav"))]) == 0
    assert (asked[0]["transcript"], asked[0]["text"]) == ("hi there", "hi you")
    pipe(monkeypatch, b"At 5.")
    assert main(["text", "-"]) == 0
    assert "at five" in capsys.readouterr().out.lower()
    assert main(["text", "--text-file", str(old)]) == 0
    assert main(["text", "-5 degrees"]) == 0


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["tts", "--text-file", "nowhere.txt", "--voice", "heart"], "text_file: nowhere.txt cannot be read: No such file"),
        (["tts", "--text-file", "latin.txt", "--voice", "heart"], "latin.txt is not UTF-8 text; convert it, for example"),
        (["tts", "--text-file", "empty.txt", "--voice", "heart"], "text_file: empty.txt is empty"),
        (["tts", "--text-file", "long.txt", "--voice", "heart"], "more than 20,000 characters"),
        (["tts", "hi", "--text-file", "latin.txt", "--voice", "heart"], "text is given already"),
        (["tts", "-", "--voice", "heart"], "text: standard input is empty"),
        (["tts", "-", "--voice", "-"], "voice: standard input is already the text; give one of them as a file"),
        (["tts", "--text-file", "-", "--voice", "-"], "standard input is already the"),
        (["tts", "Gr\udcfcn", "--voice", "heart"], "text: holds bytes that are not UTF-8"),
        (["tts", "--voice", "heart"], "text is missing"),
        (["text"], "text is missing"),
        (["align", "in.wav"], "text is missing"),
    ],
)  # fmt: skip
def test_unusable_texts(
    wav_file: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], says: str, capsys: Any
) -> None:
    monkeypatch.chdir(wav_file.parent)
    pipe(monkeypatch, b"")
    Path("latin.txt").write_bytes("Grüße".encode("latin-1"))
    Path("empty.txt").write_text("\n")
    Path("long.txt").write_text("a " * 60_000)
    out = ["-o", "out.wav"] if command[0] == "tts" else []
    assert main([*command, *out]) == 2
    shown = capsys.readouterr().err
    assert says in shown and len(shown.splitlines()) == 1


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["tts", "hi", "--voice", "haert", "-o", "o.wav"], "did you mean 'heart'?"),
        (["tts", "hi", "--voice", "me.wav", "-o", "o.wav"], "voice: the file me.wav does not exist"),
        (["tts", "hi", "--voice", "heart", "-o", "no/o.wav"], "output: the folder no does not exist"),
        (["tts", "hi", "--voice", "heart", "--language", "Spanish", "-o", "o.wav"], "did you mean 'es'?"),
        (["noise-suppression", "text.txt", "-o", "o.wav"], "audio: the file text.txt is text, not audio"),
        (["target-speaker-extraction", "in.wav", "--enrollment", "ana", "-o", "o.wav"], "enrollment 'ana' is neither"),
        (["align", "in.wav", "--text", "hi", "--language", "xx"], "language 'xx' is not supported"),
        (["align", "none.wav", "--text", "hi"], "audio: the file none.wav does not exist"),
        (["codec", "roundtrip", "in.wav", "-o", "o.xyz"], "output: the suffix '.xyz' is not one of"),
        (["codec", "encode", "none.wav", "-o", "o.npz"], "audio: the file none.wav does not exist"),
        (["codec", "decode", "in.wav", "-o", "o.wav"], "is no file of codes"),
        (["voices", "add", "in.wav", "me", "--consent", "--language", "english"], "did you mean 'en'?"),
        (["voices", "add", "in.wav", "me"], "consent: --consent is missing; give it where the speaker agreed"),
        (["voices", "remove", "nobody"], "voice 'nobody' is not enrolled"),
    ],
)  # fmt: skip
def test_inputs_are_checked_before_the_model_loads(
    wav_file: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], says: str, capsys: Any
) -> None:
    monkeypatch.chdir(wav_file.parent)
    monkeypatch.setenv("SPEECHX_VOICES", str(wav_file.parent / "voices"))
    Path("text.txt").write_text("this is not sound " * 50)
    assert main(command) == 2
    shown = capsys.readouterr().err
    assert says in shown and len(shown.splitlines()) == 1


def test_voices_are_known_without_regard_to_case(sx: SpeechX, tmp_path: Path) -> None:
    assert main(["tts", "hi", "--voice", "Heart", "-o", str(tmp_path / "out.wav")]) == 0
    assert (
        sx.tts("hi", voice="HEART", seed=1).wav_T.tobytes()
        == sx.tts("hi", voice="heart", seed=1).wav_T.tobytes()
    )


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["ttz", "hi"], "did you mean 'tts'?"),
        (["noise-supression", "a.wav"], "did you mean 'noise-suppression'?"),
        (["voices", "lst"], "Did you mean 'list'?"),
        (["tts", "hi", "--voise", "heart"], "did you mean '--voice'?"),
        (
            ["tts", "--text", "hi", "--voice", "heart"],
            "no option --text: TEXT has no name here, as in speechx tts TEXT",
        ),
        (["tts", "-hello", "--voice", "heart"], "write -- before a text that begins with -"),
        (["fly"], "there is no command 'fly'"),
    ],
)
def test_did_you_mean(command: list[str], says: str, capsys: Any) -> None:
    assert main(command) == 2
    shown = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert says in shown


def test_python_m_speechx() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "speechx", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("speechx 0")


@pytest.mark.parametrize(
    ("module", "command", "fix"),
    [
        ("uvicorn", "serve", "pip install 'speechx[serve]'"),
        ("prometheus_client", "serve", "pip install 'speechx[serve]'"),
        ("multipart", "serve", "pip install 'speechx[serve]'"),
        ("scipy", "train", "pip install 'speechx[train]'"),
        ("scipy", "eval", "pip install 'speechx[eval]'"),
        ("av", "tts", "pip install 'speechx[m4a]'"),
        ("no_such_package", "serve", "pip install no-such-package"),
    ],
)
@pytest.mark.parametrize("when", ["found", "called"])
def test_a_missing_extra_is_named(
    module: str, command: str, fix: str, when: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def command_of_an_extra() -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    def load(point: EntryPoint) -> Any:
        return command_of_an_extra if when == "called" else command_of_an_extra()

    point = EntryPoint(command if command != "tts" else "sing", "any:thing", "speechx.commands")
    monkeypatch.setattr("speechx.cli.main.entry_points", lambda **by: EntryPoints([point]).select(**by))
    monkeypatch.setattr(EntryPoint, "load", load)
    assert main([point.name]) == 2
    package = module.replace("_", "-").replace("multipart", "python-multipart")
    assert capsys.readouterr().err == f"speechx: {package} is not installed; `{fix}` installs it\n"


def test_a_bug_is_not_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'speechx.nothing'", name="speechx.nothing")

    point = EntryPoint("serve", "any:thing", "speechx.commands")
    monkeypatch.setattr("speechx.cli.main.entry_points", lambda **by: EntryPoints([point]).select(**by))
    monkeypatch.setattr(EntryPoint, "load", lambda point: broken)
    with pytest.raises(ModuleNotFoundError):
        main(["serve"])


@pytest.mark.parametrize("name", registry.task_names())
def test_help_is_in_the_words_of_its_users(name: str, capsys: Any) -> None:
    assert main([name.replace("_", "-"), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example: speechx {name.replace('_', '-')}" in shown and "--text-file" in shown
    for jargon in ("codebook", "likeliest codes", "aligner", "<str>    2-30 s"):
        assert jargon not in shown


def test_output_is_an_option_of_every_command_that_writes(capsys: Any) -> None:
    for command in (
        ["codec", "encode"], ["codec", "decode"], ["demo"], ["batch"], ["data", "prepare"], ["data", "mix"],
        ["data", "estimate"], ["data", "split"], ["data", "join"], ["data", "perturb"], ["data", "example"],
        ["train", "codec"], ["train", "lm"], ["train", "aligner"], ["train", "refiner"], ["train", "export"],
        ["train", "slim"], ["train", "smoke"], ["eval", "build"], ["eval", "convert"], ["eval", "run"],
    ):  # fmt: skip
        assert main([*command, "--help"]) == 0
        shown = capsys.readouterr().out
        assert "--output" in shown and " -o " in shown, command


@pytest.mark.parametrize("kind", ["codec", "aligner", "lm", "refiner"])
def test_a_checkpoint_is_not_trained_over(kind: str, tmp_path: Path, capsys: Any) -> None:
    more = {
        "codec": ["--pack", "."], "aligner": ["--pack", ".", "--codec", "."], "lm": ["--shards", ".", "--codec", "."],
        "refiner": ["--pack", ".", "--estimates", ".", "--codec", "."],
    }[kind]  # fmt: skip
    recipe = {
        "codec": "codec/1-cpu",
        "aligner": "aligner/1-ctc",
        "lm": "lm/1-tts",
        "refiner": "refiner/1-start",
    }
    command = ["train", kind, "--config", recipe[kind], *more, "-o", str(tmp_path)]
    assert main([*command, "--resume"]) == 2
    assert f"resume: there is no checkpoint in {tmp_path}" in capsys.readouterr().err
    (tmp_path / "last.pt").write_bytes(b"weights")
    assert main(command) == 2
    assert "go on with it by --resume, or name another folder" in capsys.readouterr().err
    assert (tmp_path / "last.pt").read_bytes() == b"weights"
