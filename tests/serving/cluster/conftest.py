"""A Ray for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    from speechx.serving.cluster import local

    import ray  # isort: skip

    local.start(4, log_to_driver=False)
    yield
    ray.shutdown()
