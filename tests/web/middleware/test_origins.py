"""Which pages may change something. `tests/web/test_strangers.py` tries it in a browser."""

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from quickthumb.compat.services import SERVICES
from quickthumb.http.endpoints import Endpoint
from quickthumb.http.errors import CrossOrigin
from quickthumb.web.middleware.cors import Origins
from quickthumb.web.middleware.origins import Admits, OriginCheck
from quickthumb.web.routes import ENDPOINTS
from tests.conftest import picture
from tests.web.conftest import Refusal, refusal
from tests.web.sockets import connection
from tests.web_process import WebProcess

EVERY = [*ENDPOINTS, *(endpoint for endpoints in SERVICES.values() for endpoint in endpoints)]
CHANGING = [endpoint for endpoint in EVERY if endpoint.changes]
EVIL = "https://evil.test"
NOBODY = Origins(()).admits


async def passes(headers: dict[str, str], admits: Admits = NOBODY) -> bool:
    """Whether the check lets a request with these headers through."""

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        pass

    lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": lines, "query_string": b""}
    try:
        await OriginCheck(PlainTextResponse("done"), admits)(scope, receive, send)
    except CrossOrigin:
        return False
    return True


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:8000", "Host": "localhost:8000"},
        {"Origin": "http://LOCALHOST:8000", "Host": "localhost.:8000"},
        {"Origin": "https://images.example.org", "Host": "images.example.org"},  # a proxy has ended TLS
        {"Origin": "https://images.example.org", "Host": "images.example.org:443"},
        {"Origin": "http://images.example.org", "Host": "images.example.org:80"},
        {"Origin": "http://[::1]:8000", "Host": "[::1]:8000"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        # A proxy has changed the host.
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://images.example.org", "Host": "127.0.0.1:8000"},
    ],
)
async def test_programs_and_the_services_own_pages_pass(headers: dict[str, str]) -> None:
    assert await passes(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL, "Host": "localhost:8000"},
        {"Origin": "null", "Host": "localhost:8000"},
        {"Origin": "null", "Host": "null"},
        {"Origin": "", "Host": ""},
        {"Origin": "file://", "Host": ""},
        {"Origin": "http://localhost:3000", "Host": "localhost:8000"},
        {"Origin": "http://localhost", "Host": "localhost:8000"},
        {"Origin": "http://localhost:8000", "Host": "localhost"},
        {"Origin": "https://images.example.org:80", "Host": "images.example.org"},
        {"Origin": "http://localhost:8000"},
        {"Origin": f"{EVIL}, http://localhost:8000", "Host": "localhost:8000"},
        {"Origin": "chrome-extension://localhost", "Host": "localhost:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "something new"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8000", "Host": "localhost:8000"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000", "Host": "localhost:8000"},
    ],
)
async def test_pages_of_others_do_not(headers: dict[str, str]) -> None:
    assert not await passes(headers)


async def test_an_origin_can_be_admitted() -> None:
    def admits(origin: str) -> bool:
        return origin == "https://shop.example.org"

    for site in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert await passes({"Origin": "https://shop.example.org", "Host": "localhost", **site}, admits)
        assert not await passes({"Origin": EVIL, "Host": "localhost", **site}, admits)
    assert not await passes({"Sec-Fetch-Site": "cross-site"}, admits)


def test_the_get_that_sends_an_email_is_among_what_changes_something() -> None:
    assert {(endpoint.method, endpoint.path) for endpoint in CHANGING if endpoint.method == "GET"} == {
        ("GET", "/send-email/{email}")
    }
    assert {endpoint.method for endpoint in EVERY if not endpoint.changes} == {"GET"}


@pytest.mark.parametrize("endpoint", CHANGING, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}], ids=["origin", "site"])
async def test_every_endpoint_that_changes_something_is_guarded(
    waiting: httpx.AsyncClient, endpoint: Endpoint, headers: dict[str, str]
) -> None:
    unknown = "0" * 32
    path = endpoint.path.format(job_id=unknown, webhook_id=unknown, delivery_id=unknown, email="ada@example.com")
    for spelling in (path, f"{path.rstrip('/')}/"):
        answer = await waiting.request(endpoint.method, spelling, headers=headers)
        assert refusal(answer) == Refusal(403, "cross_origin")
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_reading_is_not_guarded(waiting: httpx.AsyncClient) -> None:
    """A browser does not let the page see the answer."""
    for path in ("/jobs", "/healthz", "/docs"):
        assert (await waiting.get(path, headers={"Origin": EVIL, "Sec-Fetch-Site": "cross-site"})).status_code == 200


async def test_an_upload_is_refused_before_it_arrives(alone: WebProcess) -> None:
    async with connection(alone.address) as sending:
        await sending.head("POST /images/", Origin=EVIL, Content_Type="image/jpeg", Content_Length=1_000_000)
        answer = await sending.answer()
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")
        assert repr(EVIL) in answer.json()["detail"]


async def test_a_program_needs_no_origin(waiting: httpx.AsyncClient) -> None:
    files = {"image": ("cat.jpg", picture())}
    assert (await waiting.post("/images/", files=files)).status_code == 202
    own = str(waiting.base_url).rstrip("/")
    assert (await waiting.post("/images/", files=files, headers={"Origin": own})).status_code == 202
