"""schemathesis throws what the OpenAPI description allows, and what it does not, at every route."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from serving.app import build_app
from speechx.async_engine import FakeEngine
from speechx.voices import VoiceStore
from tests.serving.conftest import settings as serving_settings

schemathesis = pytest.importorskip("schemathesis", reason="needs the extra `dev`")
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


@pytest.fixture(scope="module")
def described(tmp_path_factory: Any) -> Any:
    app = build_app(FakeEngine(chunks=1), serving_settings(), VoiceStore(tmp_path_factory.mktemp("voices")))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_route_keeps_to_its_description(case: Any) -> None:
    case.call_and_validate(
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ]
    )
