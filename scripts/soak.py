"""Load a server of its own for an hour at a share of its capacity, and sample its memory.

    python scripts/soak.py --minutes 60 --share 0.8 --server ray --output soak.json

First it measures the capacity with as many clients as the server has slots. Then requests of all tasks arrive at random
(Poisson) at the share of that rate. The report has outcomes, first audio, memory, and the slope of a line through the
memory of the second half, in MB per hour and per day.
"""

from __future__ import annotations

import argparse
import json
import random
import threading
import time
from pathlib import Path

import numpy as np

from speechx.serving import load_test
from speechx.serving.types import JsonObject

SAMPLE_SECONDS = 10.0
CAPACITY_SECONDS = 60.0


def arrivals(
    address: str, requests: list[tuple[str, bytes]], rate: float, seconds: float, process: int
) -> tuple[load_test.LoadStats, list[tuple[float, float]]]:
    """Send `rate` requests per second at random times: (statistics, [(seconds, MB)])."""
    stats, lock, draw, threads = load_test.LoadStats(), threading.Lock(), random.Random(1), []
    memory: list[tuple[float, float]] = []
    started = time.monotonic()

    def ask(request: tuple[str, bytes]) -> None:
        own = load_test.LoadStats()
        load_test._send_request(address, *request, None, own)
        with lock:
            for name in ("first", "rtf", "rejects", "errors"):
                getattr(stats, name).extend(getattr(own, name))
            stats.audio += own.audio

    def sample() -> None:
        while (now := time.monotonic() - started) < seconds:
            memory.append((now, load_test.memory_mb(process)))
            time.sleep(SAMPLE_SECONDS)

    sampler = threading.Thread(target=sample)
    sampler.start()
    while time.monotonic() - started < seconds:
        time.sleep(draw.expovariate(rate))
        thread = threading.Thread(target=ask, args=(draw.choice(requests),), daemon=True)
        thread.start()
        threads = [one for one in threads if one.is_alive()] + [thread]
    for thread in [*threads, sampler]:
        thread.join()
    return stats, memory


def slope(memory: list[tuple[float, float]]) -> float:
    """MB per hour over the second half."""
    half = np.array(memory[len(memory) // 2 :])
    return float(np.polyfit(half[:, 0], half[:, 1], 1)[0]) * 3600 if len(half) > 2 else 0.0


def soak(server: str, minutes: float, share: float, model: Path | None, slots: int) -> JsonObject:
    """The report of one server."""
    requests = [body for rows in load_test.request_bodies("all").values() for body in rows]
    with load_test.server(None, model, server == "ray") as (address, process):
        assert process is not None
        full = load_test.run_clients(address, requests, slots, CAPACITY_SECONDS)
        rate = share * len(full.first) / CAPACITY_SECONDS
        stats, memory = arrivals(address, requests, rate, 60 * minutes, process)
    by_hour = slope(memory)
    at = {f"{part:.0%}": memory[min(len(memory) - 1, int(part * len(memory)))][1] for part in (0.05, 0.5, 1)}
    return {
        "server": server,
        "minutes": minutes,
        "requests_per_second": round(rate, 3),
        "done": len(stats.first),
        "refused": len(stats.rejects),
        "failed": len(stats.errors),
        "first_error": stats.errors[0] if stats.errors else None,
        "audio_seconds": round(stats.audio),
        "first_audio_p50": load_test.quantile(stats.first, 0.5),
        "first_audio_p95": load_test.quantile(stats.first, 0.95),
        "memory_mb": at,
        "memory_mb_per_hour": round(by_hour, 2),
        "memory_mb_per_day": round(24 * by_hour, 1),
        "samples": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--share", type=float, default=0.8, help="of the capacity")
    parser.add_argument("--server", choices=("ray", "in-process"), default="ray")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--slots", type=int, default=8, help="clients while the capacity is measured")
    parser.add_argument("--output", type=Path, default=Path("soak.json"))
    given = parser.parse_args()
    report = soak(given.server, given.minutes, given.share, given.model, given.slots)
    given.output.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({key: value for key, value in report.items() if key != "samples"}, indent=1))


if __name__ == "__main__":
    main()
