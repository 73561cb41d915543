"""Images by URL, end to end: the service as its users run it, and a real server that the worker fetches from."""

import asyncio
import gzip
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image
from redis.asyncio import Redis

from tests.conftest import http_client, picture, running_service
from tests.outbound.origin import Origin, Reply, answer, origin, redirect
from tests.redis_server import RedisServer
from tests.test_processes import TAKE_OVER_SECONDS, Site, ended, in_progress
from tests.waiting import wait_until

MOST_BYTES = 1_000_000
ATTEMPTS = 2
SECONDS = 2


@pytest.fixture(scope="module")
def port() -> int:
    """A port for the server to fetch from: the settings must name it before it listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[str]:
    settings = settings_for(port) | {"url_seconds": SECONDS, "url_attempts": ATTEMPTS, "max_upload_bytes": MOST_BYTES}
    with running_service(tmp_path_factory.mktemp("by_url"), **settings) as address:
        yield address


def settings_for(port: int) -> dict[str, Any]:
    # The last pattern lets anything through on the usual ports, so that the guard alone is left to refuse.
    patterns = f"http://127.0.0.1:{port}/*, http://*/*"
    return {"outbound_allowed": f"127.0.0.1:{port}", "url_allowed": patterns}


@pytest.fixture
async def web(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(address) as client:
        yield client


@pytest.fixture
async def server(port: int) -> AsyncIterator[Origin]:
    async with origin(port=port) as made:
        yield made


async def submit(web: httpx.AsyncClient, url: str, **more: Any) -> dict[str, Any]:
    accepted = await web.post("/images/", json={"url": url, **more})
    assert accepted.status_code == 202, accepted.text
    job: dict[str, Any] = accepted.json()
    return job


async def outcome(web: httpx.AsyncClient, server: Origin, path: str, **more: Any) -> dict[str, Any]:
    job = await submit(web, f"http://127.0.0.1:{server.port}{path}", **more)
    return await ended(web, job["id"])


async def test_an_image_by_url(web: httpx.AsyncClient, server: Origin) -> None:
    image = picture()
    server.replies["/photos/caf%C3%A9.jpg"] = answer(image, Content_Type="image/jpeg")
    url = f"http://127.0.0.1:{server.port}/photos/caf%C3%A9.jpg"
    job = await submit(web, f"{url}?signature=secret", size="64x64")
    unknown = dict.fromkeys(("format", "width", "height", "bytes", "sha256"))
    assert job["source"] == {"filename": "café.jpg", "url": url, **unknown}
    done = await ended(web, job["id"])
    assert done["status"] == "DONE", done
    facts = done["source"]
    assert (facts["filename"], facts["url"], facts["format"]) == ("café.jpg", url, "jpeg")
    assert (facts["width"], facts["height"], facts["bytes"]) == (400, 300, len(image))
    assert "secret" not in str(done)
    (result,) = done["results"].values()
    with Image.open(BytesIO((await web.get(result["url"])).content)) as made:
        assert made.size == (64, 48)
    original = await web.get(f"/jobs/{job['id']}/original")
    assert original.content == image
    assert len(server.requests) == 1


async def test_a_form_with_a_url(web: httpx.AsyncClient, server: Origin) -> None:
    server.replies["/a.png"] = answer(picture(kind="PNG"))
    form = {"url": f"http://127.0.0.1:{server.port}/a.png", "width": "32"}
    accepted = await web.post("/images/", files={name: (None, value) for name, value in form.items()})
    assert accepted.status_code == 202, accepted.text
    done = await ended(web, accepted.json()["id"])
    (made,) = done["results"].values()
    assert (done["status"], made["width"]) == ("DONE", 32)


async def test_an_empty_url_in_a_form_with_an_image(web: httpx.AsyncClient) -> None:
    accepted = await web.post("/images/", files={"url": (None, ""), "image": ("a.jpg", picture())})
    assert accepted.status_code == 202, accepted.text


async def test_a_file_name_of_its_own(web: httpx.AsyncClient, server: Origin) -> None:
    server.replies["/x"] = answer(picture())
    url = f"http://127.0.0.1:{server.port}/x"
    named = await submit(web, url, filename="cat.jpg")
    assert named["source"]["filename"] == "cat.jpg"
    by_query = await web.post("/images/?filename=dog.jpg", json={"url": url})
    assert by_query.json()["source"]["filename"] == "dog.jpg"
    for job in (named, by_query.json()):
        assert (await ended(web, job["id"]))["status"] == "DONE"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "https://example.org/a.jpg"}, 403, "url_not_allowed"),
        ({"url": "http://127.0.0.1:1/a.jpg"}, 403, "url_not_allowed"),
        ({"url": "file:///etc/passwd"}, 422, "invalid_parameter"),
        ({"url": "http://user:secret@127.0.0.1/"}, 422, "invalid_parameter"),
        ({"url": "no url"}, 422, "invalid_parameter"),
        ({"url": ""}, 422, "invalid_parameter"),
        ({"url": 5}, 400, "malformed_request"),
        ({"url": ["http://a/", "http://b/"]}, 400, "malformed_request"),
        ({"url": "http://example.org/", "data": "AAAA"}, 400, "malformed_request"),
        ({"url": "http://example.org/", "width": 0}, 422, "invalid_parameter"),
        ({"url": "http://example.org/", "colour": 1}, 422, "invalid_parameter"),
        ({"url": None}, 400, "malformed_request"),
        ({}, 400, "malformed_request"),
    ],
)
async def test_a_request_that_is_refused(web: httpx.AsyncClient, body: Any, status: int, code: str) -> None:
    refused = await web.post("/images/", json=body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert "secret" not in refused.text


async def test_forms_that_are_refused(web: httpx.AsyncClient) -> None:
    url = ("url", (None, "http://example.org/"))
    both: list[Any] = [url, ("image", ("a.jpg", picture()))]
    for form in (both, both[::-1], [url, url]):
        refused = await web.post("/images/", files=form)
        assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")


async def test_the_older_apis_know_nothing_of_urls(web: httpx.AsyncClient, port: int) -> None:
    refused = await web.post("/tasks", json={"url": f"http://127.0.0.1:{port}/a.jpg"})
    assert refused.status_code == 400, refused.text


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://[64:ff9b::a9fe:a9fe]/",
    ],
)
async def test_a_job_never_reaches_what_is_inside(web: httpx.AsyncClient, url: str) -> None:
    job = await submit(web, url)
    failed = await ended(web, job["id"])
    assert (failed["status"], failed["error"]["code"]) == ("FAILED", "fetch_refused")


async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str) -> None:
    """Sends one byte at a time, for longer than anybody waits."""
    image = picture()
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for byte in image:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + picture())
    while not writer.is_closing():
        writer.write(bytes(65536))
        await writer.drain()


def a_bomb() -> bytes:
    """A PNG whose header claims far too many pixels."""
    made = bytearray(picture(kind="PNG"))
    made[16:24] = (100_000).to_bytes(4, "big") * 2
    return bytes(made)


IMAGE = picture()
FAILURES: list[tuple[str, bytes | Reply, str, str]] = [
    ("not found", answer(b"", "404 Not Found"), "fetch_failed", "127.0.0.1 answered 404 Not Found."),
    ("forbidden", answer(b"", "403 Forbidden"), "fetch_failed", "127.0.0.1 answered 403 Forbidden."),
    ("always busy", answer(b"", "503 Service Unavailable"), "fetch_failed", "answered 503 Service Unavailable."),
    ("a page", answer(b"<!DOCTYPE html><html><body>Not here</body></html>"), "unsupported_image", ""),
    ("nothing", answer(b""), "broken_image", ""),
    ("cut off", answer(IMAGE[:500], Content_Length=str(len(IMAGE))), "fetch_failed", "broke off its answer"),
    ("too many bytes declared", answer(b"", Content_Length=str(MOST_BYTES + 1)), "too_many_bytes", ""),
    ("endless", endless, "too_many_bytes", ""),
    ("slow", trickle, "fetch_failed", f"took longer than {SECONDS} s"),
    ("compressed", answer(gzip.compress(IMAGE), Content_Encoding="gzip"), "fetch_failed", "compressed"),
    ("many pixels", answer(a_bomb()), "too_many_pixels", ""),
    ("to inside", redirect("http://169.254.169.254/latest"), "fetch_refused", "not allowed"),
    ("to a file", redirect("file:///etc/passwd"), "fetch_refused", "must begin with"),
    ("elsewhere", redirect("https://example.org/a.jpg"), "url_not_allowed", "example.org"),
    ("in circles", redirect("/case"), "fetch_failed", "redirected more than 3 times"),
]


@pytest.mark.parametrize(("reply", "code", "said"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES])
async def test_a_fetch_that_fails(
    web: httpx.AsyncClient, server: Origin, reply: bytes | Reply, code: str, said: str
) -> None:
    server.replies["/case"] = reply
    failed = await outcome(web, server, "/case?signature=secret")
    assert failed["status"] == "FAILED"
    assert failed["error"]["code"] == code, failed["error"]
    assert said in failed["error"]["detail"]
    assert "secret" not in str(failed)
    gone = await web.get(f"/jobs/{failed['id']}/original")
    assert gone.status_code == 404


async def test_what_passes_is_tried_again(web: httpx.AsyncClient, server: Origin) -> None:
    async def busy_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str) -> None:
        busy = answer(b"", "503 Service Unavailable", Retry_After="1")
        writer.write(busy if len(server.requests) == 1 else answer(IMAGE))

    server.replies["/later"] = busy_once
    done = await outcome(web, server, "/later")
    assert (done["status"], done["attempts"]) == ("DONE", 2)


async def test_a_redirect_is_followed(web: httpx.AsyncClient, server: Origin) -> None:
    server.replies |= {"/moved": redirect("/here", "301 Moved Permanently"), "/here": answer(IMAGE)}
    assert (await outcome(web, server, "/moved"))["status"] == "DONE"


async def test_an_order_that_is_too_large_for_what_was_fetched(web: httpx.AsyncClient, server: Origin) -> None:
    server.replies["/a"] = answer(IMAGE)
    failed = await outcome(web, server, "/a", width=16000, height=16000, fit="fill", enlarge=True)
    assert failed["error"]["code"] == "order_too_large"


async def test_a_failed_job_is_retried_without_a_source(web: httpx.AsyncClient, server: Origin) -> None:
    server.replies["/new"] = answer(b"", "404 Not Found")
    failed = await outcome(web, server, "/new")
    server.replies["/new"] = answer(IMAGE)
    retried = await web.post(f"/jobs/{failed['id']}/retry")
    assert retried.status_code == 202, retried.text
    assert (await ended(web, failed["id"]))["status"] == "DONE"


async def test_an_idempotency_key_goes_by_the_url(web: httpx.AsyncClient, server: Origin) -> None:
    server.replies["/a"] = server.replies["/b"] = answer(IMAGE)
    first, again, other = [
        await web.post(
            "/images/",
            json={"url": f"http://127.0.0.1:{server.port}{path}", "filename": "a.jpg"},
            headers={"Idempotency-Key": "one"},
        )
        for path in ("/a", "/a", "/b")
    ]
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await ended(web, first.json()["id"]))["status"] == "DONE"


class Held:
    """A reply that is held back until the test says so."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str) -> None:
        writer.write(answer(IMAGE)[:-100])
        await writer.drain()
        self.begun.set()
        await self.goes_on.wait()
        writer.write(IMAGE[-100:])


