"""Assembles the Starlette application from the services that the root `app` has made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache, partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from quickthumb.http.endpoints import Endpoint, Handler
from quickthumb.http.policies import PolicyCheck
from quickthumb.http.signing import Signer
from quickthumb.http.urls import Urls
from quickthumb.metrics import WebMetrics
from quickthumb.service.batches import Batches
from quickthumb.service.deployment import Deployment
from quickthumb.service.emails import MailService
from quickthumb.service.events import EventService
from quickthumb.service.health import Health
from quickthumb.service.jobs import ImageService
from quickthumb.service.keys import Keyring
from quickthumb.service.quotas import Limiter
from quickthumb.service.sessions import Sessions
from quickthumb.service.webhooks import WebhookService
from quickthumb.web.middleware.answers import ErrorAnswers, Observing
from quickthumb.web.middleware.cors import Cors, Origins
from quickthumb.web.middleware.hosts import ONLY_LOCAL, HostCheck, Hosts
from quickthumb.web.middleware.keys import KeyCheck
from quickthumb.web.middleware.lingering import LingeringClose
from quickthumb.web.middleware.origins import OriginCheck
from quickthumb.web.middleware.proxies import TrustedProxies
from quickthumb.web.middleware.quotas import QuotaCheck
from quickthumb.web.middleware.root_path import RootPath
from quickthumb.web.middleware.tenants import TenantChoice
from quickthumb.web.openapi import describe
from quickthumb.web.pages import STATIC
from quickthumb.web.routes import DASHBOARD, ENDPOINTS, PAGES, SESSIONS
from quickthumb.web.session_cookie import SessionCheck

# Polls, uploads and downloads: most used first. No path of theirs is one of another endpoint with the same method.
MOST_USED = ("getJob", "createImage", "downloadResult")

# What it yields becomes the state of each request, `request.state`.
Lifespan = (
    Callable[[Starlette], AbstractAsyncContextManager[None]]
    | Callable[[Starlette], AbstractAsyncContextManager[Mapping[str, Any]]]
)


def application(
    service: ImageService,
    mail: MailService,
    health: Health,
    older: Sequence[Endpoint] = (),
    *,
    events: EventService,
    webhooks: WebhookService,
    max_wait_seconds: float,
    lifespan: Lifespan,
    root_path: str = "",
    log_requests: str = "changes",
    hosts: Hosts = ONLY_LOCAL,
    trusted_proxies: Sequence[str] = (),
    cors_origins: Sequence[str] = (),
    keyring: Keyring,
    open_access: bool = False,
    older_tenant: str | None = None,
    url_secrets: Sequence[str] = (),
    limiter: Limiter | None = None,
    batches: Batches | None = None,
    sessions: Sessions | None = None,
    dashboard: bool = True,
    deployment: Deployment | None = None,
) -> Starlette:
    """The application: the native API, the `older` endpoints and the pages, which call these services.

    A client may wait for a job for at most `max_wait_seconds` in one request. All URLs begin with `root_path`.
    `log_requests`, `trusted_proxies`, `cors_origins` and `open_access` are the settings. The application answers only
    to `hosts`. Without a key, requests to the older endpoints act for `older_tenant`, if there is one. URLs are signed
    with the first of the `url_secrets`. The `limiter` applies quotas. Pages log in with `sessions`; without the
    `dashboard`, none can.
    """
    metrics = WebMetrics()
    admits = Origins(cors_origins).admits
    signer = Signer(url_secrets)
    policies = PolicyCheck(signer)

    def guards(endpoint: Endpoint) -> Iterator[Middleware]:
        if endpoint.changes:
            # No page of another origin has the cookie of a session, and none is to get one.
            yield Middleware(OriginCheck, admits=_admits_none if endpoint in SESSIONS else admits)
        if endpoint.scope is not None:
            keyless = older_tenant if endpoint in older else None
            yield Middleware(
                KeyCheck,
                keyring,
                endpoint.scope,
                open_access=open_access,
                keyless=keyless,
                signer=signer if endpoint.signable else None,
                policies=policies if endpoint.takes_policy else None,
                sessions=SessionCheck(sessions, changes=endpoint.changes) if sessions and dashboard else None,
            )
            if endpoint.of_tenant:
                yield Middleware(TenantChoice, for_all=endpoint.for_all_tenants)
            if limiter is not None:
                yield Middleware(QuotaCheck, limiter)

    endpoints = [*(one for one in ENDPOINTS if dashboard or one not in SESSIONS), *older]
    pages = [*PAGES, *(DASHBOARD if dashboard else ())]
    app = _Application(
        routes=[
            *(route for one in _in_order_of_use([*endpoints, *pages]) for route in _routes(one, [*guards(one)])),
            Mount("/docs/assets", StaticFiles(directory=STATIC), name="/docs/assets"),
        ],
        middleware=[
            *([Middleware(TrustedProxies, trusted=trusted_proxies)] if trusted_proxies else []),
            Middleware(RootPath, prefix=root_path),
            Middleware(Observing, metrics=metrics, logged=log_requests),
            Middleware(LingeringClose),
            *([Middleware(Cors, admits=admits, urls=Urls(root_path))] if cors_origins else []),
            Middleware(ErrorAnswers),
            Middleware(HostCheck, hosts=hosts),
        ],
        lifespan=lifespan,
    )
    # Each path has a route with and without a trailing slash, so there is nothing to redirect to.
    app.router.redirect_slashes = False
    app.state.service = service
    app.state.batches = batches
    app.state.mail = mail
    app.state.events = events
    app.state.webhooks = webhooks
    app.state.health = health
    app.state.deployment = deployment
    app.state.metrics = metrics
    app.state.signer = signer
    app.state.keyring = keyring
    app.state.sessions = sessions
    app.state.open_access = open_access
    app.state.limiter = limiter or Limiter()
    app.state.max_wait_seconds = max_wait_seconds
    # Made once somebody asks for it: processes start sooner.
    app.state.openapi = cache(partial(describe, endpoints))
    return app


class _Application(Starlette):
    """Starlette with the middleware that it is given, and none beside: see `ErrorAnswers`."""

    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = self.router.app  # not the router itself, which would only call its own middleware first
        for kind, arguments, named in reversed(self.user_middleware):
            app = kind(app, *arguments, **named)
        return app


class _Handling:
    """ASGI application: lets the handler of an endpoint answer. The middleware answers its exceptions."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._handler(Request(scope, receive, send))
        await response(scope, receive, send)


def _admits_none(_: str) -> bool:
    return False


def _in_order_of_use(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """The endpoints with those first that get nearly all requests: Starlette tries one route after the other."""
    order = (*MOST_USED, *(endpoint.operation_id for endpoint in endpoints))
    return sorted(endpoints, key=lambda endpoint: order.index(endpoint.operation_id))


def _routes(endpoint: Endpoint, guards: Sequence[Middleware]) -> Iterator[Route]:
    """Routes for the path with and without a trailing slash. After a redirect, many clients would not send the body."""
    path = endpoint.path
    twin = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    for spelling in filter(None, (path, twin)):
        route = Route(spelling, _Handling(endpoint.handler), methods=[endpoint.method], name=path, middleware=guards)
        if not endpoint.safe and route.methods is not None:
            route.methods.discard("HEAD")
        yield route
