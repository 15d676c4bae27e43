"""Recipes have names, are packaged, and every one that a document names is a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from speechx.cli.recipes import find_recipe, packaged_recipes
from speechx.cli.train import app
from speechx.errors import InputError
from tests.house.test_layout import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "MODEL_CARD.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "runs").rglob("*.md")),
    *sorted((ROOT / "runs").rglob("*.sh")),
]
NAMED = re.compile(r"\b(?:codec|lm|aligner|refiner|smoke)/[\w-]+\.yaml\b|(?<=--config )[\w/.-]+")


def test_a_packaged_name_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_recipe(Path("lm/1-tts")) == ROOT / "configs/lm/1-tts.yaml"
    assert find_recipe(Path("lm/1-tts.yaml")) == ROOT / "configs/lm/1-tts.yaml"


def test_a_file_comes_before_a_packaged_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm/1-tts.yaml").write_text("steps: 1\n")
    assert find_recipe(Path("lm/1-tts.yaml")) == Path("lm/1-tts.yaml")


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    words = ["lm", "--config", "lm/9-nothing", "--shards", ".", "--codec", ".", "--out", str(tmp_path)]
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, InputError)
    assert "lm/9-nothing is neither a file nor a packaged recipe (aligner/1-ctc, " in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_recipe_that_a_page_names_is_a_file(page: Path) -> None:
    text = page.read_text()
    named = {name.removeprefix("configs/").removesuffix(".yaml") for name in NAMED.findall(text)}
    named -= set(re.findall(r"`([\w-]+)\.yaml`:\n", text))  # shown on the page itself
    assert named - set(packaged_recipes()) == set()
