"""`speechx serve` on Ray, where Ray does not do what it should."""

from __future__ import annotations

from typing import Any

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
