"""Every command of runs/*.sh exists with the options it is given. Nothing is trained: a stub stands in for Python."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import typer

from speechx.cli import data, train
from tests.house.test_layout import ROOT

GROUPS = {"data": typer.main.get_command(data.app), "train": typer.main.get_command(train.app)}
STUB = """#!/usr/bin/env bash
printf '%s\\0' "$@" >>'{log}'
printf '\\n\\0' >>'{log}'
while [ $# -gt 0 ]; do
  if [ "$1" = --out ]; then mkdir -p "$2/model"; : >"$2/last.pt"; fi
  shift
done
"""


def commands(script: str, folder: Path) -> list[list[str]]:
    """Arguments of each `python -m speechx.cli.main` of a script, in order."""
    stub, log = folder / "python", folder / "log"
    stub.write_text(STUB.format(log=log))
    stub.chmod(0o755)
    environment = os.environ | {"PYTHON": str(stub), "CORPORA": str(folder), "WHISPER": str(folder)}
    done = subprocess.run(
        ["bash", str(ROOT / "runs" / script), str(folder / "out")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calls = [call.split("\0")[:-1] for call in log.read_text().split("\n\0")]
    return [call[2:] for call in calls if call[:2] == ["-m", "speechx.cli.main"]]


@pytest.mark.parametrize(("script", "least"), [("cpu.sh", 40), ("smoke.sh", 14)])
def test_commands_are_valid(script: str, least: int, tmp_path: Path) -> None:
    found = commands(script, tmp_path)
    assert len(found) >= least
    for group, name, *arguments in found:
        if group not in GROUPS:
            continue
        command = GROUPS[group].get_command(typer.Context(GROUPS[group]), name)  # type: ignore[attr-defined]
        assert command is not None, name
        command.make_context(name, list(arguments))  # parses and validates, runs nothing


@pytest.mark.parametrize("path", sorted((ROOT / "runs").rglob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_bash(path: Path) -> None:
    subprocess.run(["bash", "-n", str(path)], check=True)
