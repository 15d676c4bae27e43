"""schemathesis throws what the OpenAPI description allows, and what it does not, at every route."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from speechx.serving.app import build_app
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import settings as serving_settings


@pytest.fixture(scope="module")
def described(tmp_path_factory: Any) -> Any:
    app = build_app(FakeEngine(chunks=1), serving_settings(), VoiceStore(tmp_path_factory.mktemp("voices")))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def test_every_route_keeps_to_its_description(described: Any) -> None:
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    seen, statuses = [], set()
    for found in described.get_all_operations():
        operation = found.ok()
        seen.append(operation.label)
        for mode in schemathesis.GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=6,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def check(case: Any) -> None:
                statuses.add(case.call_and_validate(checks=checks).status_code)

            try:
                check()
            except Unsatisfiable:  # a route without parameters takes nothing wrong
                assert "get" in operation.method.lower() or mode.name == "NEGATIVE"
    assert "POST /v1/tts" in seen and len(seen) > 12
    assert {200, 404, 422} <= statuses
