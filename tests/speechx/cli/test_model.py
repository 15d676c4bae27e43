"""`speechx model info|verify|convert|push`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from typer.testing import CliRunner, Result

from speechx.api import SpeechX
from speechx.cli import model as command
from speechx.errors import InputError
from speechx.eval.report.hub_card import write_hub_card
from speechx.models.aligner import Aligner, AlignerConfig
from speechx.models.codec.pretrained import PretrainedCodec
from speechx.models.codec.sources import open_codec, write_codec
from speechx.pipeline.model_parts import model_parts
from tests.helpers.codecs import small_codec


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command.app, [str(a) for a in arguments], catch_exceptions=False)


def test_info_and_verify(tiny_folder: Path) -> None:
    about = json.loads(run("info", tiny_folder, "--json").stdout)
    parts = {part["name"]: part for part in about["parts"]}
    assert set(parts) == {"codec", "lm", "aligner"}
    assert parts["lm"]["codec_hash"] == parts["codec"]["codec_hash"] and parts["lm"]["parameters"] > 10_000
    assert "speechx-codec-lm" in run("info", tiny_folder).stdout
    assert about["hash"] in run("verify", tiny_folder).stdout


def test_a_fault_is_a_sentence(tiny_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    data = (folder / "aligner/model.safetensors").read_bytes()
    (folder / "aligner/model.safetensors").write_bytes(data[:-7])
    with pytest.raises(InputError, match="aligner"):
        run("verify", folder)
    with pytest.raises(InputError, match="has none of codec, lm"):
        run("info", tmp_path)


def test_assemble(tiny_folder: Path, tmp_path: Path) -> None:
    part = Path(shutil.copytree(tiny_folder / "aligner", tmp_path / "part"))
    run("assemble", "--model", tiny_folder, "--aligner", part, "-o", tmp_path / "made")
    assert SpeechX.load(tmp_path / "made").pipeline.model == SpeechX.load(tiny_folder).pipeline.model
    Aligner(AlignerConfig.preset("tiny", codec_hash="0" * 16)).save(part)
    for arguments, words in (
        (["--aligner", part, "-o", tmp_path / "other"], "was trained on codec 0000000000000000"),
        (["--lm", tmp_path, "-o", tmp_path / "other"], "lm: .* holds no model: config.json is missing"),
        (["--aligner", part, "-o", tmp_path / "made"], "made exists; choose another folder"),
        (["-o", tmp_path / "other"], "no part is given"),
    ):
        with pytest.raises(InputError, match=words):
            run("assemble", "--model", tiny_folder, *arguments)
    assert not list(tmp_path.glob("*other*")), "nothing half-written"


def test_convert_a_pickle_where_asked(tmp_path: Path) -> None:
    codec = small_codec("dac")
    assert isinstance(codec, PretrainedCodec)
    codec.model.config.speechx_codebooks = codec.num_codebooks
    codec.model.config.save_pretrained(tmp_path / "old")
    torch.save(codec.model.state_dict(), tmp_path / "old/pytorch_model.bin")
    pickle = tmp_path / "old/pytorch_model.bin"
    with pytest.raises(InputError, match="--allow-pickle"):
        run("convert", pickle, "-o", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    run("convert", pickle, "-o", tmp_path / "new", "--allow-pickle")
    assert open_codec(tmp_path / "new").hash == codec.hash
    with pytest.raises(InputError, match="holds a model already"):
        run("convert", tmp_path / "new", "-o", tmp_path / "new")
    run("convert", f"{tmp_path / 'new'}:2", "-o", tmp_path / "two")
    assert open_codec(tmp_path / "two").num_codebooks == 2


def test_the_layout_of_a_repository(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "launcher", lambda name: write_hub_card)
    model = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    (model / "lm/last.pt").write_bytes(b"a checkpoint")
    run("push", model, "org/tiny", "--output", tmp_path / "layout")
    assert SpeechX.load(tmp_path / "layout").pipeline.model == SpeechX.load(model).pipeline.model
    assert not list((tmp_path / "layout").rglob("*.pt"))
    _, front, body = (tmp_path / "layout/README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front)["library_name"] == "speechx"
    assert 'SpeechX.load("org/tiny")' in body and "No report was given." in body


def test_a_card_with_tables(tiny_folder: Path, tmp_path: Path) -> None:
    report: dict[str, Any] = {
        "schema_version": 1, "set": {"name": "dev", "hash": "s"}, "model": "other", "date": "2026-11-29", "measures": [],
        "abilities": {},
    }  # fmt: skip
    (tmp_path / "report.json").write_text(json.dumps(report))
    write_hub_card(
        tmp_path / "README.md", "org/tiny", "mine", model_parts(tiny_folder), tmp_path / "report.json"
    )
    text = (tmp_path / "README.md").read_text()
    assert "Test set dev (s)" in text and "figures are of other weights: other" in text


def test_upload(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, Any] = {}

    class Api:
        def __init__(self, **_: Any) -> None: ...

        def create_repo(self, name: str, **options: Any) -> None:
            sent["private"] = options["private"]

        def upload_folder(self, repo_id: str, folder_path: str) -> str:
            sent["files"] = sorted(p.name for p in Path(folder_path).rglob("*") if p.is_file())
            return f"https://hub/{repo_id}"

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr(command, "launcher", lambda name: write_hub_card)
    assert "https://hub/org/tiny" in run("push", tiny_folder, "org/tiny", "--private").stderr
    assert sent["private"] and "README.md" in sent["files"] and "model.safetensors" in sent["files"]


def test_our_own_codec_is_converted_too(tiny_folder: Path, tmp_path: Path) -> None:
    write_codec(open_codec(tiny_folder / "codec"), tmp_path / "codec")
    assert open_codec(tmp_path / "codec").hash == open_codec(tiny_folder / "codec").hash
