"""`/session`: logging in on a page with an API key, out again, and who is logged in."""

import contextlib
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import KEY, SESSION, caller_of, keyring_of, limiter_of, sessions_of
from quickthumb.http.small_bodies import json_object
from quickthumb.model.api_key import ApiKey
from quickthumb.model.caller import Caller, Scope
from quickthumb.model.output import refusal
from quickthumb.service.errors import InvalidKey, KeyRequired
from quickthumb.service.sessions import Session
from quickthumb.web.middleware.keys import bearer_in, check_open
from quickthumb.web.presentation import Moment
from quickthumb.web.session_cookie import SessionCheck, cookie_of, no_cookie

MOST_BYTES = 4096
NO_STORE = {"Cache-Control": "no-store"}


class Login(BaseModel):
    """What a page logs in with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(description="An API key.", examples=["qt_4hVq0zTn8sLb_9xWmR2cYkE7uPfD1jGaB6iN3oQvS5tHzCq4Lw0"])


class SessionKeyView(BaseModel):
    """The key that a caller acts with, without its secret."""

    id: str = Field(examples=["4hVq0zTn8sLb"])
    name: str = Field(description="Its note.", examples=["web shop"])


class SessionView(BaseModel):
    """Who is asking, and what they may do."""

    login: Literal["done", "needed", "not_needed"] = Field(
        description="`not_needed` while the service has no keys and lets this client in without one."
    )
    tenant: str | None = Field(examples=["shop"])
    key: SessionKeyView | None
    scopes: list[Scope] = Field(examples=[["jobs:read"]])
    expires_at: Moment | None = Field(description="When the session ends, or else the key; null if never.")
    runs_deployment: bool = Field(description="Whether the tenant is the operator's, `default`.")


async def create(request: Request) -> Response:
    """Logs in with an API key. The browser then sends a cookie with what pages of this service ask for, for 12 hours at
    most: it may do what the key may, and ends with the key."""
    # Whoever guesses is not known yet, and must not use up the quota of a tenant.
    guest = Caller(tenant="", address=caller_of(request).address)
    await limiter_of(request).count_request(guest)
    given = await json_object(request, most_bytes=MOST_BYTES)
    try:
        login = Login.model_validate(given)
    except ValidationError as error:
        raise refusal(error, Login.model_fields) from None
    if not keyring_of(request).needs_key:
        check_open(request.scope, open_access=request.app.state.open_access)
    session = await sessions_of(request).begin(login.key)
    request.scope[KEY], request.scope[SESSION] = session.key, session
    return json_answer(_who(request), headers={"Set-Cookie": cookie_of(session, request.scope), **NO_STORE})


async def show(request: Request) -> Response:
    """Says who is asking: with an API key, with the cookie of a session, or on a service that has no key yet. Answers
    200 also if a login is needed, so that a page can ask."""
    if keyring_of(request).needs_key:
        view = _who(request) if _is_known(request) else NOBODY
    else:
        try:
            check_open(request.scope, open_access=request.app.state.open_access)
            view = _who(request)
        except KeyRequired:
            view = NOBODY
    return json_answer(view, headers=NO_STORE)


async def remove(request: Request) -> Response:
    """Logs out: the browser forgets its cookie."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Set-Cookie": no_cookie(request.scope)})


NOBODY = SessionView(login="needed", tenant=None, key=None, scopes=[], expires_at=None, runs_deployment=False)


def _is_known(request: Request) -> bool:
    """Whether the request has a valid key, or a valid session. Leaves it where `caller_of` finds it."""
    text = bearer_in(request.scope)
    if text is not None:
        with contextlib.suppress(InvalidKey):
            request.scope[KEY] = keyring_of(request).key_of(text)
        return KEY in request.scope
    session = SessionCheck(sessions_of(request), changes=False).session_in(request.scope)
    if session is not None:
        request.scope[KEY], request.scope[SESSION] = session.key, session
    return session is not None


def _who(request: Request) -> SessionView:
    caller = caller_of(request)
    key: ApiKey | None = request.scope.get(KEY)
    session: Session | None = request.scope.get(SESSION)
    ends_at = key.ends_at if key is not None else None
    return SessionView(
        login="not_needed" if key is None else "done",
        tenant=caller.tenant,
        key=None if key is None else SessionKeyView(id=key.id, name=key.note),
        scopes=sorted(caller.scopes),
        expires_at=ends_at if session is None else datetime.fromtimestamp(session.expires, UTC),
        runs_deployment=caller.runs_deployment,
    )
