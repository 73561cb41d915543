"""The Starlette application, put together from parts that the root has made."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from quickthumb.errors import QuickThumbError
from quickthumb.metrics import WebMetrics
from quickthumb.service.images import ImageService
from quickthumb.web import problems
from quickthumb.web.documentation import STATIC
from quickthumb.web.endpoints import Handler
from quickthumb.web.lingering import LingeringClose
from quickthumb.web.measuring import Measuring
from quickthumb.web.mishaps import Mishaps
from quickthumb.web.openapi import describe
from quickthumb.web.routes import ENDPOINTS, PAGES
from quickthumb.web.security import SecurityHeaders

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def application(service: ImageService, *, max_wait_seconds: float, lifespan: Lifespan) -> Starlette:
    """The application that answers for `service`."""
    metrics = WebMetrics()
    app = Starlette(
        routes=[
            *(route for endpoint in ENDPOINTS for route in _routes(endpoint.path, endpoint.handler, endpoint.method)),
            *(route for path, handler in PAGES for route in _routes(path, handler, "GET")),
            Mount("/docs/assets", StaticFiles(directory=STATIC), name="/docs/assets"),
        ],
        middleware=[
            Middleware(Measuring, metrics=metrics),
            Middleware(SecurityHeaders),
            Middleware(LingeringClose),
            Middleware(Mishaps),
        ],
        exception_handlers={
            QuickThumbError: problems.known,
            HTTPException: problems.of_starlette,
        },
        lifespan=lifespan,
    )
    # Every address that is meant is there already, so there is nothing to redirect to.
    app.router.redirect_slashes = False
    app.state.service = service
    app.state.metrics = metrics
    app.state.max_wait_seconds = max_wait_seconds
    app.state.openapi = describe(ENDPOINTS)
    return app


def _routes(path: str, handler: Handler, method: str) -> Iterator[Route]:
    """An address means the same with and without a slash at its end: a redirect loses the body with many clients."""
    twin = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    for address in filter(None, (path, twin)):
        yield Route(address, handler, methods=[method], name=path)
