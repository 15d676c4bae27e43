"""Starting Ray: never without its token, and in a folder that only this user can open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import ray

from speechx.cli.main import main
from speechx.errors import InputError
from speechx.serving.cluster import local


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of every ray.init, which does nothing."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(ray, "init", lambda **given: calls.append(given))
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")  # so that it is as before at the end
        monkeypatch.delenv(name)
    return calls


def test_a_ray_of_our_own_has_a_token_of_its_own(started: list[dict[str, Any]]) -> None:
    local.start()
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    folder = Path(started[0]["_temp_dir"]).parent
    assert started[0]["address"] == "local" and folder.stat().st_mode & 0o777 == 0o700
    local.remove_folders()
    assert not folder.exists()


def test_what_a_killed_server_has_left_goes(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local, "SOCKET_ROOM", -100)  # pytest's folders have long paths
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    dead, alive = tmp_path / "speechx-99999999-abc", tmp_path / f"speechx-{os.getpid()}-abc"
    for folder in (dead, alive):
        (folder / "ray").mkdir(parents=True)
    local.start()
    assert not dead.exists() and alive.exists()
    local.remove_folders()


def test_only_a_server_has_the_environment_of_one(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other workers have no guard, and must end with their raylet at once.
    for name in local.SERVE_ENVIRONMENT:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    local.start()
    assert not local.SERVE_ENVIRONMENT.keys() & os.environ.keys()
    local.start(serving=True)
    assert local.SERVE_ENVIRONMENT.items() <= os.environ.items() and len(started) == 2
    local.remove_folders()


def test_the_folder_of_the_environment(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/tmp/s")
    local.start()
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / ("long" * 20)))  # a socket's path would be too long
    local.start()
    short, long = (Path(call["_temp_dir"]).parents[1] for call in started)
    assert str(short) == "/tmp/s" and str(long) == "/tmp"
    local.remove_folders()
    short.rmdir()


def test_a_token_that_is_there_is_kept(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/run/token")
    local.start()
    assert started and "RAY_AUTH_TOKEN" not in os.environ
    local.remove_folders()


def test_no_start_without_a_token(started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(InputError, match=r"RAY_AUTH_MODE is 'disabled'.*--ray-without-token"):
        local.start()
    assert not started
    local.start(token=False)
    assert started
    local.remove_folders()


def test_no_cluster_without_a_token(started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    left = []
    monkeypatch.setattr(ray, "shutdown", lambda: left.append(True))
    with pytest.raises(InputError, match="the cluster has no token"):
        local.start(address="10.0.0.1:6379")
    assert left
    local.start(address="10.0.0.1:6379", token=False)
    assert len(started) == 2 and len(left) == 1


def test_the_command_refuses(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert main(["serve", "--model", str(tiny_folder), "--port", "18999"]) == 2
    assert "--ray-without-token" in capsys.readouterr().err
