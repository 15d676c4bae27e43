"""`speechx serve` on Ray, where Ray does not do what it should."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest

from speechx.serving.cluster import server
from speechx.serving.cluster.router import AppArgs


def test_a_start_that_fails_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []

    class Watch:
        own = True

        def stop(self) -> None:
            done.append("stop")

        def end_processes(self, seconds: float) -> None:
            done.append("end")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(
            "Deploying application default failed: Failed to update the deployments ['Router']."
        )

    monkeypatch.setattr(server, "_RayWatch", Watch)
    monkeypatch.setattr(server.signal, "signal", lambda *_: None)
    monkeypatch.setattr(server.local, "start", lambda *_, **__: None)
    monkeypatch.setattr(server.ray, "shutdown", lambda: done.append("shutdown"))
    monkeypatch.setattr(server.ray_serve, "start", lambda **_: None)
    monkeypatch.setattr(server.ray_serve, "run", fail)
    with pytest.raises(SystemExit) as ended:
        server.serve_until_stopped(AppArgs(), "127.0.0.1", 8000, 2)
    assert ended.value.code == 1 and done == ["stop", "shutdown", "end"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "did not start" in said[0]


def test_a_page_that_cannot_be_served_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("start", "_RayWatch"):
        target: Any = server.local if place == "start" else server
        monkeypatch.setattr(target, place, MagicMock())
    monkeypatch.setattr(server, "ray", MagicMock())
    monkeypatch.setattr(server, "ray_serve", MagicMock())
    monkeypatch.setattr(server, "drain", lambda seconds: 0)
    monkeypatch.setattr(server.local, "remove_folders", lambda: None)
    monkeypatch.setattr(server.signal, "signal", lambda name, act: act() if callable(act) else None)
    monkeypatch.setattr("speechx.serving.app.find_spec", lambda name: True)
    for routers in (1, 2):
        server.serve_until_stopped(AppArgs(routers=routers), "127.0.0.1", 8000, 2)
        said = capsys.readouterr().err
        assert ("a page for every task" in said) is (routers == 1)
        assert ("without the page: a session of it lives in one router, and there are 2" in said) is (
            routers == 2
        )
