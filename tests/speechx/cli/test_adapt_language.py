"""`speechx adapt --language fy --phones rules.yaml`: a language that the model did not have, from recordings to HTTP."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechx.api import SpeechX
from speechx.cli.main import main
from speechx.data.synthetic import SyntheticVoice
from speechx.errors import InputError
from speechx.models.adapter_file import read_adapter, write_adapter
from speechx.models.lm.folder import load_model, voice_adapters
from speechx.models.lora import LANGUAGE_ROW
from speechx.task.voices import VoiceStore
from speechx.text import TextFrontend
from speechx.text.languages import AddedLanguage, add_language, added_language

RULES = "phones:\n" + "".join(f"  {pair}\n" for pair in (
    "a: a", "aa: aː", "i: i", "o: o", "e: ɛ", "u: u", "m: m", "n: n", "s: s", "t: t", "k: k", "d: d", "l: l", "(e)$: ə",
)) + "stress: first\n"  # fmt: skip
WORDS = "maan tonne mune skule dei moarn lije simmel stedsje kninen nacht lân".split()
REQUEST = {"text": "Moan en sinne.", "language": "fy", "seed": 1, "best_of": 1}


def write_recordings(folder: Path) -> Path:
    """Half a minute and more of one generated voice in a language of its own, with texts, and its rules."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    add_language(AddedLanguage("fy", rules=RULES))
    frontend, voice, rest_T = TextFrontend(), SyntheticVoice.number(3), np.zeros(8000, np.float32)
    for number in range(24):
        text = " ".join(rng.choice(WORDS, 9)).capitalize() + "."
        wav_T, _ = voice.say(frontend(text, "fy"), rng)
        soundfile.write(folder / f"{number:02d}.wav", np.concatenate([rest_T, wav_T, rest_T]), 16000)
        (folder / f"{number:02d}.txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """A folder in which the language was adapted, with a voice that has its adapter."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("speechx.text.languages._added", {})
        patch.setenv("SPEECHX_VOICES", str(folder / "voices"))
        patch.chdir(folder)
        recordings = write_recordings(folder / "recordings")
        (folder / "fy.yaml").write_text(RULES)
        (folder / "recordings" / "23.txt").write_text("Op 3 maart.")
        patch.setattr("speechx.text.languages._added", {})
        options = ["--language", "fy", "--phones", "fy.yaml", "--name", "anna", "--consent", "--no-report"]
        # The aligner of the tiny model has learned nothing, so no text is refused.
        tiny = ["--model", str(tiny_folder), "--minutes", "0.05", "--max-per", "99"]
        assert main(["adapt", str(recordings), *options, *tiny]) == 0
    return folder


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch, no_added_languages: None) -> Path:
    """A new process in that folder."""
    monkeypatch.setenv("SPEECHX_VOICES", str(home / "voices"))
    monkeypatch.chdir(home)
    return home


def test_a_command_needs_the_model_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [
        "tts",
        REQUEST["text"],
        "--voice",
        "heart",
        "--model",
        "models/anna",
        "-o",
        "a.wav",
        "--best-of",
        "1",
    ]
    assert main([*map(str, line), "--language", "fy"]) == 0 and Path("a.wav").exists()
    assert main([*map(str, line), "--language", "nl"]) == 2
    assert (
        "language: 'nl' is not supported; choose one of en, es, fr, de, it, pt, fy" in capsys.readouterr().err
    )
    assert main([*map(str, line), "--language", "xx"]) == 2, (
        "no code of a language is refused without the model"
    )
    line[1] = "Op 3 maart."
    assert main([*map(str, line), "--language", "fy"]) == 2
    assert (
        "'Op' cannot be" not in (said := capsys.readouterr().err)
        and "'3' cannot be read in language 'fy'" in said
    )
    assert main(["text", "Moan", "--language", "fy", "--model", "models/anna"]) == 0
    assert capsys.readouterr().out == "Moan\n  _ m ˈo a n _\n"
    assert (
        main(["align", "recordings/00.wav", "--text", "moan", "--language", "fy", "--model", "models/anna"])
        == 0
    )


