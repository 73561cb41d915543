"""Logging in with a key, over HTTP: the cookie, who it lets in, and from which pages."""

import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import pytest
import pytest_asyncio

from quickthumb.model.allowance import Quotas
from quickthumb.model.api_key import ApiKey, id_in, new_text
from quickthumb.model.caller import Scope
from quickthumb.model.job import now
from quickthumb.service.keys import KeyStore
from quickthumb.service.sessions import Session
from quickthumb.storage import FileStorage
from quickthumb.web.session_cookie import cookie_of
from tests.access.guarded import altered, bearer, session
from tests.conftest import http_client
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web.conftest import Refusal, refusal
from tests.web_process import WebProcess, running_web

pytestmark = pytest.mark.asyncio(loop_scope="module")

MOST_REQUESTS = 5
ENOUGH = Quotas(requests_per_minute=10_000)
SHOP = "http://shop.test"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
BY_HTTPS = {"X-Forwarded-Proto": "https"}
NO_HEADERS: Mapping[str, str] = {}
ADDRESSES = (f"192.0.2.{number}" for number in itertools.count(1))


@dataclass(frozen=True)
class Door:
    """A web process with keys: the operator's, one that may only see jobs of a tenant, and one that is to be revoked.
    It trusts a proxy on this machine, and each address may ask MOST_REQUESTS a minute."""

    web: WebProcess
    store: KeyStore
    operator: str
    reader: str
    ending: str


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    (folder / "data").mkdir()
    storage = FileStorage(folder / "data")
    await storage.identity()
    store = KeyStore(storage)
    operator, _ = await store.create("default", [Scope.ADMIN], note="operator", quotas=ENOUGH)
    reader, _ = await store.create("shop", [Scope.JOBS_READ], note="reader", quotas=ENOUGH)
    ending, _ = await store.create("shop", Scope, quotas=ENOUGH)
    settings: dict[str, Any] = {
        "trusted_proxies": "127.0.0.1",
        "cors_origins": SHOP,
        "quotas": json.dumps({"requests_per_minute": MOST_REQUESTS}),
        "event_heartbeat_seconds": 0.5,
    }
    async with RedisServer(folder) as redis, running_web(folder, redis.url, **settings) as web:
        yield Door(web, store, operator, reader, ending)


