"""The commands of docs/tutorials run in order, with tiny networks, generated sound, and seconds of training."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechx.cli.main import main
from speechx.models.codec.folder import load_codec
from speechx.models.lora import add_lora
from speechx.models.refiner import RefinerConfig, load_refiner, make_refiner
from speechx.task import registry
from speechx.text.languages import AddedLanguage, add_language
from tests.conftest import voice
from tests.helpers.recordings import write_recordings
from tests.house.test_layout import ROOT

PAGES = ROOT / "docs" / "tutorials"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`([\w-]+\.(?:csv|yaml))`")
QUICK = {"--minutes": "0.05", "--anneal-minutes": "0.05", "--count": "2"}
TAGALOG = "bahay dagat pusa bata saging tubig araw gabi babae sanggol bato aklat daan ulan apoy ulap".split()


def text_of(page: str) -> str:
    return (PAGES / page).read_text("utf-8")


def commands(page: str) -> list[str]:
    return [
        line
        for kind, body in BLOCK.findall(text_of(page))
        if kind == "bash"
        for line in body.splitlines()
        if line
    ]


def write_files(page: str) -> None:
    """The files that a page shows: each has its name in the text before."""
    text = text_of(page)
    for match in BLOCK.finditer(text):
        if match[1] in ("yaml", "text"):
            Path(FILE.findall(text[: match.start()])[-1]).write_text(match[2], "utf-8")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """A package whose model is tiny, with a refiner that has an adapter for removal, as the shipped one."""
    root = tmp_path_factory.mktemp("package")
    model = shutil.copytree(tiny_folder, root / "assets" / "model")
    codec = load_codec(model / "codec")
    config = RefinerConfig(width=32, fused=32).for_codec(codec)
    make_refiner(config).save(model / "mask")
    net = load_refiner(model / "mask")
    add_lora(net, 2, matrices=net.lora_matrices)
    net.save_adapter(model / "mask", (4,))
    return root


@pytest.fixture
def here(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_added_languages: None) -> Path:
    """An empty folder of a user who has that package."""
    for module in ("speechx.models.codec.sources", "speechx.pipeline.loading"):
        monkeypatch.setattr(f"{module}.files", lambda name: package)
    monkeypatch.setenv("SPEECHX_VOICES", str(tmp_path / "voices"))
    monkeypatch.delenv("SPEECHX_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(page: str) -> None:
    """Its commands in order, each in less time: networks that have learned nothing do not learn more in an hour."""
    for line in commands(page):
        words = shlex.split(line)
        assert words[0] == "speechx", line
        words = [QUICK.get(before, word) for before, word in pairwise(words)]
        if words[0] == "adapt":
            words += [
                *([] if "--minutes" in words else ["--minutes", "0.05"]),
                "--max-per",
                "99",
                "--no-report",
            ]
        if words[:2] == ["data", "mix"]:
            words += ["--max-per", "99"]
        assert main(words) == 0, line
        for option in ("-o", "--output"):
            assert option not in words or Path(words[words.index(option) + 1]).exists(), line


def test_your_voice(here: Path) -> None:
    write_recordings(here / "recordings")
    run("your-voice.md")


def test_a_new_language(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files("new-language.md")
    with monkeypatch.context() as patch:
        patch.setattr("speechx.text.languages._added", {})
        add_language(AddedLanguage("tl", rules=Path("tl.yaml").read_text("utf-8")))
        write_recordings(here / "recordings", "tl", " ".join(TAGALOG))
    run("new-language.md")


def test_a_new_noise(here: Path) -> None:
    write_files("new-noise.md")
    write_recordings(here / "recordings")
    (here / "noise").mkdir()
    rng = np.random.default_rng(0)
    for name in ("fan-1", "fan-2"):
        soundfile.write(here / "noise" / f"{name}.wav", 0.05 * rng.standard_normal(160_000), 16000)
    soundfile.write(here / "noisy.wav", voice(2.0) + 0.02 * rng.standard_normal(32000), 16000)
    run("new-noise.md")
    mask = load_refiner("models/noise/mask")
    assert mask.adapted is not None and mask.adapted.scope.slots == (2, 4)


@pytest.fixture
def dereverberation(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The task of tasks/README.md in its place."""
    task, _ = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "tasks" / "README.md").read_text("utf-8"), re.DOTALL | re.M
    )
    package = here / "tutorial_tasks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "dereverberation.py").write_text(task)
    monkeypatch.syspath_prepend(str(here))
    undo = registry.register("dereverberation", registry.scan_package("tutorial_tasks")["dereverberation"])
    yield
    undo()
    for name in ("tutorial_tasks", "tutorial_tasks.dereverberation"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("dereverberation")
def test_a_new_task(here: Path) -> None:
    write_files("new-task.md")
    write_recordings(here / "recordings")
    soundfile.write(here / "hall.wav", voice(2.0), 16000)
    run("new-task.md")


def test_every_tutorial_is_listed_and_runs() -> None:
    pages = {path.name for path in PAGES.glob("*.md")} - {"README.md"}
    assert pages == {"your-voice.md", "new-language.md", "new-noise.md", "new-task.md"}
    for index in (PAGES / "README.md", ROOT / "README.md"):
        assert all(page in index.read_text("utf-8") for page in pages)
