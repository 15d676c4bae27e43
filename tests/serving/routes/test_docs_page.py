"""/docs without the internet."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from speechx.serving.settings import Limits, Settings
from speechx.task import registry
from tests.serving.common import Make


class Page(HTMLParser):
    """What a page loads, and its forms: (method, path, body) to the names of their fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.forms: dict[tuple[str, ...], list[str]] = {}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        its = {name: value or "" for name, value in attrs}
        if tag == "link" or "src" in its:
            self.loads.append(its.get("src") or its["href"])
        if tag == "form":
            self.open = self.forms[its["data-method"], its["data-path"], its["data-body"]] = []
        elif "name" in its and tag != "meta":
            self.open.append(its["name"])


def test_root_leads_to_the_page(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.url.path == "/docs" and answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_nothing_comes_from_elsewhere(client: TestClient) -> None:
    text = client.get("/docs").text
    assert Page(text).loads == ["data:,"]
    assert re.findall(r"https?://", text) == [] and len(text) < 200_000


@pytest.mark.parametrize("name", registry.task_names())
def test_every_task_has_a_form(client: TestClient, name: str) -> None:
    forms = Page(client.get("/docs").text).forms
    fields = forms["POST", f"/v1/{name.replace('_', '-')}", "multipart/form-data"]
    assert set(fields) == set(registry.task(name).Request.model_fields)


def test_every_route_is_there(client: TestClient) -> None:
    forms = Page(client.get("/docs").text).forms
    described = client.get("/openapi.json").json()["paths"]
    assert {(m, p) for m, p, _ in forms} == {(m.upper(), p) for p, ms in described.items() for m in ms}
    assert forms["DELETE", "/v1/voices/{voice_id}", ""] == ["voice_id"]
    assert forms["POST", "/v1/audio/speech", "application/json"][:3] == ["model", "input", "voice"]


def test_without_the_page(make: Make) -> None:
    client = make(settings=Settings(limits=Limits(decoders=0), log_requests=False, page=False, docs=False))
    assert client.get("/docs").status_code == client.get("/openapi.json").status_code == 404
    assert client.get("/").json()["tasks"] == "/v1/tasks"
