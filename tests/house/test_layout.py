"""House rules that no linter knows."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("speechx", "tasks", "serving", "eval", "tests", "scripts")
MAX_LINES = 350
MAX_FUNCTION_LINES = 60


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert lengths
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    }
    assert {name: n for name, n in lengths.items() if n > MAX_FUNCTION_LINES} == {}


def test_class_names_are_unique() -> None:
    homes: dict[str, list[str]] = {}
    for path in sources():
        if "tests" in path.relative_to(ROOT).parts:
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_versions_agree() -> None:
    import speechx

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert speechx.__version__ == project["version"]


def test_direct_dependencies_have_both_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    loose = [
        line for group in groups for line in group if not ("==" in line or (">=" in line and ",<" in line))
    ]
    assert loose == []


@pytest.mark.parametrize("module", ["torch", "transformers", "scipy"])
def test_import_speechx_is_light(module: str) -> None:
    code = f"import sys, speechx, speechx.audio.reading, speechx.task.voices; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
