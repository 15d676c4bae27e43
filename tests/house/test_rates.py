"""Sample rates and frame rates come from the codec: no task, engine, pipeline or trainer has one as a number."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("tasks", "speechx/engine", "speechx/pipeline", "speechx/task", "speechx/training")
WRITTEN = {8000, 16000, 22050, 24000, 44100, 48000, 320, 640, 1920}
"""Sample rates, and samples per frame."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_rate_is_written_out(folder: str) -> None:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and type(node.value) is int and node.value in WRITTEN:
                found.append(f"{name}:{node.lineno}: {node.value}")
    assert found == []
