"""API keys, rate limits and concurrency limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechx.errors import InputError
from speechx.serving.errors import ApiError
from speechx.serving.limits import ApiKeys, RequestLimiter, hash_key
from speechx.serving.settings import Limits, Settings
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import Make

TTS = {"text": "Hello there.", "voice": "heart"}


@pytest.fixture
def keyed(tmp_path: Path) -> Settings:
    file = tmp_path / "keys"
    file.write_text(f"# name:sha256\nanna:{hash_key('secret-a')}\n\nbert:{hash_key('secret-b')}\n")
    return Settings(limits=Limits(decoders=0), api_keys_file=str(file), log_requests=False, page=False)


def test_keys_are_asked_for(make: Make, engine: FakeEngine, keyed: Settings) -> None:
    client = make(settings=keyed)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret-a"}):
        for answer in (
            client.post("/v1/tts", json=TTS, headers=headers),
            client.post("/v1/audio/speech", json={}, headers=headers),
            client.get("/v1/tasks", headers=headers),
            client.get("/v1/models", headers=headers),
            client.get("/v1/voices", headers=headers),
            client.delete("/v1/voices/heart", headers=headers),
        ):
            assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
    assert not engine.jobs
    for headers in ({"Authorization": "Bearer secret-a"}, {"X-API-Key": "secret-b"}):
        assert client.post("/v1/tts", json=TTS, headers=headers).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHX_API_KEYS", "one, two")
    keys = ApiKeys.load(Settings())
    assert keys.caller({"authorization": "Bearer two"}, "") == "env-2"
    with pytest.raises(ApiError):
        keys.caller({"authorization": "Bearer one, two"}, "")
    monkeypatch.delenv("SPEECHX_API_KEYS")
    assert ApiKeys.load(Settings()).caller({}, "1.2.3.4") == "1.2.3.4"


@pytest.mark.parametrize("text", ["", "anna", "anna:xyz", "anna:" + "G" * 64, f"zoé:{hash_key('a')}"])
def test_bad_key_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text, "latin1")
    with pytest.raises(InputError, match="api_keys_file"):
        ApiKeys.load(Settings(api_keys_file=str(tmp_path / "keys")))


def test_rate() -> None:
    now = [0.0]
    limiter = RequestLimiter(Limits(per_key_per_minute=2), clock=lambda: now[0])
    for _ in range(2):
        limiter.check("a")
    with pytest.raises(ApiError) as refused:
        limiter.check("a")
    assert refused.value.status == 429 and refused.value.limit == 2
    assert refused.value.retry_after == pytest.approx(30)
    limiter.check("b")
    now[0] = 31
    limiter.check("a")
    assert limiter.under_way == 0, "a place is taken later"


def test_places() -> None:
    limiter = RequestLimiter(Limits(at_once=3, per_key_at_once=2))
    first, _ = limiter.acquire("a"), limiter.acquire("a")
    with pytest.raises(ApiError, match="your requests"):
        limiter.acquire("a")
    limiter.acquire("b")
    with pytest.raises(ApiError, match="server has 3"):
        limiter.acquire("c")
    first.release()
    first.release()
    assert limiter.under_way == 2
    limiter.draining = True
    with pytest.raises(ApiError, match="shutting down"):
        limiter.acquire("c")


def test_refusals_say_when_to_come_back(make: Make) -> None:
    client = make(per_key_per_minute=1)
    assert client.post("/v1/tts", json=TTS).status_code == 200
    answer = client.post("/v1/tts", json=TTS)
    assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["error"]["limit"] == 1
    assert 'speechx_rejected_total{reason="rate_limit",task="tts"} 1.0' in client.get("/metrics").text


def test_unknown_settings_are_errors() -> None:
    with pytest.raises(ValueError, match="uplaod"):
        Limits.model_validate({"uplaod_bytes": 5})


def test_limits_of_the_command_line() -> None:
    limits = Limits.parse(["request_seconds=900", "at_once = 64"])
    assert limits.request_seconds == 900 and limits.at_once == 64
    assert limits.model_fields_set == {"request_seconds", "at_once"}  # the rest follows the replicas
    with pytest.raises(
        InputError, match="'request_second=9' is not NAME=VALUE of a limit; did you mean 'request_seconds'"
    ):
        Limits.parse(["request_second=9"])
    with pytest.raises(InputError, match="'at_once' is not NAME=VALUE"):
        Limits.parse(["at_once"])
    with pytest.raises(InputError, match="at_once=0: Input should be greater than or equal to 1"):
        Limits.parse(["at_once=0"])
