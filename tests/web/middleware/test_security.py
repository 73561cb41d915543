import httpx
import pytest

from tests.conftest import picture
from tests.web.conftest import done, upload
from tests.web.sockets import connection
from tests.web_process import WebProcess

ALWAYS = ("x-content-type-options", "content-security-policy", "content-disposition", "referrer-policy")


def assert_safe(answer: httpx.Response) -> None:
    assert all(name in answer.headers for name in ALWAYS), answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/docs/", "/docs/assets/docs.js", "/openapi.json", "/healthz", "/readyz", "/metrics", "/jobs", "/x"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_every_page_has_the_headers(waiting: httpx.AsyncClient, method: str, path: str) -> None:
    assert_safe(await waiting.request(method, path))


async def test_every_answer_about_a_job_has_the_headers(client: httpx.AsyncClient) -> None:
    job = await done(client)
    result, original = job["results"]["thumbnail"]["url"], job["links"]["original"]
    for path in (job["links"]["self"], result, original, f"{result}x"):
        for headers in ({}, {"If-None-Match": "*"}, {"Range": "bytes=0-1"}, {"Range": "bytes=99999999-"}):
            assert_safe(await client.get(path, headers=headers))
    assert_safe(await client.delete(job["links"]["self"]))
    assert_safe(await client.post("/images/", files={"image": ("cat.jpg", picture())}))
    assert_safe(await client.post("/images/", content=b"x"))


async def test_scripts_run_on_the_docs_alone_and_come_from_here(waiting: httpx.AsyncClient) -> None:
    docs = (await waiting.get("/docs")).headers["content-security-policy"]
    assert "script-src 'self';" in docs
    assert "script-src" not in (await waiting.get("/jobs")).headers["content-security-policy"]


@pytest.mark.parametrize(
    "head",
    [
        b"POST /images/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /images/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /images/ HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde",
        b"POST /images/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET /jobs\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"NONSENSE\r\n\r\n",
    ],
    ids=["both lengths", "two lengths", "a signed length", "unknown coding", "no ASCII", "nonsense"],
)
async def test_a_request_of_two_meanings_is_refused_and_ends_the_connection(alone: WebProcess, head: bytes) -> None:
    async with connection(alone.address) as sending:
        answer = await (await sending.send(head)).answer()
        assert answer.status_code == 400
        assert await sending.is_closed()


async def test_what_a_client_writes_into_a_job_is_never_html(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting, name="<script>alert(1)</script>.jpg")
    answer = await waiting.get(job["links"]["self"])
    assert answer.headers["content-type"] == "application/json"
