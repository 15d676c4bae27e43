"""Model folders: loading, weights that do not belong together, and the whole way with a tiny model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from speechx.api import SpeechX
from speechx.cli.main import main
from speechx.errors import InputError
from speechx.pipeline.loading import load_pipeline


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def test_the_environment_names_the_model(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHX_MODEL", str(tiny_folder))
    one, two = SpeechX.load(), SpeechX.load(tiny_folder, slots=2)
    assert one.pipeline.model == two.pipeline.model and len(one.pipeline.model) == 16
    said = [sx.tts("Hello there.", voice="heart", seed=3) for sx in (one, two)]
    assert np.array_equal(said[0].wav_T, said[1].wav_T)
    assert said[0].info["model"] == one.pipeline.model


def test_tasks_share_the_batch_and_nothing_else(tiny_folder: Path, speech: Any) -> None:
    sx = SpeechX.load(tiny_folder, slots=4)
    rows: list[dict[str, Any]] = [
        {"task": "tts", "text": "Hello there.", "voice": "heart", "seed": 1},
        {"task": "noise_suppression", "audio": (speech(1.5), 16000), "seed": 2},
        {"task": "speech_removal", "audio": (speech(1.0), 16000), "text": "Hello.", "seed": 3},
        {"task": "target_speaker_extraction", "audio": (speech(1), 16000), "enrollment": "heart", "seed": 4},
        {
            "task": "speech_editing",
            "audio": (speech(3), 16000),
            "text": "one two three",
            "span": (1, 2),
            "seed": 5,
        },
    ]
    together = {row["task"]: result for row, result in sx.batch(rows)}
    for row in rows:
        alone = sx.run(row["task"], **{k: v for k, v in row.items() if k != "task"})
        result: Any = together[row["task"]]
        assert np.array_equal(alone.wav_T, result.wav_T), row["task"]


def test_command_line(
    tiny_folder: Path, wav_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("SPEECHX_MODEL", str(tiny_folder))
    out = wav_file.with_name("out.wav")
    command = [
        "noise-suppression",
        str(wav_file),
        "-o",
        str(out),
        "--seed",
        "1",
        "--temperature",
        "0",
        "--json",
    ]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["rtf"] > 0
    first = out.read_bytes()
    assert main(command) == 0 and out.read_bytes() == first
    assert soundfile.info(out).frames == 48000


def spoil(folder: Path, how: str) -> None:
    """Makes a model folder unusable."""
    if how == "no lm":
        shutil.rmtree(folder / "lm")
    elif how == "no codec":
        (folder / "codec" / "config.json").unlink()
    elif how.startswith("cut"):
        file = folder / how.split()[1] / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-1000])
    elif how.startswith("other codec"):
        from speechx.models.aligner import ALIGNER_FOLDER
        from speechx.models.lm.folder import LM_FOLDER

        kind: Any = LM_FOLDER if how.endswith("lm") else ALIGNER_FOLDER
        config, tensors = kind.read(folder / how.split()[-1])
        kind.write(folder / how.split()[-1], config.with_(codec_hash="0123456789abcdef"), tensors)
    elif how.startswith("broken"):
        (folder / how.split()[1] / "config.json").write_text("{")
    elif how == "other weights":
        from safetensors.numpy import load_file, save_file

        file = folder / "codec" / "model.safetensors"
        tensors = load_file(file)
        name = min(tensors)
        save_file(tensors | {name: tensors[name] + np.float16(1)}, file)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("no lm", "lm/config.json is missing"),
        ("no codec", "codec/config.json is missing"),
        ("cut lm", "cannot be read"),
        ("cut codec", "cannot be read"),
        ("cut aligner", "cannot be read"),
        ("broken lm", "not valid JSON"),
        ("broken codec", "codec"),
        ("broken aligner", "aligner"),
        ("other codec lm", "trained with codec spectral-v2 0123456789abcdef, not with"),
        ("other codec aligner", "trained on codec 0123456789abcdef"),
        ("other weights", "hash"),
    ],
)
def test_weights_that_do_not_fit(folder: Path, how: str, says: str, capsys: Any, tmp_path: Path) -> None:
    spoil(folder, how)
    with pytest.raises(InputError, match=says) as caught:
        SpeechX.load(folder)
    assert caught.value.field == "model"
    out = tmp_path / "out.wav"
    assert main(["tts", "Hi.", "--voice", "heart", "--model", str(folder), "-o", str(out)]) == 2
    assert says in capsys.readouterr().err and not out.exists()


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cpu:x"])
def test_a_device_that_is_not_there(tiny_folder: Path, device: str) -> None:
    with pytest.raises(InputError, match=f"device: '{device}' cannot be used here: ") as caught:
        load_pipeline(tiny_folder, device=device)
    assert caught.value.field == "device" and "\n" not in str(caught.value)


def test_no_model_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHX_MODEL", str(tmp_path))
    with pytest.raises(InputError, match="is no model folder"):
        SpeechX.load()


def test_a_model_without_an_aligner_speaks_but_places_no_words(folder: Path, wav_file: Path) -> None:
    shutil.rmtree(folder / "aligner")
    sx = SpeechX.load(folder)
    assert sx.tts("Hi.", voice="heart", best_of=2).seconds > 0
    with pytest.raises(InputError, match="without an aligner"):
        sx.speech_editing(str(wav_file), text="one two", span=(1, 2))
