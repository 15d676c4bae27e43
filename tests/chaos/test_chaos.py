"""Processes of a server are killed while eight clients ask: nothing is lost silently, and the server comes back or ends.

`make chaos` runs all of it and writes the table of docs/reliability.md; `make test` runs the short part.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.chaos.harness import Outcomes, Server, clients, started, until_steady
from tests.chaos.report import Report
from tests.helpers.processes import name_of

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]
long = pytest.mark.skipif(os.environ.get("SPEECHX_CHAOS") != "long", reason="runs in `make chaos`")

READY_SECONDS = {"decoder": 5, "replica": 10, "router": 10, "controller": 10, "proxy": 10}
"""On a machine without other work. Here twice as much is allowed, and more under more load."""

END_SECONDS, LEFT_SECONDS = 15, 5


def busy() -> float:
    """How much longer everything may take on this machine now."""
    return max(2.0, os.getloadavg()[0])


def survives(server: Server, victim: str, report: Report) -> Outcomes:
    """Kill a process that is replaced. Returns what became of the requests."""
    with clients(server) as outcomes:
        time.sleep(2.5)
        killed = server.kill(victim)
        seconds = until_steady(server, outcomes, killed)
        done, until = outcomes.counts["done"], time.monotonic() + 2.5 * busy()
        while outcomes.counts["done"] == done and time.monotonic() < until:
            time.sleep(0.1)
        assert outcomes.counts["done"] > done, "it answers again"
        time.sleep(2.5)
    assert not outcomes.wrong, outcomes.wrong[:3]
    assert seconds <= busy() * READY_SECONDS[victim]
    report.add(server.kind, f"{victim} killed", outcomes, f"{seconds:.1f}")
    return outcomes


def ends(server: Server, victim: str, report: Report) -> Outcomes:
    """Kill a process without which Ray does not work. The server ends, and leaves nothing."""
    with clients(server) as outcomes:
        time.sleep(2.5)
        killed = server.kill(victim)
        asked = time.monotonic()
        try:
            httpx.get(f"{server.address}/healthz", timeout=30)
        except httpx.TimeoutException:
            pytest.fail("/healthz neither answers nor refuses")
        except httpx.HTTPError:
            pass  # refused, or closed
        assert time.monotonic() - asked < busy()
        status = server.process.wait(busy() * END_SECONDS)
        seconds = time.monotonic() - killed
        while server.alive() and time.monotonic() - killed < seconds + LEFT_SECONDS * busy() / 2:
            time.sleep(0.1)
        assert [name_of(pid) for pid in server.alive()] == [] and not server.listens()
    assert status in (1, -signal.SIGKILL) and not outcomes.wrong, outcomes.wrong[:3]
    # Where the agent dies, the raylet ends in order: it kills all workers before they can answer.
    assert outcomes.counts["503"] or victim == "agent", outcomes.counts
    report.add(server.kind, f"{victim} killed", outcomes, f"ends after {seconds:.1f}")
    return outcomes


def stops(server: Server, report: Report) -> None:
    """SIGTERM: what has begun is finished, what comes later is refused, and the exit code is 0."""
    with clients(server) as outcomes:
        time.sleep(2.5)
        stopped = server.kill("driver", signal.SIGTERM)
        status = server.process.wait(60)
        seconds = time.monotonic() - stopped
        assert not server.alive() or time.sleep(LEFT_SECONDS) or not server.alive()
    assert status in (0, -signal.SIGTERM) and not outcomes.wrong, outcomes.wrong[:3]
    assert outcomes.counts["broken off"] == 0 and outcomes.counts["done"] >= 8
    report.add(server.kind, "SIGTERM", outcomes, f"ends after {seconds:.1f}")


# The short part: one server of each kind for all


def test_a_server_over_ray(tmp_path: Path, report: Report) -> None:
    with started("ray", tmp_path) as server:
        for victim in ("replica", "router", "proxy"):
            outcomes = survives(server, victim, report)
            if victim != "proxy":
                assert outcomes.counts["unanswered"] == 0, victim
        ends(server, "raylet", report)


def test_a_server_in_one_process(tmp_path: Path, report: Report) -> None:
    with started("in-process", tmp_path) as server:
        outcomes = survives(server, "decoder", report)
        assert outcomes.counts["unanswered"] == outcomes.counts["503"] == 0
        stops(server, report)


# The long part: a fresh server for each


@long
@pytest.mark.parametrize("victim", ["decoder", "replica", "router", "controller", "proxy"])
def test_replaced(victim: str, tmp_path: Path, report: Report) -> None:
    with started("ray", tmp_path) as server:
        survives(server, victim, report)
        survives(server, victim, Report())  # and again


@long
@pytest.mark.parametrize("victim", ["raylet", "GCS", "agent", "driver"])
def test_fatal(victim: str, tmp_path: Path, report: Report) -> None:
    with started("ray", tmp_path) as server:
        ends(server, victim, report)


@long
def test_stopped(tmp_path: Path, report: Report) -> None:
    with started("ray", tmp_path) as server:
        stops(server, report)