def test_what_is_in_the_adapter(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters", "info", "models/anna/lm/adapters/anna.safetensors"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["languages"] == ["fy"] and facts["added"] == {"code": "fy", "espeak": "", "rules": RULES}
    ((_, adapter),) = voice_adapters("models/anna/lm")
    assert adapter.tensors[LANGUAGE_ROW].shape == load_model("models/anna/lm").embed.weight.shape[1:]
    assert "'3' cannot be read" in Path("models/anna/recordings.csv").read_text()


def test_the_voice_brings_its_language_to_any_model(here: Path, tiny_folder: Path) -> None:
    sx = SpeechX.load(tiny_folder)
    with pytest.raises(InputError, match="language: 'fy' is not supported"):
        sx.tts(voice="heart", **REQUEST)
    by_voice = sx.tts(voice="anna", **REQUEST)
    assert added_language("fy") is not None
    with pytest.raises(InputError, match="language: 'fy' is not supported"):
        sx.tts(voice="heart", **REQUEST)
    by_model = SpeechX.load("models/anna").tts(voice=(VoiceStore().wav("anna"), 16000), **REQUEST)
    np.testing.assert_array_equal(by_voice.wav_T, by_model.wav_T)
    with pytest.raises(InputError, match="voice_language: 'fy' was added"):
        sx.cross_lingual_tts("Hello.", voice="anna", language="en", voice_language="fy", voice_text="Moan.")


def test_the_row_is_used(here: Path, tiny_folder: Path) -> None:
    """The token of the language is the adapter's row in the engine, as it was in training."""
    sx = SpeechX.load("models/anna")
    before = sx.tts(voice="heart", **REQUEST).wav_T
    runner = sx.pipeline.runner.engine.runner
    ((name, (token, row_D)),) = runner._language_rows.items()
    runner._language_rows[name] = token, -row_D
    after = sx.tts(voice="heart", **REQUEST).wav_T
    assert len(after) != len(before) or not np.array_equal(after, before)


def test_other_languages_are_as_before(here: Path, tiny_folder: Path) -> None:
    english = {**REQUEST, "text": "One two three.", "language": "en", "voice": "heart"}
    adapted, plain = SpeechX.load("models/anna").tts(**english), SpeechX.load(tiny_folder).tts(**english)
    np.testing.assert_array_equal(adapted.wav_T, plain.wav_T)


def test_batch(here: Path) -> None:
    rows = [{"id": "a", "task": "tts", "voice": "heart", **REQUEST}, {"id": "b", "task": "tts", "voice": "heart",
            "text": "x", "language": "nl"}]  # fmt: skip
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["batch", "rows.jsonl", "-o", "out", "--model", "models/anna"]) == 3
    found = {row["id"]: row for row in map(json.loads, Path("out/results.jsonl").read_text().splitlines())}
    assert Path("out/a.wav").exists() and "'nl' is not supported" in found["b"]["error"]


@pytest.mark.skipif(find_spec("fastapi") is None, reason="needs the extra serve")
def test_http(here: Path) -> None:
    import httpx

    from speechx.serving.app import build_app
    from speechx.serving.cluster.replica import ReplicaOptions, make_served_engine
    from tests.serving.common import running, settings

    engine = make_served_engine(
        ReplicaOptions(model="models/anna", slots=2, waiting=2, voices=os.environ["SPEECHX_VOICES"])
    )
    try:
        with running(build_app(engine, settings())) as address:
            said = httpx.post(f"{address}/v1/tts", json={**REQUEST, "voice": "heart"}, timeout=60)
            assert said.status_code == 200, said.text
            route = httpx.get(f"{address}/openapi.json").json()["paths"]["/v1/tts"]["post"]
            schema = route["requestBody"]["content"]["application/json"]["schema"]
            assert schema["properties"]["language"]["enum"][-1] == "fy"
            refused = httpx.post(
                f"{address}/v1/tts", json={**REQUEST, "voice": "heart", "language": "nl"}, timeout=60
            )
            assert refused.status_code == 422 and refused.json()["error"]["field"] == "language"
    finally:
        engine.close()


def test_two_readings_of_one_language(
    here: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one that was first stays; the other voice is refused, and named where voices are listed."""
    store = VoiceStore()
    info, adapter = read_adapter(Path("models/anna/lm/adapters/anna.safetensors").read_bytes())
    other = AddedLanguage("fy", rules=RULES.replace("first", "last"))
    store.enroll((store.wav("heart"), 16000), "bert", consent=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("speechx.text.languages._added", {})
        store.set_adapter("bert", write_adapter(info.with_(name="bert", added=other), adapter.tensors))
    assert main(["adapters", "list"]) == 0
    said = capsys.readouterr()
    assert "anna" in said.out and "voice bert: adapter: language 'fy' is read by rules here" in said.err
    sx = SpeechX.load(tiny_folder)
    assert sx.tts(voice="anna", **REQUEST).seconds > 0
    with pytest.raises(InputError, match="one process can read it in one way"):
        sx.tts(voice="bert", **REQUEST)
    store.remove("bert")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--language", "sv"], "language 'sv' has no rules of its own: name a model that has it, or how"),
        (["--language", "en", "--phones", "espeak"], "phones: language 'en' has rules of its own"),
        (["--language", "xx", "--phones", "espeak"], "language 'xx' is no code of a language"),
        (
            ["--language", "sv", "--phones", "none.yaml"],
            "none.yaml is neither espeak nor a file that can be read",
        ),
        (["--language", "sv", "--phones", "bad.yaml"], "phones: line 2: 'a' writes 'aa', which is none of"),
        (
            ["--language", "sv", "--phones", "latin.yaml"],
            "phones: latin.yaml is not UTF-8 text; convert it, for",
        ),
        (["--language", "sv", "--phones", "/dev/null"], "/dev/null is empty"),
    ],
)
def test_readings_that_cannot_be_used(
    here: Path, tiny_folder: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.yaml").write_text("phones:\n  a: aa\n", "utf-8-sig")
    Path("latin.yaml").write_text("phones:\n  é: e\n", "latin1")
    assert main(["adapt", "recordings", "--name", "bert", "--model", str(tiny_folder), *options]) == 2
    assert words in capsys.readouterr().err and not Path("models/bert").exists()


def test_a_voice_on_top_of_the_language(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The model that has the language is adapted again without --phones, from where its adapter is."""
    options = ["--name", "aaron", "--language", "fy", "--minutes", "0.05", "--max-per", "99", "--no-report"]
    assert main(["adapt", "recordings", "--model", "models/anna", *options]) == 0
    assert "begins as" not in capsys.readouterr().out
    ((info, _),) = voice_adapters("models/aaron/lm")
    assert info.name == "aaron" and info.added == AddedLanguage("fy", rules=RULES)
