"""The middleware around every response: metrics, security headers, and the response to an unhandled exception."""

import httpx
import pytest

from tests.conftest import picture
from tests.waiting import wait_until
from tests.web.conftest import MAX_UPLOAD_BYTES, done, upload
from tests.web.sockets import connection
from tests.web.test_health import number, samples
from tests.web_process import WebProcess

REQUESTS = "quickthumb_http_requests_total"


async def routes(client: httpx.AsyncClient) -> set[str]:
    return {dict(labels)["route"] for name, labels in await samples(client) if name == REQUESTS}


async def test_ids_names_and_unknown_paths_make_no_new_series(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    for path in (job["links"]["self"], "/jobs/x", "/jobs/y/results/z", "/nowhere", "/.env", "/docs/assets/docs.js"):
        await waiting.get(path)
    expected = {"/jobs/{job_id}", "/jobs/{job_id}/results/{name}", "/docs/assets", "unknown"}

    async def are_counted() -> bool:  # a file's answer is counted once the file is closed, after its last byte
        return expected <= await routes(waiting)

    await wait_until(are_counted)
    seen = await routes(waiting)
    assert not {route for route in seen if job["id"] in route or "nowhere" in route or ".js" in route}


async def test_an_address_is_one_series_with_and_without_its_last_slash(waiting: httpx.AsyncClient) -> None:
    labels = {"method": "POST", "route": "/images/", "status": "202"}
    before = await number(waiting, REQUESTS, **labels)
    for path in ("/images", "/images/"):
        assert (await waiting.post(path, files={"image": ("cat.jpg", picture())})).status_code == 202
    assert await number(waiting, REQUESTS, **labels) == before + 2
    assert "/images" not in await routes(waiting)


async def test_methods_that_nobody_knows_are_one_series(waiting: httpx.AsyncClient) -> None:
    assert (await waiting.request("PROPFIND", "/jobs")).status_code == 405
    assert await number(waiting, REQUESTS, method="other", route="/jobs", status="405") >= 1


async def test_a_client_that_went_away_is_counted_as_such(alone: WebProcess, waiting: httpx.AsyncClient) -> None:
    labels = {"method": "POST", "route": "/images/", "status": "499"}
    before = await number(waiting, REQUESTS, **labels)
    async with connection(alone.address) as sending:
        await sending.head("POST /images/", Content_Type="image/jpeg", Content_Length=MAX_UPLOAD_BYTES)
        await sending.send(picture())
        sending.break_off()

    async def is_counted() -> bool:
        return await number(waiting, REQUESTS, **labels) == before + 1

    await wait_until(is_counted)


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
        b"POST /images/ HTTP/1.1\r\nHost: [::]\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /images/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /images/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nabcde",
        b"POST /images/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET /jobs\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
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


@pytest.mark.parametrize("path", ["/healthz", "/jobs/x", "/nowhere", "/docs/assets/docs.js", "/metrics"])
async def test_every_answer_has_the_id_of_its_request(waiting: httpx.AsyncClient, path: str) -> None:
    made = [(await waiting.get(path)).headers["x-request-id"] for _ in range(2)]
    assert len(set(made)) == 2
    assert all(len(request_id) == 32 for request_id in made)
    taken = await waiting.get(path, headers={"X-Request-ID": "8c1f-42:a/b=c"})
    assert taken.headers.get_list("x-request-id") == ["8c1f-42:a/b=c"]


@pytest.mark.parametrize("offered", ["", "a b", "a\tb", "x" * 129, '"quoted"', "<b>", "a;b", "caf\xe9"])
async def test_an_id_that_could_do_harm_is_replaced(alone: WebProcess, offered: str) -> None:
    async with connection(alone.address) as sending:
        head = f"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {offered}\r\n\r\n".encode("latin-1")
        answer = await (await sending.send(head)).answer()
        assert answer.status_code == 200
        assert len(answer.headers["x-request-id"]) == 32


async def test_changes_are_logged_and_polls_are_not(waiting: httpx.AsyncClient, alone: WebProcess) -> None:
    job = await upload(waiting)
    for path in (job["links"]["self"], "/healthz", "/metrics", "/jobs"):
        await waiting.get(path)
    removed = await waiting.delete(job["links"]["self"])
    line = f"DELETE {job['links']['self']}: 204 in "
    await wait_until(lambda: line in alone.log.read_text())
    assert removed.headers["x-request-id"] in alone.log.read_text()
    assert f"GET {job['links']['self']}" not in alone.log.read_text()
