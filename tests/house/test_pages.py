"""The command lines of the pages have options that exist. Nothing runs: paths and recipes are only read as words."""

from __future__ import annotations

import re
import shlex

import pytest
import typer

from speechx.cli import data, train
from speechx.cli.batch import batch
from tests.house.test_layout import ROOT

PAGES = ("batch.md", "cluster.md", "data.md", "training.md")
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
alone = typer.Typer()
alone.command("batch")(batch)
alone.callback()(lambda: None)
GROUPS = {name: typer.main.get_command(app) for name, app in (("data", data.app), ("train", train.app))}
GROUPS["batch"] = typer.main.get_command(alone)


def commands(page: str) -> list[str]:
    """The `speechx train|data|batch` lines of a page, after `ray job submit --` and within `ray exec`, too."""
    text = "\n".join(BLOCK.findall((ROOT / "docs" / page).read_text("utf-8"))).replace("\\\n", " ")
    found = re.findall(r"(?:^|-- |')(speechx (?:train|data|batch) [^'#\n]*)", text, re.MULTILINE)
    return [line for line in found if " ... " not in line]


@pytest.mark.parametrize("line", [line for page in PAGES for line in commands(page)])
def test_options_exist(line: str) -> None:
    _, group, *words = shlex.split(line)
    name, *arguments = [group, *words] if group == "batch" else words
    command = GROUPS[group].commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)


def test_every_page_has_some() -> None:
    assert all(commands(page) for page in PAGES)


def test_the_log_lists_its_entries() -> None:
    page = (ROOT / "docs" / "log.md").read_text("utf-8")
    listed = re.findall(r"^\| (\d{4}-\d\d-\d\d) \| (.+?) \| .+ \| .+ \|$", page, re.MULTILINE)
    assert listed == re.findall(r"^## (\d{4}-\d\d-\d\d) (.+?)(?: \([^()]+\))?$", page, re.MULTILINE)
