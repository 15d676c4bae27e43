"""Every block of code in the README runs, beside the sample recordings, on a model that has learned nothing."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.house.test_layout import ROOT

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = BLOCK.findall(README)
COMMANDS = [line for kind, body in BLOCKS if kind == "bash" for line in body.splitlines() if line.strip()]

# A server does not end, and an adaptation takes minutes: both have tests of their own.
RUN = [line for line in COMMANDS if re.match(r"(echo .*\| *)?speechx (?!serve|adapt)", line)]


PAGES = {
    "README.md": BLOCKS,
    "docs/python.md": BLOCK.findall((ROOT / "docs" / "python.md").read_text("utf-8")),
}


def blocks(kind: str) -> list[str]:
    return [body for its, body in BLOCKS if its == kind]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: Any) -> Iterator[Path]:
    """The sample recordings and the README's manifest; `SpeechX.load` gives a model with random weights."""
    from speechx.api import SpeechX
    from speechx.task.voices import VoiceStore

    shutil.copytree(ROOT / "speechx" / "assets" / "samples", tmp_path, dirs_exist_ok=True)
    (tmp_path / "manifest.jsonl").write_text(blocks("json")[0])
    (tmp_path / "chapter.txt").write_text("It was late. Nobody came.")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEECHX_VOICES", str(tmp_path / "voices"))
    for store in (VoiceStore(), pipeline.frontend.voices):  # of the command line, of the model
        store.enroll("enrollment.flac", "bert", consent=True)
    monkeypatch.setattr(SpeechX, "load", classmethod(lambda cls, *_, **__: cls(pipeline)))
    yield tmp_path
    pipeline.frontend.voices.remove("bert")


def test_no_block_is_of_an_unknown_kind() -> None:
    assert {kind for kind, _ in BLOCKS} <= {"bash", "python", "json", "text"}
    programs = {shlex.split(line.split("| ")[-1], comments=True)[0] for line in COMMANDS}
    # pip lines are checked against the extras, speechx lines are run, curl lines in tests/serving/test_docs.py
    assert programs == {"pip", "speechx", "curl"}


@pytest.mark.parametrize("page", PAGES)
def test_python(page: str, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "__page__"}  # later blocks use names of earlier ones
    for body in [body for kind, body in PAGES[page] if kind == "python"]:
        exec(compile(body, page, "exec"), names)


@pytest.mark.parametrize("line", RUN)
def test_command(
    line: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from speechx.cli.main import main

    said, _, command = line.rpartition("| ")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
    arguments = shlex.split(command, comments=True)[1:]
    assert main(arguments) == 0, capfd.readouterr().err
    for option in ("-o", "--output"):
        if option in arguments:
            assert Path(arguments[arguments.index(option) + 1]).exists()


def test_manifest_is_json_lines() -> None:
    rows = [json.loads(line) for line in blocks("json")[0].splitlines()]
    assert [row["id"] for row in rows] == ["a1", "a2"]


def test_extras_exist() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = [name for group in re.findall(r'"\.\[([\w,]+)\]"', README) for name in group.split(",")]
    assert named and set(named) <= set(extras)


def test_make_targets_exist() -> None:
    indented = re.findall(r"^    make (\w[\w-]*)", README, re.MULTILINE)
    listed = re.search(r"`make (setup[^`]*)`", README)
    assert indented == ["demo", "test"] and listed
    for target in [*indented, *listed[1].split(), "serve", "eval"]:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    dead = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", BLOCK.sub("", page.read_text("utf-8")))
        if not (page.parent / link).exists()
    ]
    assert dead == []
