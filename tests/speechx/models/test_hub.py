"""Repositories of the Hugging Face hub, from its cache: no network. Nothing is half-loaded, and each error is a sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from speechx.api import SpeechX
from speechx.errors import InputError
from speechx.models.codec.sources import open_codec
from speechx.models.hub import fetch_folder, is_hub_name, missing_folder
from speechx.models.lm.folder import LM_FOLDER
from speechx.models.lm.pretrained import CodecLM

COMMIT, OLDER = "a" * 40, "b" * 40


@pytest.fixture
def cached(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds org/tiny at two revisions, without a network. Returns the repository's folder."""
    repository = tmp_path / "models--org--tiny"
    shutil.copytree(tiny_folder, repository / "snapshots" / COMMIT)
    shutil.copytree(tiny_folder / "lm", repository / "snapshots" / OLDER / "lm")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return repository


def test_names_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_hub_name("org/name") and is_hub_name("org/name@v1.0") and is_hub_name(Path("org/name"))
    for text in ("name", "/org/name", "./org/name", "org/name/part", "../name", ""):
        assert not is_hub_name(text)
    (tmp_path / "runs/model").mkdir(parents=True)
    assert not is_hub_name("runs/model"), "a folder that is there"


def test_a_model_of_the_hub(cached: Path, tiny_folder: Path) -> None:
    sx = SpeechX.load("org/tiny")
    assert sx.pipeline.model == SpeechX.load(tiny_folder).pipeline.model
    language_model = CodecLM.from_pretrained("org/tiny")
    assert language_model.config.codec_hash == sx.pipeline.frontend.codec.hash


def test_a_revision_is_pinned(cached: Path) -> None:
    assert fetch_folder("org/tiny").name == COMMIT
    assert fetch_folder(f"org/tiny@{OLDER}").name == OLDER
    assert CodecLM.from_pretrained("org/tiny", revision=OLDER).core is not None
    with pytest.raises(InputError, match=r"codec/config\.json is missing"):  # that revision has none
        SpeechX.load(f"org/tiny@{OLDER}")


def test_offline_and_not_in_the_cache(cached: Path) -> None:
    for load in (SpeechX.load, CodecLM.from_pretrained, open_codec):
        with pytest.raises(InputError, match=r"no folder org/other, .*: HF_HUB_OFFLINE is set") as caught:
            load("org/other")
        assert "\n" not in str(caught.value)


def test_a_hub_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*args: object, **options: object) -> None:
        raise LocalEntryNotFoundError("cannot connect\nand a page of advice")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(InputError) as caught:
        SpeechX.load("org/tiny")
    assert str(caught.value) == (
        "model: there is no folder org/tiny, and no repository of the hub can be read under this name: the hub cannot be "
        "reached, and no copy is in the cache"
    )


@pytest.mark.parametrize(
    ("source", "missing"),
    [("/none/x", True), ("./x", True), ("../x", True), ("~/none", True), ("~nobody.here/x", True),
     ("a/b/x", True), ("x/", True),
     (".", False), ("/", False), ("org/x", False), ("large-v3", False), ("", False)],
)  # fmt: skip
def test_what_can_only_be_a_folder(source: str, missing: bool) -> None:
    assert missing_folder(source) is missing


def test_another_architecture(cached: Path) -> None:
    config = cached / "snapshots" / COMMIT / "lm/config.json"
    config.write_text(json.dumps({"model_type": "llama", "hidden_size": 8}))
    for load in (SpeechX.load, CodecLM.from_pretrained):
        with pytest.raises(InputError, match="describes a model of type llama, not a SpeechX language model"):
            load("org/tiny")


def test_weights_that_are_no_safetensors(cached: Path) -> None:
    folder = cached / "snapshots" / COMMIT / "lm"
    (folder / "model.safetensors").write_bytes(b"\x80\x04pickled")
    with pytest.raises(InputError, match=r"model\.safetensors cannot be read"):
        CodecLM.from_pretrained("org/tiny")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin holds pickled weights, which are not read"):
        CodecLM.from_pretrained("org/tiny")


def test_a_codec_that_does_not_fit(cached: Path) -> None:
    config = cached / "snapshots" / COMMIT / "lm"
    shape, tensors = LM_FOLDER.read(config)
    LM_FOLDER.write(config, shape.with_(codec_hash="0123456789abcdef"), tensors)
    with pytest.raises(
        InputError, match="trained with codec spectral-v2 0123456789abcdef, not with spectral-v2"
    ):
        SpeechX.load("org/tiny")


@pytest.mark.parametrize(
    "imports",
    [
        "import speechx; from transformers import AutoModel",
        "from transformers import AutoModel; import speechx",
        "import speechx, transformers; AutoModel = transformers.AutoModel",
    ],
)
def test_automodel_knows_it_after_import_speechx(imports: str, tiny_folder: Path) -> None:
    code = f"{imports}; print(type(AutoModel.from_pretrained({str(tiny_folder / 'lm')!r})).__name__)"
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("CodecLM"), done.stderr
