"""Importing is light; names are loaded when used."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "code",
    [
        "import speechx",
        "from speechx import SpeechX, Speech, InputError, Chunk, Job, Prompt, WordTime",
        "import speechx.task.registry; speechx.task.registry.tasks()",
        "from speechx.cli.main import main; main(['tasks'])",
    ],
)
def test_no_torch(code: str) -> None:
    check = f"import sys; {code}; print([m for m in ('torch', 'transformers', 'ray') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_names() -> None:
    import speechx

    assert speechx.__version__
    assert set(speechx.__all__) <= set(dir(speechx))
    assert speechx.SpeechX.__name__ == "SpeechX"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        speechx.nothing  # noqa: B018
