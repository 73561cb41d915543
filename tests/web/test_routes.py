"""The order in which routes are tried: that of their use, which must not change where a request leads."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Match, Route

from quickthumb.compat.services import endpoints_of
from quickthumb.config import Config
from quickthumb.http.endpoints import Endpoint
from quickthumb.web.application import MOST_USED, application
from quickthumb.web.routes import DASHBOARD, ENDPOINTS, PAGES
from tests.web.conftest import NO_KEYS, Refusal, refusal

ALL: Sequence[Endpoint] = (
    *ENDPOINTS,
    *endpoints_of(["all"]),
    *PAGES,
    *DASHBOARD,
)


def lifespan(app: Any) -> AbstractAsyncContextManager[None]:
    return cast("AbstractAsyncContextManager[None]", nullcontext())


def made(**given: Any) -> Starlette:
    """The application without the services, which no test here needs."""
    nothing: Any = None
    named = {"events": nothing, "webhooks": nothing, "max_wait_seconds": 1, "lifespan": lifespan, "keyring": nothing}
    return application(nothing, nothing, nothing, **{**named, **given})


def first_match(method: str, path: str) -> Route:
    app = made(older=ALL[len(ENDPOINTS) : -len([*PAGES, *DASHBOARD])])
    scope = {"type": "http", "method": method, "path": path, "root_path": ""}
    return next(route for route in app.routes if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL)


@pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.operation_id)
def test_each_request_leads_to_its_own_endpoint(endpoint: Endpoint) -> None:
    assert first_match(endpoint.method, endpoint.path).name == endpoint.path


def test_the_most_used_are_tried_first() -> None:
    app = made()
    tried = list(dict.fromkeys(route.name for route in app.routes if isinstance(route, Route)))
    paths = {endpoint.operation_id: endpoint.path for endpoint in ENDPOINTS}
    assert tried[: len(MOST_USED)] == [paths[operation_id] for operation_id in MOST_USED]


async def test_without_the_dashboard_there_is_no_login() -> None:
    app = made(keyring=NO_KEYS, dashboard=Config.of(dashboard="off").web.dashboard)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method in ("GET", "POST", "DELETE"):
            assert refusal(await client.request(method, "/session")) == Refusal(404, "not_found")
        for path in ("/dashboard", "/dashboard/system"):
            assert refusal(await client.get(path)) == Refusal(404, "not_found")
        described = (await client.get("/openapi.json")).json()
    assert set(described["components"]["securitySchemes"]) == {"apiKey"}
    assert "session" not in str(described["paths"]["/jobs"]["get"]["security"])
