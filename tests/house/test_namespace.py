"""Names that other software uses, in the folder of the program, do not get in the way of the package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.house.test_layout import ROOT

CODE = "import speechx; from speechx.task import registry; print(speechx.__file__, *registry.tasks())"


def imported(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_users_own_modules_do_not_replace_ours(tmp_path: Path) -> None:
    for name in ("tasks.py", "eval.py", "serving.py"):
        (tmp_path / name).write_text("raise RuntimeError('the user module was imported')\n")
    assert "tts" in imported(tmp_path).split()


def test_import_from_the_folder_that_holds_the_clone(tmp_path: Path) -> None:
    (tmp_path / "speechx").symlink_to(ROOT)  # as `git clone .../speechx` leaves it
    assert "tts" in imported(tmp_path).split()
