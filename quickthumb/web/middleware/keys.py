"""Lets in who has an API key for what the request does (RFC 6750).

Without any key, a service is open to whoever reaches it on this machine; elsewhere, only if OPEN_ACCESS says so.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable
from functools import lru_cache
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickthumb.http.authority import is_loopback
from quickthumb.http.policies import PolicyCheck
from quickthumb.http.requests import KEY, POLICY, SESSION, SIGNED, TENANT
from quickthumb.http.signing import SIGNATURE, Signer
from quickthumb.intake.leading_fields import leading_field
from quickthumb.model import caller
from quickthumb.model.api_key import ApiKey
from quickthumb.model.errors import MalformedRequest
from quickthumb.model.policy import FIELD
from quickthumb.service.errors import InsufficientScope, KeyRequired
from quickthumb.service.keys import Keyring
from quickthumb.web.session_cookie import SessionCheck

# Nearly all requests come to the same few addresses of this machine.
_is_loopback = lru_cache(maxsize=64)(is_loopback)

SIGNED_QUERY = f"{SIGNATURE}=".encode()
HOW = "send one as `Authorization: Bearer qt_…`"
HOW_ELSE = f"{HOW}, or a signed policy as `Upload-Policy` or in a form field before the image"


class KeyCheck:
    """ASGI middleware before an endpoint that needs `needed`: raises KeyRequired, InvalidKey or InsufficientScope.

    Requests without a key act for the tenant `keyless`, if there is one. With a `signer`, a signed URL stands in for a
    key; then also raises InvalidSignature. With `policies`, an upload policy does; then also raises InvalidPolicy. With
    `sessions`, the cookie of a session does, unless there is a key; then also raises CrossOrigin.
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
        policies: PolicyCheck | None = None,
        sessions: SessionCheck | None = None,
    ) -> None:
        self._app = app
        self._keyring = keyring
        self._needed = needed
        self._open_access = open_access
        self._keyless = keyless
        self._signer = signer
        self._policies = policies
        self._sessions = sessions

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine of its own, so that requests do not pay for it.
        if self._signer is not None and SIGNED_QUERY in scope["query_string"]:
            query = scope["query_string"].decode("latin-1")
            scope[SIGNED] = self._signer.check(scope["method"], scope["path"], query)
        elif self._policies is None:
            self._let_in(scope)
        elif (policy := self._policies.in_header(scope["headers"])) is not None:
            scope[POLICY] = self._policies.read(policy, scope["headers"])
        elif self._policies.may_be_in_form(scope["headers"]):
            return self._after_the_fields(self._policies, scope, receive, send)
        else:
            self._let_in(scope)
        return self._app(scope, receive, send)

    async def _after_the_fields(self, policies: PolicyCheck, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the request in by the policy in its form, or else as one that has none."""
        body = _Reread(receive)
        policy = await leading_field(body.chunks(), _content_type(scope), FIELD)
        if policy is None:
            self._let_in(scope)
        else:
            scope[POLICY] = policies.read(policy, scope["headers"])
        await self._app(scope, body.receive, send)

    def _let_in(self, scope: Scope) -> None:
        if self._keyring.needs_key:
            self._check(scope)
        else:
            check_open(scope, open_access=self._open_access)

    def _check(self, scope: Scope) -> None:
        text = bearer_in(scope)
        if text is not None:
            key = scope[KEY] = self._keyring.key_of(text)
            self._check_scope(key)
        elif self._sessions is not None and (session := self._sessions.session_in(scope)) is not None:
            scope[SESSION], scope[KEY] = session, session.key
            self._check_scope(session.key)
        elif self._keyless is not None:
            scope[TENANT] = self._keyless
        else:
            raise KeyRequired(f"The request has no API key: {HOW if self._policies is None else HOW_ELSE}.")

    def _check_scope(self, key: ApiKey) -> None:
        if self._needed not in key.scopes and caller.Scope.ADMIN not in key.scopes:
            raise InsufficientScope(self._needed)


class _Reread:
    """The body of a request, of which a part is read ahead: `receive` gives that part again, and then the rest."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: deque[Message] = deque()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What arrives. Raises ClientDisconnect."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._read.append(message)
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def receive(self) -> Message:
        return self._read.popleft() if self._read else await self._receive()


def _content_type(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"), "")


def check_open(scope: Scope, *, open_access: bool) -> None:
    """Raises KeyRequired if a service without keys does not answer to whoever sent this request."""
    if not (open_access or _is_local(scope.get("server"))):
        raise KeyRequired("The service has no API key yet, so it answers only on the machine that it runs on.")


def bearer_in(scope: Scope) -> str | None:
    """The key in the request; None if it has none. Another scheme than Bearer is not for us."""
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    if len(given) > 1:
        raise MalformedRequest("The request has more than one Authorization header.")
    scheme, _, text = given[0].partition(" ") if given else ("", "", "")
    return text.strip() if scheme.lower() == "bearer" else None


def _is_local(server: Any) -> bool:
    """Whether the request came to a loopback address of this machine, or to a Unix socket."""
    return server is None or server[1] is None or _is_loopback(server[0])
