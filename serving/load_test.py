"""A closed-loop load generator: clients that read streamed audio like a player, and their statistics.

First audio is the time to the first byte of audio. An underrun is a stream on which a player that starts with the first
200 ms would run out of audio.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from speechx.cli.console import say
from speechx.cli.samples import Sample, sample_requests
from speechx.errors import InputError
from speechx.serving.types import JsonObject
from speechx.task import registry

__all__ = [
    "LoadStats",
    "as_text",
    "client_counts",
    "measure",
    "memory_mb",
    "request_bodies",
    "run_clients",
    "server",
]

HEADER = 44  # bytes of a wav header
PLAYER_BUFFER = 6400  # bytes of audio, 200 ms, with which a player starts


@dataclass
class LoadStats:
    """Statistics of all clients of one load."""

    first: list[float] = field(default_factory=list)
    rtf: list[float] = field(default_factory=list)
    rejects: list[float] = field(default_factory=list)  # seconds until a 429 or 503
    errors: list[str] = field(default_factory=list)
    audio: float = 0.0  # seconds
    underruns: int = 0
    memory: list[float] = field(default_factory=list)  # MB, every second, of a server that was started here

    def row(self, task: str, clients: int, seconds: float) -> JsonObject:
        """The row of the report."""
        return {
            "task": task,
            "clients": clients,
            "done": len(self.first),
            "first_audio_p50": quantile(self.first, 0.5),
            "first_audio_p95": quantile(self.first, 0.95),
            "rtf_p50": quantile(self.rtf, 0.5),
            "audio_per_second": round(self.audio / seconds, 3),
            "underruns": self.underruns,
            "rejects": len(self.rejects),
            "reject_p95": quantile(self.rejects, 0.95),
            "errors": len(self.errors),
            "first_error": self.errors[0] if self.errors else None,
            # The first tenth is warm-up.
            "memory_early": quantile(self.memory[len(self.memory) // 10 : len(self.memory) // 2], 0.5),
            "memory_late": quantile(self.memory[-max(1, len(self.memory) // 10) :], 0.5),
        }


def quantile(values: list[float], share: float) -> float | None:
    """The quantile `share` of the values, None for no values."""
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 4) if values else None


def client_counts(text: str) -> list[int]:
    """1,2,4 -> [1, 2, 4]. Raises InputError."""
    found = [int(part) for part in text.split(",") if part.strip().isdigit()]
    if not found or len(found) != len(text.split(",")) or not all(1 <= n <= 256 for n in found):
        raise InputError(f"clients {text!r} must be numbers of 1 to 256 with commas between", field="clients")
    return found


def request_bodies(tasks: str) -> dict[str, list[tuple[str, bytes]]]:
    """Name of a load -> (route, JSON body) of its requests. tasks: names separated by commas, `mixed`, or `all`."""
    import base64

    by_task: dict[str, list[tuple[str, bytes]]] = {}

    def json_fields(sample: Sample) -> JsonObject:
        fields = dict(sample.fields)
        for name in registry.audio_fields(registry.task(sample.task)):
            if isinstance(fields.get(name), Path):
                fields[name] = base64.b64encode(fields[name].read_bytes()).decode()
        return {**fields, "stream": True, "format": "wav"}

    for sample in sample_requests():
        route = f"/v1/{sample.task.replace('_', '-')}"
        by_task.setdefault(sample.task, []).append((route, json.dumps(json_fields(sample)).encode()))
    names = [*by_task, "mixed"] if tasks == "all" else [t.strip().replace("-", "_") for t in tasks.split(",")]
    loads = {**by_task, "mixed": [body for rows in by_task.values() for body in rows]}
    for name in names:
        if name not in loads:
            raise InputError(f"tasks: {name!r} is not one of {', '.join([*loads, 'all'])}", field="tasks")
    return {name: loads[name] for name in names}


def measure(
    address: str,
    name: str,
    loads: dict[str, list[tuple[str, bytes]]],
    clients: list[int],
    seconds: float,
    key: str | None = None,
    process: int | None = None,
) -> list[JsonObject]:
    """Run every load with every number of clients; a row per run. name: of the server, in the report; process: its id."""
    rows = []
    for load, requests in loads.items():
        for request in requests:
            _send_request(address, *request, key, LoadStats())  # warm
        for number in clients:
            stats = run_clients(address, requests, number, seconds, key, process)
            rows.append({"server": name, **stats.row(load, number, seconds)})
            say(
                f"{name}: {load} x {number}: {stats.row(load, number, seconds)['done']} done, first audio "
                f"{rows[-1]['first_audio_p50']} s, {rows[-1]['rejects']} rejected, {rows[-1]['errors']} failed"
            )
    return rows


def run_clients(
    address: str,
    requests: list[tuple[str, bytes]],
    clients: int,
    seconds: float,
    key: str | None = None,
    process: int | None = None,
) -> LoadStats:
    """Run clients for `seconds`, each sending its next request when it has the response."""
    stats, lock, end = LoadStats(), threading.Lock(), time.monotonic() + seconds

    def client(number: int) -> None:
        draw = random.Random(number)
        while time.monotonic() < end:
            own = LoadStats()
            _send_request(address, *draw.choice(requests), key, own)
            with lock:
                for name in ("first", "rtf", "rejects", "errors"):
                    getattr(stats, name).extend(getattr(own, name))
                stats.audio += own.audio
                stats.underruns += own.underruns
            if own.rejects or own.errors:
                time.sleep(draw.uniform(0.1, 0.5))  # like a client that follows Retry-After

    threads = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(clients)]
    for thread in threads:
        thread.start()
    while process is not None and time.monotonic() < end:
        stats.memory.append(memory_mb(process))
        time.sleep(1)
    for thread in threads:
        thread.join()
    return stats


def memory_mb(process: int) -> float:
    """Proportional set size in MB of a process and its descendants (Linux): shared pages count once."""
    parents, sizes = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):  # the process has ended
            number = int(folder.name)
            parents[number] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            smaps = (folder / "smaps_rollup").read_text()
            sizes[number] = int(smaps.partition("\nPss:")[2].split()[0]) * 1024 / 1e6
    total, todo = 0.0, [process]
    while todo:
        number = todo.pop()
        total += sizes.get(number, 0.0)
        todo += [child for child, parent in parents.items() if parent == number]
    return round(total, 1)


def _send_request(address: str, route: str, body: bytes, key: str | None, stats: LoadStats) -> None:
    """Send one request and read its stream."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(address.rstrip("/") + route, body, headers)
    started = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=300) as response:
            first, playing, received, late = 0.0, 0.0, 0, False
            while data := response.read1(1 << 16):
                now = time.monotonic()
                late |= bool(playing) and now - playing > (received - HEADER) / 32_000
                received += len(data)
                first = first or (now if received > HEADER else 0.0)
                playing = playing or (now if received >= HEADER + PLAYER_BUFFER else 0.0)
        audio = max(0, received - HEADER) / 32_000
        stats.first.append((first or time.monotonic()) - started)
        stats.rtf.append((time.monotonic() - started) / max(audio, 0.01))
        stats.audio += audio
        stats.underruns += late
    except urllib.error.HTTPError as failure:
        failure.read()
        if failure.code in (429, 503):
            stats.rejects.append(time.monotonic() - started)
        else:
            stats.errors.append(f"{route}: HTTP {failure.code}")
    except (OSError, ValueError, HTTPException) as failure:  # connection closed, timeout
        stats.errors.append(f"{route}: {type(failure).__name__} {failure}")


