"""A server whose engine gives a tone in 1.8 s: python -m tests.chaos.server PORT ray|in-process VOICES.

Over Ray it has two routers and two replicas.
"""

from __future__ import annotations

import sys

from speechx.serving import cli
from speechx.serving.cluster.replica import ReplicaOptions
from speechx.serving.settings import Settings


def main() -> None:
    port, kind, voices = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    options = ReplicaOptions(engine="tests.helpers.fake_engine:slow", slots=8, waiting=8, voices=voices)
    settings = Settings(voices=voices, log_requests=False, page=False)
    if kind == "in-process":
        cli._in_process(options, settings, "127.0.0.1", port)
    else:
        numbers: dict[str, int | None] = {"replicas": 2, "max_replicas": None, "routers": 2}
        cli._on_ray(options, settings, numbers, "127.0.0.1", port, None, True)


if __name__ == "__main__":
    main()
