"""Lets in who has an API key for what the request does (RFC 6750).

Without any key, a service is open to whoever reaches it on this machine; elsewhere, only if OPEN_ACCESS says so.
"""

from collections.abc import Awaitable
from functools import lru_cache
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from quickthumb.http.authority import is_loopback
from quickthumb.http.requests import KEY, SIGNED, TENANT
from quickthumb.http.signing import SIGNATURE, Signer
from quickthumb.model import caller
from quickthumb.model.api_key import ApiKey
from quickthumb.model.errors import MalformedRequest
from quickthumb.service.errors import InsufficientScope, KeyRequired
from quickthumb.service.keys import Keyring

# Nearly all requests come to the same few addresses of this machine.
_is_loopback = lru_cache(maxsize=64)(is_loopback)

SIGNED_QUERY = f"{SIGNATURE}=".encode()
HOW = "send one as `Authorization: Bearer qt_…`"


class KeyCheck:
    """ASGI middleware before an endpoint that needs `needed`: raises KeyRequired, InvalidKey or InsufficientScope.

    Requests without a key act for the tenant `keyless`, if there is one. With a `signer`, a signed URL stands in for a
    key; then also raises InvalidSignature.
    """

    def __init__(
        self,
        app: ASGIApp,
        keyring: Keyring,
        needed: caller.Scope,
        *,
        open_access: bool,
        keyless: str | None = None,
        signer: Signer | None = None,
    ) -> None:
        self._app = app
        self._keyring = keyring
        self._needed = needed
        self._open_access = open_access
        self._keyless = keyless
        self._signer = signer

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine of its own, so that requests do not pay for it.
        if self._signer is not None and SIGNED_QUERY in scope["query_string"]:
            self._signer.check(scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
            scope[SIGNED] = True
        elif self._keyring.needs_key:
            self._check(scope)
        elif not (self._open_access or _is_local(scope.get("server"))):
            raise KeyRequired("The service has no API key yet, so it answers only on the machine that it runs on.")
        return self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        text = _bearer(scope)
        if text is not None:
            key = scope[KEY] = self._keyring.key_of(text)
            self._check_scope(key)
        elif self._keyless is not None:
            scope[TENANT] = self._keyless
        else:
            raise KeyRequired(f"The request has no API key: {HOW}.")

    def _check_scope(self, key: ApiKey) -> None:
        if self._needed not in key.scopes and caller.Scope.ADMIN not in key.scopes:
            raise InsufficientScope(self._needed)


def _bearer(scope: Scope) -> str | None:
    """The key in the request; None if it has none. Another scheme than Bearer is not for us."""
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    if len(given) > 1:
        raise MalformedRequest("The request has more than one Authorization header.")
    scheme, _, text = given[0].partition(" ") if given else ("", "", "")
    return text.strip() if scheme.lower() == "bearer" else None


def _is_local(server: Any) -> bool:
    """Whether the request came to a loopback address of this machine, or to a Unix socket."""
    return server is None or server[1] is None or _is_loopback(server[0])
