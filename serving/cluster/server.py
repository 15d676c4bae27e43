"""`speechx serve` on Ray: starts it, watches it, lets it finish its requests, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import cast

from speechx.serving.cluster import local  # before ray

import ray  # isort: skip
from ray import serve as ray_serve  # isort: skip

from speechx.cli.console import say
from speechx.serving.app import shows_page, welcome
from speechx.serving.cluster.guard import EXIT_SECONDS, RayletProcesses, kill, start_reaper
from speechx.serving.cluster.router import AppArgs, build, drain

__all__ = ["serve_until_stopped"]

WATCH_SECONDS = 0.5
LEFT_SECONDS = 3.0
"""For processes of a Ray that has been stopped. Those that are left then are killed."""


def serve_until_stopped(
    args: AppArgs, host: str, port: int, cpus: int, address: str | None = None, token: bool = True
) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests in progress. Ends the process where Ray dies.

    address: of a cluster to join; None starts a Ray with so many cpus. token: see `local.start`.
    """
    seconds = args.settings.limits.request_seconds
    stop = threading.Event()
    local.start(cpus, address=address, token=token, serving=True)
    watch = _RayWatch()
    try:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stop.set())
        quiet = {"log_level": "WARNING", "enable_access_log": False}
        ray_serve.start(http_options={"host": host, "port": port}, logging_config=quiet)
        try:
            ray_serve.run(build(args), logging_config=quiet)
        except RuntimeError as error:  # a process has died while it started
            say(f"the server did not start: {error}")
            sys.exit(1)
        say(welcome(args.settings.model_copy(update={"page": args.has_page}), f"http://{host}:{port}"))
        if shows_page(args.settings) and not args.has_page:
            say(
                f"without the page: a session of it lives in one router, and there are {args.routers}; use --routers 1"
            )
        while not stop.wait(1):
            pass
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_DFL)  # a second one ends it at once
        say("finishing the requests in progress")
        if left := drain(seconds):
            say(f"{left} requests were not finished in {seconds:g} s")
    finally:
        if not watch.own:  # everything of a Ray of our own ends with it, which takes less time
            ray_serve.shutdown()
        watch.stop()
        ray.shutdown()
        watch.end_processes(LEFT_SECONDS)
        local.remove_folders()


class _RayWatch:
    """Watches the raylet and the GCS of a Ray that this process has started. Without them nothing is answered.

    Where one dies it ends the other, the workers and this process: Ray restarts neither. Of a Ray that was joined it
    knows no process, and does nothing.
    """

    def __init__(self) -> None:
        self._node = cast("ray._private.node.Node", ray._private.worker._global_node)
        self._raylet = next((p.pid for kind, p in self._processes() if kind == "raylet"), None)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="speechx-ray-watch", daemon=True)
        if self._raylet is not None:
            self._reaper = start_reaper(self._raylet)
            self._started = RayletProcesses(self._raylet)
            self._thread.start()

    @property
    def own(self) -> bool:
        """Whether this process has started the Ray."""
        return self._raylet is not None

    def stop(self) -> None:
        self._stopped.set()

    def end_processes(self, seconds: float) -> None:
        """Wait so long for the workers of the Ray that has ended, then kill those that are left."""
        if self._raylet is not None:
            self._started.end(seconds)

    def _processes(self) -> list[tuple[str, subprocess.Popen[bytes]]]:
        return [(kind, info.process) for kind, infos in self._node.all_processes.items() for info in infos]

    def _run(self) -> None:
        while not self._stopped.wait(WATCH_SECONDS):
            self._started.note()
            dead = [kind for kind, _ in self._node.dead_processes() if kind in ("raylet", "gcs_server")]
            if dead:
                say(f"the {dead[0]} of Ray has died: the server ends")
                self._end()

    def _end(self) -> None:
        """End all processes, this one last. The workers answer their requests with 503 first (see `guard`)."""
        assert self._raylet is not None
        kill(self._raylet)
        self.end_processes(EXIT_SECONDS + LEFT_SECONDS)
        for _, process in self._processes():
            process.kill()
        local.remove_folders()
        sys.stderr.flush()
        os._exit(1)  # an orderly exit waits for the raylet
