"""The Starlette application, put together from parts that the root has made."""

from collections.abc import Callable
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
from quickthumb.web.lingering import LingeringClose
from quickthumb.web.measuring import Measuring
from quickthumb.web.openapi import describe
from quickthumb.web.routes import ENDPOINTS, PAGES
from quickthumb.web.security import SecurityHeaders

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def application(service: ImageService, *, max_wait_seconds: float, lifespan: Lifespan) -> Starlette:
    """The application that answers for `service`."""
    metrics = WebMetrics()
    app = Starlette(
        routes=[
            *(Route(endpoint.path, endpoint.handler, methods=[endpoint.method]) for endpoint in ENDPOINTS),
            *(Route(path, handler) for path, handler in PAGES),
            Mount("/docs/assets", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(Measuring, metrics=metrics),
            Middleware(SecurityHeaders),
            Middleware(LingeringClose),
        ],
        exception_handlers={
            QuickThumbError: problems.known,
            HTTPException: problems.of_starlette,
            Exception: problems.unexpected,
        },
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.metrics = metrics
    app.state.max_wait_seconds = max_wait_seconds
    app.state.openapi = describe(ENDPOINTS)
    return app