@pytest.fixture
async def site(tmp_path: Any) -> AsyncIterator[Site]:
    async with RedisServer(tmp_path / "redis") as redis:
        made = Site(tmp_path, redis)
        try:
            yield made
        finally:
            await made.close()


async def test_a_worker_that_is_killed_while_it_fetches(site: Site) -> None:
    held = Held()
    async with origin() as server:
        settings = settings_for(server.port)
        first = await site.worker(**settings)
        async with await site.web(**settings) as web:
            server.replies["/a"] = held
            job = await submit(web, f"http://127.0.0.1:{server.port}/a")
            await held.begun.wait()
            assert (await web.get(f"/jobs/{job['id']}/original")).json()["code"] == "not_ready"
            server.replies["/a"] = answer(IMAGE)
            await site.worker(**settings)
            first.send(signal.SIGKILL)
            done = await ended(web, job["id"], TAKE_OVER_SECONDS)
        held.goes_on.set()
        assert (done["status"], done["attempts"], len(server.requests)) == ("DONE", 2, 2)


async def test_a_job_that_is_cancelled_while_it_fetches(site: Site) -> None:
    held = Held()
    async with origin() as server:
        settings = settings_for(server.port)
        await site.worker(**settings)
        async with await site.web(**settings) as web:
            server.replies["/a"] = held
            job = await submit(web, f"http://127.0.0.1:{server.port}/a")
            await held.begun.wait()
            cancelled = await web.post(f"/jobs/{job['id']}/cancel")
            assert cancelled.json()["status"] == "CANCELLED"
            await wait_until(lambda: not list(site.data.glob("uploads/.arriving/*")))
            removed = await web.delete(f"/jobs/{job['id']}")
            assert removed.status_code == 204
        held.goes_on.set()
    assert not list(site.data.glob("uploads/*/*/source"))


