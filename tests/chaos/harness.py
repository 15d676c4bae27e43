"""Servers under faults: eight clients ask all the time, a process is killed, and every outcome is counted."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.helpers.processes import descendants, listening

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 8
NOISY = (ROOT / "speechx" / "assets" / "samples" / "noisy.flac").read_bytes()

VICTIMS = {
    "replica": "ray::ServeReplica:default:Replica",
    "router": "ray::ServeReplica:default:Router",
    "proxy": "ray::ProxyActor",
    "controller": "ray::ServeController",
    "raylet": "raylet/raylet ",
    "GCS": "gcs/gcs_server ",
    "agent": "ray::DashboardAgent",
    "decoder": "sandbox import main_loop",
}
"""What the command line of a process contains."""


@dataclass
class Outcomes:
    """What became of the requests of all clients, and of the probes of /readyz."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)  # errors that are not JSON, and 5xx other than 503
    not_ready: list[float] = field(default_factory=list)  # times of probes that failed
    probes: int = 0

    def seconds_to_ready(self, since: float) -> float:
        """From `since` to the last probe that failed; 0 where none did."""
        return max([0.0, *(at - since for at in self.not_ready)])

    def row(self) -> list[str]:
        names = ("done", "refused", "broken off", "unanswered", "503")
        return [*(str(self.counts[name]) for name in names), str(len(self.wrong))]


class Server:
    """A server in processes of its own, and clients that ask it."""

    def __init__(self, kind: str, voices: Path, disk: SmallDisk | None = None) -> None:
        """kind: ray or in-process. disk: has the voices, and the temporary files of all processes."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.kind, self.address = kind, f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "tests.chaos.server", str(self.port), kind, str(voices)]
        self.log = (voices / "server.log").open("w+")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        if disk is not None:
            command[-1] = f"{disk.path}/voices"
            command, environment = disk.holding(command), environment | {"TMPDIR": str(disk.path)}
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.log, stderr=self.log, env=environment)
        self.known: dict[int, str] = {}  # all processes that it ever had, and when they started

    def wait_ready(self, seconds: float = 300) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            if "SpeechX at" in Path(self.log.name).read_text() and self.ready():
                self.note_processes()
                return
            time.sleep(0.2)
        self.log.seek(0)
        raise AssertionError(f"the server did not start: {self.log.read()[-3000:]}")

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.address}/readyz", timeout=1.0).status_code == 200
        return False

    def note_processes(self) -> None:
        self.known |= {pid: _start_of(pid) for pid in descendants(self.process.pid)}

    def pid_of(self, victim: str) -> int:
        """A process of that kind, also one that starts only now; the server's own for `driver`."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if victim == "driver":
                return self.process.pid
            for pid in descendants(self.process.pid):
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
                    if VICTIMS[victim] in words[:300]:
                        return pid
            time.sleep(0.1)
        raise AssertionError(f"there is no {victim}")

    def kill(self, victim: str, number: int = signal.SIGKILL) -> float:
        """When it was killed."""
        self.note_processes()
        os.kill(self.pid_of(victim), number)
        return time.monotonic()

    def alive(self) -> list[int]:
        """Processes of this server that live, also those whose parent has died."""
        return [pid for pid, start in self.known.items() if start and _start_of(pid) == start]

    def listens(self) -> bool:
        return any(port == self.port for _, _, port in listening(self.alive()))

    def close(self) -> None:
        if self.process.poll() is None:
            self.note_processes()
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
        for pid in self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


class SmallDisk:
    """A disk of a few megabytes that one process and its children see, as root of their own or of the machine.

    Its path is short, since Ray has sockets there.
    """

    def __init__(self, path: Path, megabytes: int) -> None:
        self.path, self.megabytes = path, megabytes

    def holding(self, command: list[str]) -> list[str]:
        """The command, which sees the disk."""
        mount = f'mount -t tmpfs -o size={self.megabytes}m tmpfs {self.path} && exec "$@"'
        return ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", mount, "sh", *command]

    def works(self) -> bool:
        """Whether this machine allows it."""
        if shutil.which("unshare") is None:
            return False
        return subprocess.run(self.holding(["true"]), capture_output=True, check=False).returncode == 0

    def seen_by(self, pid: int) -> Path:
        return Path(f"/proc/{pid}/root{self.path}")

    def fill(self, pid: int) -> None:
        """Until not a byte is left."""
        with (self.seen_by(pid) / "filler").open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self, pid: int) -> None:
        (self.seen_by(pid) / "filler").unlink()


def _start_of(pid: int) -> str:
    """When a process was started, in ticks: another one with its number has another time. Empty for one that has ended."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if words[0] == "Z" else words[19]
    return ""


@contextlib.contextmanager
def started(kind: str, voices: Path, disk: SmallDisk | None = None) -> Iterator[Server]:
    server = Server(kind, voices, disk)
    try:
        server.wait_ready()
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def clients(server: Server) -> Iterator[Outcomes]:
    """Eight clients and a probe ask during the block; their last requests end with it."""
    outcomes, stop = Outcomes(), threading.Event()

    def client(number: int) -> None:
        turn = number
        while not stop.is_set():
            outcome, wrong = _ask(server.address, turn)
            outcomes.counts[outcome] += 1
            if wrong:
                outcomes.wrong.append(wrong)
            if outcome in ("unanswered", "503"):
                stop.wait(1.0)
            turn += 1

    def probe() -> None:
        while not stop.is_set():
            at = time.monotonic()
            if not server.ready():
                outcomes.not_ready.append(at)
            outcomes.probes += 1
            stop.wait(0.2)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    threads.append(threading.Thread(target=probe))
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _ask(address: str, turn: int) -> tuple[str, str]:
    """One request, of three kinds in turn: (outcome, what is wrong with its error)."""
    kinds: list[tuple[str, dict[str, object]]] = [
        ("tts", {"json": {"text": "Hello there.", "voice": "heart"}}),
        ("tts", {"json": {"text": "Hello there.", "voice": "heart", "stream": True, "format": "pcm"}}),
        ("noise-suppression", {"files": {"audio": NOISY}}),
    ]
    route, body = kinds[turn % 3]
    status = 0
    try:
        with httpx.stream("POST", f"{address}/v1/{route}", timeout=40, **body) as answer:  # type: ignore[arg-type]
            status = answer.status_code
            data = answer.read()
    except httpx.HTTPError as error:
        hung = isinstance(error, httpx.ReadTimeout)  # it must be answered, or the connection closed
        return ("broken off" if status == 200 else "unanswered"), repr(error) if hung else ""
    if status == 200:
        return "done", ""
    is_json = answer.headers.get("content-type") == "application/json" and b'"error"' in data
    wrong = "" if is_json and (status < 500 or status == 503) else f"{status} {data[:200]!r}"
    return ("503" if status == 503 else "refused"), wrong


def until_steady(server: Server, outcomes: Outcomes, since: float, seconds: float = 120) -> float:
    """Waits until all probes of 3 s have succeeded: the seconds from `since` to the last one that failed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        last = max([since, *outcomes.not_ready])
        if time.monotonic() - last > 3 and outcomes.probes:
            return outcomes.seconds_to_ready(since)
        time.sleep(0.2)
    raise AssertionError(f"not ready {seconds:g} s after the fault")
