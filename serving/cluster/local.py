"""Starts Ray on this machine, bound to loopback only. Import this module before ray."""

from __future__ import annotations

import logging
import os

__all__ = ["start"]

if "RAY_ADDRESS" not in os.environ:
    # Ray binds all its ports to 127.0.0.1 where it believes that no cluster is wanted; the name is that of the systems
    # for which this is the default. It is read when ray is imported.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

OBJECT_STORE = 80_000_000
"""Bytes of shared memory for what router and replicas pass to each other (longest body: 64 MiB; what does not fit goes to
disk). Ray would take a third of the machine, and use it up slowly: it goes on to fresh pages as long as there are some, so
that memory only grows (docs/serving.md)."""


def start(cpus: int | None = None, log_to_driver: bool = True, address: str | None = None) -> None:
    """Joins the cluster at `address`, or of $RAY_ADDRESS, which Ray sets for jobs; else starts a Ray with `cpus`.

    A Ray that somebody else left on this machine, running or dead, is not joined.
    log_to_driver: print the output of the workers in this process.
    """
    import ray

    if address is not None or "RAY_ADDRESS" in os.environ:
        ray.init(address=address, logging_level=logging.WARNING)
        return
    # Ray's threads would each keep freed memory in a heap of their own, and the heap what is free at its end.
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", "65536")
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        logging_level=logging.WARNING,
        object_store_memory=OBJECT_STORE,
        log_to_driver=log_to_driver,
    )
