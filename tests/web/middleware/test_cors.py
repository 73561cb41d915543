"""What pages of other origins may do and read. `tests/web/test_other_origins.py` tries it in a browser."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from quickthumb.web.middleware.cors import READ, SENT, Origins
from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.web.conftest import Refusal
from tests.web_process import WebProcess, running_web

SHOP, ANY_BELOW = "https://shop.example.org", "https://*.example.net:8443"
ADMITTED = [SHOP, "https://a.example.net:8443", "https://a.b-c.example.net:8443"]
REFUSED = [
    "null",
    "",
    "https://evil.test",
    "http://shop.example.org",
    "https://shop.example.org:8443",
    "https://shop.example.org.evil.test",
    "https://evil.test/https://shop.example.org",
    "https://example.net:8443",
    "https://.example.net:8443",
    "https://a.example.net",
    "https://evil.test/.example.net:8443",
    "https://evil.test?.example.net:8443",
    "https://evil.test#.example.net:8443",
    "https://user@evil.test:1.example.net:8443",
    "https://aexample.net:8443",
    "http://a.example.net:8443",
]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebProcess]:
    """A web process below a path prefix that admits two kinds of origins. Its jobs stay WAITING."""
    folder = tmp_path_factory.mktemp("cors")
    async with (
        RedisServer(folder) as redis,
        running_web(folder, redis.url, cors_origins=f"{SHOP},{ANY_BELOW}", root_path="/thumbs") as web,
    ):
        yield web


@pytest.fixture
async def client(web: WebProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(web.address) as client:
        yield client


async def preflight(client: httpx.AsyncClient, origin: str, method: str = "POST", headers: str = "") -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return await client.options("/images/", headers=asked)


def listed(answer: httpx.Response, name: str) -> set[str]:
    return {word.strip().lower() for word in answer.headers.get(name, "").split(",")}


@pytest.mark.parametrize("origin", ADMITTED)
def test_listed_origins_are_admitted(origin: str) -> None:
    assert Origins([SHOP, ANY_BELOW]).admits(origin)


@pytest.mark.parametrize("origin", REFUSED)
def test_no_other_origin_is(origin: str) -> None:
    assert not Origins([SHOP, ANY_BELOW]).admits(origin)


@pytest.mark.parametrize("origin", ADMITTED)
async def test_a_browser_may_remember_for_two_hours_what_a_page_may_send(
    client: httpx.AsyncClient, origin: str
) -> None:
    answer = await preflight(client, origin, headers="idempotency-key, content-type, prefer")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-max-age"] == "7200"
    assert listed(answer, "access-control-allow-methods") >= {"get", "post", "delete"}
    assert listed(answer, "access-control-allow-headers") >= {name.lower() for name in SENT}
    assert "origin" in listed(answer, "vary")
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "method", "headers", "told"),
    [
        ("https://evil.test", "POST", "", "CORS_ORIGINS does not name their origin"),
        (SHOP, "TRACE", "", "not send this method"),
        (SHOP, "POST", "x-unheard-of", "or these headers"),
    ],
)
async def test_a_refused_preflight_says_why(
    client: httpx.AsyncClient, origin: str, method: str, headers: str, told: str
) -> None:
    answer = await preflight(client, origin, method, headers)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["type"]) == ("cross_origin", "/thumbs/docs/errors#cross_origin")
    assert told in problem["detail"]
    assert "access-control-allow-origin" not in answer.headers


async def test_a_page_may_read_answers_and_problems(client: httpx.AsyncClient) -> None:
    image = {"image": ("cat.jpg", picture(), "image/jpeg")}
    accepted = await client.post("/images/", files=image, headers={"Origin": SHOP, "Sec-Fetch-Site": "cross-site"})
    assert accepted.status_code == 202
    missing = await client.get("/jobs/unknown", headers={"Origin": SHOP})
    assert missing.status_code == 404
    for answer in (accepted, missing):
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert listed(answer, "access-control-expose-headers") == {name.lower() for name in READ}
        assert "origin" in listed(answer, "vary")
        assert "access-control-allow-credentials" not in answer.headers


async def test_what_another_page_sends_is_refused_before_there_is_a_job(
    client: httpx.AsyncClient, web: WebProcess
) -> None:
    before = web.kept()
    image = {"image": ("cat.jpg", picture(), "image/jpeg")}
    answer = await client.post("/images/", files=image, headers={"Origin": "https://evil.test"})
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")
    assert "access-control-allow-origin" not in answer.headers
    assert web.kept() == before


async def test_caches_tell_the_pages_apart(client: httpx.AsyncClient) -> None:
    """An answer without an Origin varies, too: a cache must not give it to a page."""
    assert "origin" in listed(await client.get("/jobs"), "vary")


async def test_without_the_setting_no_page_may_read_anything(waiting: httpx.AsyncClient) -> None:
    answer = await waiting.get("/jobs", headers={"Origin": SHOP})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert (await preflight(waiting, SHOP)).status_code == Refusal(405, "method_not_allowed").status
