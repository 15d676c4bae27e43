"""A Ray of our own on this machine, which nobody else's machine can reach. Import this before ray."""

from __future__ import annotations

import logging
import os
from typing import Any

__all__ = ["start"]

if "RAY_ADDRESS" not in os.environ:
    # Ray binds all its ports to 127.0.0.1 where it believes that no cluster is wanted; the name is that of the systems
    # for which this is the default. It is read when ray is imported.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def start(cpus: int | None = None, **more: Any) -> None:
    """Joins the cluster of $RAY_ADDRESS, as jobs have it; else starts a Ray with so many CPUs to give away."""
    import ray

    if "RAY_ADDRESS" in os.environ:
        ray.init(logging_level=logging.WARNING)
        return
    ray.init(num_cpus=cpus, include_dashboard=False, logging_level=logging.WARNING, **more)
