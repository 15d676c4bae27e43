"""`speechx adapt` and `speechx adapters`: from a folder of recordings to a voice that is used by its name."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechx.api import SpeechX
from speechx.cli.main import main
from speechx.data.packs import AudioPack
from speechx.data.synthetic import synthetic_pack
from speechx.models.lm.folder import LM_FOLDER, load_model
from speechx.task.voices import VoiceStore
from tests.helpers.adapters import adapter_bytes

TEXT = {"text": "One two three.", "seed": 1, "best_of": 1}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute and more of one generated voice, each recording with its text."""
    made, folder = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("recordings") / "anna"
    folder.mkdir()
    pack = AudioPack(synthetic_pack(made, utterances=24, speakers=1, noises=1))
    for number, row in enumerate(row for row in pack.rows if row.text and row.language == "en"):
        rest_T = np.zeros(8000, np.float32)
        soundfile.write(
            folder / f"{number:02d}.wav", np.concatenate([rest_T, pack.audio(row), rest_T]), 16000
        )
        (folder / f"{number:02d}.txt").write_text(row.text or "")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEECHX_VOICES", str(tmp_path / "voices"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_too_few_seconds_say_how_many_are_needed(
    recordings: Path, tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = here / "few"
    few.mkdir()
    for number in range(5):
        for file in recordings.glob(f"{number:02d}.*"):
            shutil.copy(file, few)
    assert adapt(few, tiny_folder) == 2
    said = re.search(
        r"(\d+) s can be used, of which (\d+) s are held out and (\d+) s are left to train on, where 40 s are needed: "
        r"give (\d+) s or more in all",
        capsys.readouterr().err,
    )
    assert said is not None
    used, held, left, needed = map(int, said.groups())
    assert abs(used - held - left) <= 1 and needed >= 60


def test_what_may_be_given_is_in_the_help_and_in_the_refusal(
    recordings: Path, tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["adapt", "--help"]) == 0
    told = " ".join(re.sub(r"[│\n]", " ", capsys.readouterr().out).split())
    for word in (
        "NAME.lab",
        "CSV or JSONL",
        "one long file",
        "or one that was added",
        "adds any other language",
    ):
        assert word in told
    assert adapt(recordings / "00.txt", tiny_folder) == 2
    told = capsys.readouterr().err
    assert (
        "00.txt is neither a table nor a sound file; give a folder of recordings, a CSV, TSV or JSONL" in told
    )


