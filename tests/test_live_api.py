"""The live service against its own OpenAPI document: whatever is sent, no answer is undeclared, and none is a 500."""
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi import checks

from sentinel.live.app import make_live
from sentinel.live.guard import Guard
from sentinel.live.log import Log

CHECKS = [schemathesis.checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
ROUTES = ["/live/alive", "/live/health", "/live/oversee", "/live/oversee/batch", "/live/outcome", "/live/stats", "/metrics"]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    log = Log(tmp_path_factory.mktemp("live") / "live.db")
    yield make_live(Guard(log))
    log.close()


@pytest.fixture(scope="module")
def operations(app):
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    return {made.ok().path: made.ok() for made in document.get_all_operations()}


@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_is_as_declared(operations, path):
    assert set(operations) == set(ROUTES)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operations[path].as_strategy())
    def thrown(case):
        case.call_and_validate(checks=CHECKS)

    thrown()


def test_an_undeclared_answer_is_found(app):
    "The planted case: a route that says less than it does."
    number = {"description": "a number", "content": {"application/json": {"schema": {"type": "integer"}}}}

    @app.get("/planted", responses={200: number})
    def planted() -> str:
        return "text"

    app.openapi_schema = None
    case = schemathesis.openapi.from_asgi("/openapi.json", app)["/planted"]["GET"].Case()
    with pytest.raises(BaseExceptionGroup) as e:
        case.call_and_validate(checks=CHECKS)
    assert "violates schema" in str(e.value.exceptions[0])
