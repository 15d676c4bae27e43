"""What is installed from a wheel has all that it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.house.test_layout import ROOT

PACKAGES = ("speechx", "tasks", "serving", "eval", "configs")


def test_wheel_has_code_and_data(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):  # a build writes beside its source
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    build = "from hatchling.build import build_wheel; import sys; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = set(wheel.namelist())
    data = {".py", ".json", ".yaml", ".flac", ".safetensors", ".txt", ".html", ".gz", ".j2"}
    wanted = {
        ("" if package == "speechx" else "speechx/") + str(path.relative_to(source))
        for package in PACKAGES
        for path in (source / package).rglob("*")
        if path.suffix in data and "build" not in path.parts
    }
    assert wanted - packed == set()