def test_a_language_is_known_in_any_case_and_with_its_region(
    recordings: Path, tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["text", "Bonjour", "--language", "fr-FR", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["language"] == "fr"
    (here / "m.csv").write_text(f"audio;text;language\n{recordings / '00.wav'};Hi.;EN_us\n")
    assert main(["data", "prepare", "m.csv", "-o", "pack", "--language", "EN", "--workers", "1"]) == 0
    assert [row.language for row in AudioPack("pack").rows] == ["en"]
    capsys.readouterr()
    assert adapt(here / "m.csv", tiny_folder, "--language", "FR") == 2
    assert "are said to be in en, not in fr" in capsys.readouterr().err


def test_an_interruption_keeps_what_was_learned(
    recordings: Path,
    tiny_folder: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        first = lambda step, values: signal.raise_signal(signal.SIGINT) if step == 1 else None  # noqa: E731
        patch.setattr("speechx.training.adapt._show", first)
        assert adapt(recordings, tiny_folder, "--minutes", "5") == 130
    assert "the same command with --resume continues" in capsys.readouterr().err
    kept = torch.load(here / "models/.anna.work/run/last.pt", weights_only=False)
    assert kept["step"] >= 1
    assert adapt(recordings, tiny_folder, "--resume") == 0


def test_an_interrupted_report_is_made_again(
    recordings: Path,
    tiny_folder: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "speechx.cli.adapt.launcher", lambda name: lambda *given: None
    )  # as if all judges were there
    monkeypatch.setattr("speechx.cli.adapt._report", interrupted)
    options = [
        "adapt",
        str(recordings),
        "--name",
        "anna",
        "--model",
        str(tiny_folder),
        "--minutes",
        "0.05",
        "--max-per",
        "99",
        "--consent",
    ]
    assert main(options) == 130
    assert "the same command with --resume continues" in capsys.readouterr().err
    monkeypatch.setattr("speechx.cli.adapt._report", lambda *given: {})
    assert main([*options, "--resume"]) == 0
    assert (here / "models/anna/adaptation.json").is_file()


def adapt(recordings: Path, tiny_folder: Path, *more: str) -> int:
    # The aligner of the tiny model has learned nothing, so no text is refused.
    options = ["--model", str(tiny_folder), "--minutes", "0.05", "--max-per", "99", "--no-report"]
    return main(["adapt", str(recordings), "--name", "anna", *options, *more])


def test_from_recordings_to_a_voice(
    recordings: Path, tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt(recordings, tiny_folder, "--consent", "--license", "CC0") == 0
    said = capsys.readouterr()
    assert "held out" in said.err and "Loss of held-out recordings" in said.err and "minutes left" in said.out
    assert "use it with --voice anna" in said.err
    folder = here / "models" / "anna"
    with (folder / "recordings.csv").open(newline="") as file:
        used = [row["used_for"] for row in csv.DictReader(file)]
    assert used.count("held out") == 2 and used.count("training") >= 5
    assert not list((here / "models").glob(".*")), "nothing is left of the work"
    figures = json.loads((folder / "adaptation.json").read_text())
    assert figures["peak_memory_mb"] > 50 and set(figures["loss"]) == {"before", "after"}

    file = folder / "lm" / "adapters" / "anna.safetensors"
    assert main(["adapters", "info", str(file)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (
        facts["name"] == "anna"
        and facts["languages"] == ["en"]
        and facts["license"] == "CC0"
        and facts["consent"]
    )
    assert facts["base"] == LM_FOLDER.weights_hash(tiny_folder / "lm") and facts["seconds"] > 30

    assert main(["adapters", "list", "--json"]) == 0
    assert [row["voice"] for row in json.loads(capsys.readouterr().out)] == ["anna"]
    by_voice = SpeechX.load(tiny_folder).tts(voice="anna", **TEXT)
    by_model = SpeechX.load(folder).tts(voice=(VoiceStore().wav("anna"), 16000), **TEXT)
    np.testing.assert_array_equal(by_voice.wav_T, by_model.wav_T)
    assert main(["adapters", "remove", "anna"]) == 0 and VoiceStore().get("anna").adapter == ""


def test_what_exists_is_not_overwritten(
    recordings: Path, tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "models" / "anna").mkdir(parents=True)
    assert adapt(recordings, tiny_folder) == 2
    assert "models/anna exists; choose another folder, or --overwrite" in capsys.readouterr().err
    shutil.rmtree(here / "models" / "anna")
    assert adapt(recordings, tiny_folder, "--resume") == 2
    assert "no interrupted run" in capsys.readouterr().err
    (here / "models" / ".anna.work").mkdir()
    (here / "models" / ".anna.work" / "recordings.csv").write_text("id\n")
    assert adapt(recordings, tiny_folder) == 2
    assert "continue it with --resume" in capsys.readouterr().err


def test_only_a_model_of_its_own_is_overwritten(
    recordings: Path, tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = shutil.copytree(recordings, here / "mine")
    held = sorted(path.name for path in mine.iterdir())
    assert adapt(mine, tiny_folder, "-o", str(mine), "--overwrite") == 2
    assert "holds something other than a model of speechx adapt" in capsys.readouterr().err
    assert sorted(path.name for path in mine.iterdir()) == held
    for name in ("recordings.csv", "lm/config.json"):
        (mine / name).parent.mkdir(exist_ok=True)
        (mine / name).touch()
    first = min(mine.glob("*.wav"))
    (here / "list.csv").write_text(f"audio,text,speaker,language\n{first},Yes.,anna,en\n")
    for given in (mine, here / "list.csv"):
        assert adapt(given, tiny_folder, "-o", str(mine), "--overwrite") == 2
        assert f"output: the recording {first} is in it" in capsys.readouterr().err
    assert first.is_file()


def test_where_a_model_can_be_written(
    recordings: Path, tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt(recordings, tiny_folder, "-o", ".") == 2
    assert "output: . names no new folder" in capsys.readouterr().err
    assert adapt(recordings, tiny_folder, "-o", str(tiny_folder), "--overwrite") == 2
    disk = here / "disk" / "anna"
    disk.mkdir(parents=True)
    (here / "anna").symlink_to(disk)
    assert adapt(recordings, tiny_folder, "-o", "anna", "--overwrite") == 0, "an empty folder, by a link"
    (disk / "report").mkdir()
    again = [
        "adapt",
        str(recordings),
        "--name",
        "anna",
        "--model",
        "anna",
        "--minutes",
        "0.05",
        "--no-report",
    ]
    capsys.readouterr()
    assert main([*again, "--max-per", "99", "-o", "anna", "--overwrite"]) == 2
    assert "is the model to start from" in capsys.readouterr().err
    assert main([*again, "--max-per", "99", "-o", "more"]) == 0
    assert sorted(p.name for p in (here / "more").iterdir() if not p.suffix) == ["aligner", "codec", "lm"], (
        "no report"
    )


def test_without_consent_no_voice_is_promised(
    recordings: Path, tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt(recordings, tiny_folder) == 0
    said = capsys.readouterr().err
    assert "no voice is enrolled: that takes --consent" in said and "--voice" not in said
    assert adapt(recordings, tiny_folder, "--overwrite") == 0, "a model of its own is replaced"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--name", "Anna B"], "name 'Anna B' must be 1-64 of a-z"),
        (["--language", "english"], "did you mean 'en'?"),
        (["--config", "lm/nothing"], "neither a file nor a packaged recipe"),
        (["--name", "heart", "--consent"], "'heart' is a voice of the package; choose another name"),
        (["--name", "heart", "--consent", "--overwrite"], "'heart' is a voice of the package"),
        (["--config", "lm/8-languages"], "a recipe of `speechx adapt` has `rank` and `patience`"),
        (["--model", "nowhere"], "is no model folder"),
    ],
)
def test_unusable_options(
    recordings: Path,
    tiny_folder: Path,
    here: Path,
    options: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert adapt(recordings, tiny_folder, *options) == 2
    assert words in capsys.readouterr().err


def test_recordings_that_are_none(tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "empty").mkdir()
    assert adapt(here / "empty", tiny_folder) == 2
    assert "no recordings are in" in capsys.readouterr().err
    assert adapt(here / "missing", tiny_folder) == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.fixture
def enrolled(here: Path, tiny_folder: Path, speech: Callable[..., np.ndarray]) -> Path:
    """The file of an adapter, and an enrolled voice without one."""
    VoiceStore().enroll((speech(4.0), 16000), "anna", consent=True)
    file = here / "anna.safetensors"
    file.write_bytes(
        adapter_bytes(load_model(tiny_folder / "lm"), LM_FOLDER.weights_hash(tiny_folder / "lm"))
    )
    return file


def test_an_adapter_moves_to_a_voice_or_a_model(
    enrolled: Path, tiny_folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(tiny_folder)]
    assert main(["adapters", "add", str(enrolled), "anna", *model]) == 0
    assert VoiceStore().get("anna").adapter
    assert main(["adapters", "merge", str(enrolled), "-o", "merged", *model]) == 0
    adapted = SpeechX.load(tiny_folder).tts(voice="anna", **TEXT).wav_T
    VoiceStore().set_adapter("anna", None)
    np.testing.assert_array_equal(SpeechX.load("merged").tts(voice="anna", **TEXT).wav_T, adapted)
    for args, words in (
        (["add", str(enrolled), "anne", *model], "voice 'anne' is not enrolled; did you mean 'anna'?"),
        (["add", str(enrolled), "anna"], "it was made for language model"),
        (["add", "nowhere", "anna"], "nowhere cannot be read"),
        (["merge", str(enrolled), "-o", "merged", *model], "merged exists"),
        (["remove", "anna"], "voice 'anna' has no adapter"),
        (["info", str(here / "merged" / "lm" / "config.json")], "no safetensors file"),
    ):
        capsys.readouterr()
        assert main(["adapters", *args]) == 2
        assert words in capsys.readouterr().err