async def test_slow_servers_leave_places_to_images_that_are_here(site: Site) -> None:
    held = Held()
    async with origin() as server:
        settings = settings_for(server.port)
        await site.worker(**settings)
        async with await site.web(**settings) as web:
            server.replies["/slow"] = held
            slow = [await submit(web, f"http://127.0.0.1:{server.port}/slow") for _ in range(12)]
            await in_progress(web, slow[0]["id"])
            uploaded = await web.post("/images/", files={"image": ("a.jpg", IMAGE)})
            assert (await ended(web, uploaded.json()["id"]))["status"] == "DONE"
            held.goes_on.set()
            server.replies["/slow"] = answer(IMAGE)
            for job in slow:
                assert (await ended(web, job["id"]))["status"] == "DONE"


async def test_a_wiped_redis_and_a_job_that_waits_to_be_fetched(site: Site) -> None:
    async with origin() as server:
        settings = settings_for(server.port)
        server.replies["/a"] = answer(IMAGE)
        async with await site.web(**settings) as web:
            job = await submit(web, f"http://127.0.0.1:{server.port}/a?signature=secret")
            async with Redis.from_url(site.redis.url) as redis:
                await redis.flushall()
            await site.worker(**settings)

            async def is_done() -> bool:
                found = await web.get(f"/jobs/{job['id']}")
                return found.status_code == 200 and found.json()["status"] == "DONE"

            await wait_until(is_done, seconds=30)
    assert server.requests[0].startswith("GET /a?signature=secret ")
