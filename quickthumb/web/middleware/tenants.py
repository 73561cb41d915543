"""Lets the operator act for any tenant: `?tenant=shop`. Everybody else can name their own tenant only."""

from collections.abc import Awaitable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from quickthumb.http.requests import ACTS_FOR, SIGNED, caller_of
from quickthumb.model import caller
from quickthumb.model.api_key import TENANT as TENANT_NAME
from quickthumb.model.caller import EVERY_TENANT, Caller
from quickthumb.model.errors import InvalidParameter
from quickthumb.service.errors import InsufficientScope, NotForTenants

TENANT = "tenant"


class TenantChoice:
    """ASGI middleware behind `KeyCheck`, before an endpoint for what each tenant has of its own: raises
    InvalidParameter, NotForTenants or InsufficientScope. With `for_all`, EVERY_TENANT is a tenant, too."""

    def __init__(self, app: ASGIApp, *, for_all: bool) -> None:
        self._app = app
        self._for_all = for_all

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine of its own, so that requests do not pay for it.
        query: bytes = scope["query_string"]
        if query and (b"tenant" in query or b"%" in query):
            self._choose(scope)
        return self._app(scope, receive, send)

    def _choose(self, scope: Scope) -> None:
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        names = [value for name, value in given if name == TENANT]
        if not names:
            return
        asking = caller_of(Request(scope))
        if SIGNED in scope:
            raise NotForTenants("A signed URL names no tenant.")
        if self._named(names) != asking.tenant:
            _check(asking)
            scope[ACTS_FOR] = names[0]

    def _named(self, names: list[str]) -> str:
        if len(names) > 1:
            raise InvalidParameter("tenant was given more than once.", field=TENANT)
        (name,) = names
        if name == EVERY_TENANT and not self._for_all:
            raise InvalidParameter("Only a list of jobs can be that of all tenants.", field=TENANT)
        if name != EVERY_TENANT and not TENANT_NAME.fullmatch(name):
            raise InvalidParameter(
                "tenant must be the name of a tenant: up to 63 lowercase letters, digits and hyphens.", field=TENANT
            )
        return name


def _check(asking: Caller) -> None:
    """Raises NotForTenants or InsufficientScope unless it is the operator who asks."""
    if not asking.runs_deployment:
        raise NotForTenants("The API key may act for its own tenant only.")
    if caller.Scope.ADMIN not in asking.scopes:
        raise InsufficientScope(caller.Scope.ADMIN)
