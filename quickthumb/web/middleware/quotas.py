"""Counts each request against the quotas of its caller, and tells in the answer what is left of them."""

from collections.abc import Awaitable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickthumb.http.quotas import quota_headers
from quickthumb.http.requests import KEY, TENANT, caller_of
from quickthumb.model.allowance import NO_QUOTAS
from quickthumb.model.api_key import ApiKey
from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.quota import Standing
from quickthumb.service.quotas import Limiter, told_of


class QuotaCheck:
    """ASGI middleware behind `KeyCheck`, before an endpoint: raises QuotaExceeded."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app = app
        self._limiter = limiter

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine of its own, so that requests without quotas do not pay for it.
        key: ApiKey | None = scope.get(KEY)
        if key is None:
            has_quotas = self._limiter.limits(scope.get(TENANT, DEFAULT_TENANT), NO_QUOTAS)
        else:
            has_quotas = self._limiter.limits(key.tenant, key.quotas)
        return self._counted(scope, receive, send) if has_quotas else self._app(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        told: list[Standing] = []
        told_of.set(told)

        def send_told(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start" and told:
                headers = [(name.lower().encode(), text.encode()) for name, text in quota_headers(told).items()]
                message["headers"] = [*message.get("headers", ()), *headers]
            return send(message)

        await self._limiter.count_request(caller_of(Request(scope)))
        await self._app(scope, receive, send_told)
