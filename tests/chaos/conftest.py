"""The table of all faults."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.chaos.report import Report


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """Its rows are written to docs/reliability.md after `make chaos`."""
    made = Report()
    yield made
    if os.environ.get("SPEECHX_CHAOS") == "long":
        made.write()