@pytest_asyncio.fixture(loop_scope="module")
async def client(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps no cookies, at an address of its own."""
    async with http_client(door.web.address) as client:
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        client.headers["X-Forwarded-For"] = next(ADDRESSES)
        yield client


async def log_in(client: httpx.AsyncClient, key: str, headers: Mapping[str, str] = OWN_PAGE) -> httpx.Response:
    return await client.post("/session", json={"key": key}, headers=headers)


def cookie_in(answer: httpx.Response) -> tuple[dict[str, str], set[str]]:
    """What a browser sends from then on, and the attributes of the cookie."""
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    return {"Cookie": cookie}, set(attributes)


async def test_a_page_logs_in_is_let_in_and_logs_out(client: httpx.AsyncClient, door: Door) -> None:
    asked = await client.get("/session", headers=OWN_PAGE)
    assert (asked.status_code, asked.json()["login"], asked.json()["tenant"]) == (HTTPStatus.OK, "needed", None)
    answer = await log_in(client, door.reader)
    assert answer.status_code == HTTPStatus.OK, answer.text
    who = answer.json()
    expires_at = who.pop("expires_at")
    assert who == {
        "login": "done",
        "tenant": "shop",
        "key": {"id": id_in(door.reader), "name": "reader"},
        "scopes": ["jobs:read"],
        "runs_deployment": False,
    }
    assert door.reader not in answer.headers["set-cookie"]
    assert answer.headers["cache-control"] == "no-store"
    cookie, attributes = cookie_in(answer)
    assert attributes == {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}
    assert cookie["Cookie"].startswith("quickthumb_session=v1.")
    again = await client.get("/session", headers={**cookie, **OWN_PAGE})
    assert again.json() == {**who, "expires_at": expires_at}
    assert (await client.get("/jobs", headers={**cookie, **OWN_PAGE})).status_code == HTTPStatus.OK
    assert (await client.get("/presets", headers={**cookie, **OWN_PAGE})).json()["code"] == "insufficient_scope"
    out = await client.delete("/session", headers={**cookie, **OWN_PAGE})
    assert out.status_code == HTTPStatus.NO_CONTENT
    assert cookie_in(out) == (
        {"Cookie": "quickthumb_session="},
        {"Path=/", "Max-Age=0", "HttpOnly", "SameSite=Strict"},
    )


async def test_over_https_only_this_host_can_set_the_cookie(client: httpx.AsyncClient, door: Door) -> None:
    cookie, attributes = cookie_in(await log_in(client, door.operator, {**OWN_PAGE, **BY_HTTPS}))
    assert attributes == {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict", "Secure"}
    assert cookie["Cookie"].startswith("__Host-quickthumb_session=v1.")
    asked = {**cookie, **OWN_PAGE, **BY_HTTPS}
    assert (await client.get("/stats", headers=asked)).status_code == HTTPStatus.OK
    # What came without TLS may have been set by a neighbor.
    plain = {"Cookie": cookie["Cookie"].removeprefix("__Host-")}
    assert (await client.get("/stats", headers={**asked, **plain})).status_code == HTTPStatus.UNAUTHORIZED


async def test_a_header_with_a_key_wins(client: httpx.AsyncClient, door: Door) -> None:
    cookie = session(door.web.data, door.operator)
    who = await client.get("/session", headers={**cookie, **bearer(door.reader)})
    assert (who.json()["login"], who.json()["tenant"], who.json()["expires_at"]) == ("done", "shop", None)
    wrong = await client.get("/jobs", headers={**cookie, **bearer(new_text())})
    assert refusal(wrong) == Refusal(401, "invalid_key")
    # Also from a page that may not use the cookie.
    page = {"Origin": SHOP, "Sec-Fetch-Site": "same-site"}
    assert (await client.get("/jobs", headers={**cookie, **page, **bearer(door.reader)})).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "change",
    [
        altered,
        lambda cookie: f"{cookie}; {cookie}",
        lambda cookie: f"{cookie}; quickthumb_session=other",
        lambda cookie: cookie.replace("quickthumb_session", "QUICKTHUMB_SESSION"),
        lambda cookie: cookie.replace("v1.", "v1.."),
        lambda cookie: f"{cookie}\xff",
        lambda _: "quickthumb_session",
        lambda _: "quickthumb_session=",
        lambda _: "quickthumb_session=v1.e30.AAAA",
        lambda _: "quickthumb_session=" + "x" * 8000,
        lambda _: ";;=;=;",
        lambda _: "",
    ],
)
async def test_what_is_no_session_counts_as_none(client: httpx.AsyncClient, door: Door, change: Any) -> None:
    cookie = change(session(door.web.data, door.operator)["Cookie"]).encode("latin-1")
    for path, headers in (("/jobs", OWN_PAGE), ("/stats", NO_HEADERS)):
        answer = await client.get(path, headers=[(b"Cookie", cookie), *_lines(headers)])
        assert refusal(answer) == Refusal(401, "key_required")
        assert answer.headers["www-authenticate"] == 'Bearer realm="quickthumb"'
    who = await client.get("/session", headers=[(b"Cookie", cookie)])
    assert (who.status_code, who.json()["login"]) == (HTTPStatus.OK, "needed")


def _lines(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def test_a_cookie_is_found_among_others(client: httpx.AsyncClient, door: Door) -> None:
    cookie = session(door.web.data, door.operator)["Cookie"]
    for lines in ([f"a=b; {cookie};c"], ["a=b", cookie], [f"quickthumb_session_=x;{cookie}"]):
        headers = [(b"Cookie", line.encode()) for line in lines]
        assert (await client.get("/jobs", headers=headers)).status_code == HTTPStatus.OK
    twice = [(b"Cookie", cookie.encode())] * 2
    assert (await client.get("/jobs", headers=twice)).status_code == HTTPStatus.UNAUTHORIZED


FROM_ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": SHOP},
    {"Sec-Fetch-Site": "cross-site", "Origin": SHOP},
    {"Origin": SHOP},
    {"Origin": "http://localhost:3000"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("page", FROM_ELSEWHERE)
async def test_no_other_page_can_use_the_cookie_not_even_one_that_cors_admits(
    client: httpx.AsyncClient, door: Door, page: Mapping[str, str]
) -> None:
    cookie = session(door.web.data, door.operator)
    for method, path in (("GET", "/jobs"), ("GET", "/session"), ("POST", "/jobs/cancel?status=WAITING")):
        answer = await client.request(method, path, headers={**cookie, **page})
        assert refusal(answer) == Refusal(403, "cross_origin")
        assert "access-control-allow-credentials" not in answer.headers
    for method in ("POST", "DELETE"):
        answer = await client.request(method, "/session", headers=page, json={"key": door.operator})
        assert refusal(answer) == Refusal(403, "cross_origin")
        assert "set-cookie" not in answer.headers


async def test_what_changes_something_must_say_that_it_is_of_this_page(client: httpx.AsyncClient, door: Door) -> None:
    cookie, change = session(door.web.data, door.operator), "/jobs/cancel?status=WAITING"
    own = {"Origin": door.web.address}
    pages: list[Mapping[str, str]] = [OWN_PAGE, own, {**own, **OWN_PAGE}]
    for page in pages:
        assert (await client.post(change, headers={**cookie, **page})).status_code == HTTPStatus.OK
    # What a user types reads only.
    for page in (NO_HEADERS, {"Sec-Fetch-Site": "none"}):
        assert refusal(await client.post(change, headers={**cookie, **page})) == Refusal(403, "cross_origin")
        assert refusal(await client.get("/send-email/a@example.com", headers={**cookie, **page})) == Refusal(
            403, "cross_origin"
        )
        assert (await client.get("/jobs", headers={**cookie, **page})).status_code == HTTPStatus.OK


async def test_a_preflight_never_allows_credentials(client: httpx.AsyncClient) -> None:
    headers = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    for path in ("/session", "/jobs/cancel"):
        answer = await client.options(path, headers=headers)
        assert "access-control-allow-credentials" not in answer.headers


BODIES: Mapping[str, tuple[bytes, Refusal]] = {
    "no JSON": (b"key=qt", Refusal(400, "malformed_request")),
    "no object": (b"[]", Refusal(400, "malformed_request")),
    "no key": (b"{}", Refusal(422, "invalid_parameter", "key")),
    "no text": (b'{"key": 5}', Refusal(422, "invalid_parameter", "key")),
    "null": (b'{"key": null}', Refusal(422, "invalid_parameter", "key")),
    "more": (b'{"key": "", "kay": ""}', Refusal(422, "invalid_parameter", "kay")),
    "twice": (b'{"key": "", "key": ""}', Refusal(400, "malformed_request")),
    "too long": (b'{"key": "%s"}' % (b"x" * 4096), Refusal(413, "too_many_bytes")),
    "empty": (b'{"key": ""}', Refusal(401, "invalid_key")),
    "long": (b'{"key": "%s"}' % (b"x" * 4000), Refusal(401, "invalid_key")),
    "not ASCII": ('{"key": "qt_é\\u0000"}'.encode(), Refusal(401, "invalid_key")),
    "half a letter": (b'{"key": "\\ud800"}', Refusal(400, "malformed_request")),
}


@pytest.mark.parametrize("kind", BODIES)
async def test_a_wrong_body_is_refused(client: httpx.AsyncClient, kind: str) -> None:
    body, expected = BODIES[kind]
    answer = await client.post("/session", content=body, headers={"Content-Type": "application/json"})
    assert refusal(answer) == expected
    assert "set-cookie" not in answer.headers


async def test_a_form_cannot_log_in(client: httpx.AsyncClient, door: Door) -> None:
    answer = await client.post("/session", data={"key": door.operator})
    assert refusal(answer) == Refusal(415, "unsupported_media_type", "Content-Type")


async def test_guesses_count_against_the_address_and_against_no_tenant(client: httpx.AsyncClient, door: Door) -> None:
    answers = [await log_in(client, new_text()) for _ in range(MOST_REQUESTS + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {HTTPStatus.UNAUTHORIZED}
    assert len({answer.json()["detail"] for answer in answers[:-1]}) == 1
    assert refusal(answers[-1]) == Refusal(429, "quota_exceeded")
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await log_in(client, door.operator)).status_code == HTTPStatus.TOO_MANY_REQUESTS
    other = {**OWN_PAGE, "X-Forwarded-For": next(ADDRESSES)}
    assert (await log_in(client, door.operator, other)).status_code == HTTPStatus.OK


async def test_the_operators_session_says_so_and_sees_the_whole_service(client: httpx.AsyncClient, door: Door) -> None:
    answer = await log_in(client, door.operator)
    assert (answer.json()["tenant"], answer.json()["runs_deployment"]) == ("default", True)
    assert (await client.get("/stats", headers=cookie_in(answer)[0])).status_code == HTTPStatus.OK


async def test_answers_to_a_cookie_are_not_for_shared_caches(client: httpx.AsyncClient, door: Door) -> None:
    cookie = session(door.web.data, door.operator)
    for path in ("/jobs", "/presets", "/stats", "/metrics", "/webhooks", "/session"):
        answer = await client.get(path, headers=cookie)
        assert answer.status_code == HTTPStatus.OK
        assert answer.headers["cache-control"] in {"no-store", "private, no-cache"}, path


async def test_sessions_and_their_streams_end_when_the_key_is_revoked(client: httpx.AsyncClient, door: Door) -> None:
    cookie = {**cookie_in(await log_in(client, door.ending))[0], **OWN_PAGE}
    async with client.stream("GET", "/events", headers=cookie) as stream:
        assert stream.status_code == HTTPStatus.OK
        (key,) = [key for key in await door.store.all() if key.id == id_in(door.ending)]
        await door.store.end(key, now())
        ended = time.monotonic()

        async def is_refused() -> bool:
            return (await client.get("/jobs", headers=cookie)).status_code == HTTPStatus.UNAUTHORIZED

        await wait_until(is_refused)
        assert time.monotonic() - ended < 5
        await stream.aread()
    assert (await client.get("/session", headers=cookie)).json()["login"] == "needed"


async def test_a_stream_ends_with_its_session(client: httpx.AsyncClient, door: Door) -> None:
    cookie = session(door.web.data, door.operator, seconds=2)
    async with client.stream("GET", "/events", headers={**cookie, **OWN_PAGE}) as stream:
        assert stream.status_code == HTTPStatus.OK
        await stream.aread()
    assert (await client.get("/jobs", headers=cookie)).status_code == HTTPStatus.UNAUTHORIZED


async def test_below_a_path_prefix_the_cookie_is_for_that_only() -> None:
    key = ApiKey(id="4hVq0zTn8sLb", digest="", scopes=frozenset(), created_at=now())
    scope = {"scheme": "https", "root_path": "/thumbs", "headers": []}
    cookie, attributes = cookie_in(httpx.Response(200, headers={"Set-Cookie": cookie_of(Session(key, 0, "v1"), scope)}))
    assert cookie == {"Cookie": "quickthumb_session=v1"}
    assert attributes == {"Path=/thumbs", "Max-Age=43200", "HttpOnly", "SameSite=Strict", "Secure"}


async def test_a_service_without_keys_needs_no_login(service: str) -> None:
    async with http_client(service) as client:
        who = (await client.get("/session")).json()
        assert (who["login"], who["tenant"], who["key"]) == ("not_needed", "default", None)
        assert (set(who["scopes"]), who["runs_deployment"]) == (set(Scope), True)
        assert refusal(await client.post("/session", json={"key": new_text()})) == Refusal(401, "invalid_key")
