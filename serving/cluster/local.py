"""Starts Ray on this machine for one server alone: on loopback, with a token and a folder of its own.

Import this module before ray.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from speechx.errors import InputError

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

SOCKET_ROOM = 66
"""Characters that Ray adds to the path of its folder for its Unix sockets, whose paths have at most 107."""

SERVE_ENVIRONMENT = {
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "speechx.serving.cluster.proxy:middlewares",
    "RAY_SERVE_CONTROLLER_CALLBACK_IMPORT_PATH": "speechx.serving.cluster.guard:watch_raylet",
    # Ray ends its workers at once where their raylet has died; `guard` lets them answer their requests first.
    "RAY_raylet_death_check_interval_milliseconds": "30000",
    # Three failed checks restart a proxy. By default they are 10 s apart.
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
    # A proxy that takes longer to start, 5 s by default, is given up. On a busy machine each one would be.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",
}
"""What the processes of Ray read when they start. A cluster of your own needs it in the environment of its nodes."""

KEEPS_LITTLE = {"MALLOC_TRIM_THRESHOLD_": "65536"}
"""What glibc reads in the workers of a server, which runs for days: memory goes back at once."""

KEEPS_PAGES = {"MALLOC_MMAP_THRESHOLD_": "4194304", "MALLOC_TRIM_THRESHOLD_": "67108864"}
"""In those of a job: otherwise each product of the engine gets fresh pages, 20,000 to 40,000 a second.
A server whose workers had them grew by 77 MB in 12 minutes."""

_folders: list[Path] = []


def start(
    cpus: int | None = None, log_to_driver: bool = True, address: str | None = None, token: bool = True,
    serving: bool = False,
) -> None:  # fmt: skip
    """Joins the cluster at `address`, or of $RAY_ADDRESS, which Ray sets for jobs; else starts a Ray with `cpus`.

    A Ray that somebody else left on this machine, running or dead, is not joined.
    log_to_driver: print the output of the workers in this process.
    serving: set SERVE_ENVIRONMENT, for processes that end themselves when their raylet dies (`guard`).
    token: raises InputError where Ray does not ask who connects, before it starts or after joining.
    """
    import ray

    if token and _mode() not in (None, "token"):
        raise _without_token(f"RAY_AUTH_MODE is {_mode()!r}")
    if address is not None or "RAY_ADDRESS" in os.environ:
        ray.init(address=address, logging_level=logging.WARNING)
        if token and _mode() != "token":
            ray.shutdown()
            raise _without_token("the cluster has no token")
        return
    if not os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        # Ray asks for a token by default, and would keep one in ~/.ray, which other users may read.
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    for name, value in SERVE_ENVIRONMENT.items() if serving else ():
        os.environ.setdefault(name, value)
    # Ray's threads would each keep freed memory in a heap of their own.
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    for name, value in (KEEPS_LITTLE if serving else KEEPS_PAGES).items():
        os.environ.setdefault(name, value)
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        logging_level=logging.WARNING,
        object_store_memory=OBJECT_STORE,
        log_to_driver=log_to_driver,
        _temp_dir=str(_private_folder() / "ray"),
    )


def _mode() -> str | None:
    mode = os.environ.get("RAY_AUTH_MODE")
    return None if mode is None else mode.lower()


def _without_token(why: str) -> InputError:
    return InputError(
        f"ray: {why}, so that everybody who reaches its ports can run code in the server; set RAY_AUTH_MODE=token, "
        "or allow it with --ray-without-token",
        field="ray_without_token",
    )


def _private_folder() -> Path:
    """A new folder for Ray's sockets and logs, under $RAY_TMPDIR or the folder of temporary files.

    Ray makes its own folders writable for all. In this one only this user can reach them. It is removed at the end.
    """
    root = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if len(root) + len("/speechx-1234567-12345678/ray") + SOCKET_ROOM > 107:
        root = "/tmp"
    Path(root).mkdir(parents=True, exist_ok=True)
    _remove_abandoned(Path(root))
    folder = Path(tempfile.mkdtemp(prefix=f"speechx-{os.getpid()}-", dir=root))  # 0700
    _folders.append(folder)
    return folder


def _remove_abandoned(root: Path) -> None:
    """Remove the folders of this user's processes that were killed."""
    for folder in root.glob("speechx-[0-9]*-*"):
        pid = folder.name.split("-")[1]
        with contextlib.suppress(OSError):  # another start was first
            if pid.isdigit() and folder.stat().st_uid == os.getuid() and not Path("/proc", pid).exists():
                shutil.rmtree(folder, ignore_errors=True)


@atexit.register  # before ray registers its shutdown, so that this comes after it
def remove_folders() -> None:
    """Remove what the Rays of this process have left, when they have ended."""
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)
