"""Without the extra `serve` every module here is skipped."""

from __future__ import annotations

import socket
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def serve_address() -> Iterator[str]:
    """The address of a Ray Serve without applications, on a Ray of the module's own."""
    import ray
    from ray import serve

    from speechx.serving.cluster import local

    local.start(2, log_to_driver=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config=quiet)
        yield f"http://127.0.0.1:{port}"
    finally:
        # Not serve.shutdown: it waits for each deployment in turn, and everything dies with the cluster.
        ray.shutdown()


class Skipped(pytest.Module):
    """A module that cannot be imported here."""

    def collect(self) -> Any:
        pytest.skip(f"needs {', '.join(MISSING)}: the extras `serve` and `dev`", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: Any) -> Any:
    if MISSING and module_path.is_relative_to(Path(__file__).parent):
        return Skipped.from_parent(parent, path=module_path)
    return None
