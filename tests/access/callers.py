"""How each column of `matrix.txt` asks: with which key, signature or policy."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from quickthumb.model.api_key import new_text
from quickthumb.model.caller import Scope
from tests.access.guarded import ENOUGH_SECONDS, SQUARE, Guarded, altered, bearer, policy, session, signed

UPLOAD_POLICY = "Upload-Policy"
NO_HEADERS: Mapping[str, str] = {}
# What a browser says of a page of the service, and of one at another port.
OWN_PAGE, NEIGHBOR = {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "same-site"}


@dataclass(frozen=True)
class Ask:
    """What a request adds to its method and path."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""


# What a caller adds to a request with this method and path.
Caller = Callable[[Guarded, httpx.AsyncClient, str, str], Awaitable[Ask]]


def _with_key(key_of: Callable[[Guarded], str]) -> Caller:
    async def ask(guarded: Guarded, *_: object) -> Ask:
        return Ask(bearer(key_of(guarded)))

    return ask


def _of_scope(scope: Scope) -> Caller:
    return _with_key(lambda guarded: guarded.of_scope[scope])


def _admin(guarded: Guarded) -> str:
    return guarded.of_scope[Scope.ADMIN]


def _with_url(seconds: int, change: Callable[[str], str] = str) -> Caller:
    async def ask(_: Guarded, __: httpx.AsyncClient, method: str, target: str) -> Ask:
        path, query = urlsplit(target).path, urlsplit(target).query
        parameters = sorted(filter(None, [*query.split("&"), f"expires={int(time.time()) + seconds}"]))
        return Ask(query=change(signed("GET" if method == "HEAD" else method, path, "&".join(parameters))))

    return ask


def _with_policy(change: Callable[[str], str] = str) -> Caller:
    async def ask(*_: object) -> Ask:
        return Ask({UPLOAD_POLICY: change(policy())})

    return ask


async def _with_used_policy(_: Guarded, client: httpx.AsyncClient, *__: object) -> Ask:
    used = {UPLOAD_POLICY: policy()}
    await client.post("/images/", files={"image": ("cat.jpg", SQUARE)}, headers=used)
    return Ask(used)


def _with_session(
    key_of: Callable[[Guarded], str],
    page: Mapping[str, str] = OWN_PAGE,
    change: Callable[[str], str] = str,
    seconds: int = ENOUGH_SECONDS,
) -> Caller:
    async def ask(guarded: Guarded, *_: object) -> Ask:
        cookie = session(guarded.web.data, key_of(guarded), seconds=seconds)
        return Ask({"Cookie": change(cookie["Cookie"]), **page})

    return ask


async def _with_nothing(*_: object) -> Ask:
    return Ask()


CALLERS: Mapping[str, Caller] = {
    "none": _with_nothing,
    "wrong": _with_key(lambda _: new_text()),
    "expired": _with_key(lambda guarded: guarded.expired),
    "revoked": _with_key(lambda guarded: guarded.revoked),
    **{scope.value: _of_scope(scope) for scope in Scope},
    "other": _with_key(lambda guarded: guarded.other),
    "url": _with_url(ENOUGH_SECONDS),
    "url-expired": _with_url(-1),
    "url-altered": _with_url(ENOUGH_SECONDS, altered),
    "policy": _with_policy(),
    "policy-used": _with_used_policy,
    "policy-altered": _with_policy(altered),
    "session": _with_session(_admin),
    "session-read": _with_session(lambda guarded: guarded.of_scope[Scope.JOBS_READ]),
    "session-altered": _with_session(_admin, change=altered),
    "session-expired": _with_session(_admin, seconds=-1),
    "session-revoked": _with_session(lambda guarded: guarded.revoked),
    "session-foreign": _with_session(_admin, NEIGHBOR),
    "session-alone": _with_session(_admin, NO_HEADERS),
}
