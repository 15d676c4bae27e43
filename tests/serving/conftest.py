"""Without the extra `serve` every module here is skipped."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NEEDED = (
    "fastapi", "httpx", "multipart", "openai", "prometheus_client", "ray", "schemathesis", "uvicorn", "websockets",
)  # fmt: skip
MISSING = [name for name in NEEDED if find_spec(name) is None]

if not MISSING:
    from tests.serving.common import client, engine, make, noisy

    __all__ = ["client", "engine", "make", "noisy"]


class Skipped(pytest.Module):
    """A module that cannot be imported here."""

    def collect(self) -> Any:
        pytest.skip(f"needs {', '.join(MISSING)}: the extras `serve` and `dev`", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: Any) -> Any:
    if MISSING and module_path.is_relative_to(Path(__file__).parent):
        return Skipped.from_parent(parent, path=module_path)
    return None