@contextlib.contextmanager
def server(
    url: str | None, model: Path | None = None, ray: bool = False, replicas: int = 1
) -> Iterator[tuple[str, int | None]]:
    """Address and process id of a server: of `url`, or of one that runs during the block, with Ray or without."""
    if url is not None:
        yield url, None
        return
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "speechx.cli.main", "serve", "--port", str(port)]
    command += ["--replicas", str(replicas)] if ray else ["--in-process"]
    command += ["--model", str(model)] if model else []
    null = subprocess.DEVNULL  # workers of Ray write to standard output, which is for the report
    process = subprocess.Popen(command, stdout=null, stderr=null, env={**os.environ})
    try:
        address = f"http://127.0.0.1:{port}"
        wait_ready(address, process)
        yield address, process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_ready(address: str, process: subprocess.Popen[bytes] | None = None, seconds: float = 120) -> None:
    """Wait until /readyz succeeds. Raises InputError where the server has ended or takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise InputError(
                "the server has ended: run `speechx serve --in-process` to see why", field="model"
            )
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/readyz", timeout=5):
            return
        time.sleep(0.2)
    raise InputError(f"{address} was not ready within {seconds:g} s", field="url")


def as_text(report: JsonObject) -> str:
    """A Markdown table."""
    lines = [
        f"{report['machine']}; {report['seconds']:g} s per row",
        "",
        "| server | load | clients | done | first audio p50 | p95 | RTF p50 | audio per second | underruns | rejected |"
        " rejected within, p95 | failed | memory, MB | at the end |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    columns = ("server", "task", "clients", "done", "first_audio_p50", "first_audio_p95", "rtf_p50",
               "audio_per_second", "underruns", "rejects", "reject_p95", "errors", "memory_early",
               "memory_late")  # fmt: skip
    for row in report["loads"]:
        cells = ["" if row[name] is None else str(row[name]) for name in columns]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
