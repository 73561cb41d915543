"""What common HTTP clients send by default, to the byte, and some of the clients themselves: all uploads are accepted.

Some clients offer to upgrade the connection. The offer is ignored, and the connection serves the next request.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conftest import picture
from tests.redis_server import RedisServer
from tests.web.sockets import connection
from tests.web_process import WebProcess, running_web

PLAIN = ("uvicorn", "quickthumb.app:app", "--port", "0")
IMAGE = picture(64, 48)

H2C = "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"
WEBSOCKET = "Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"
JPEG = "Content-Type: image/jpeg"
LENGTH = f"Content-Length: {len(IMAGE)}"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(IMAGE), IMAGE)


def request(*lines: str, body: bytes = IMAGE) -> bytes:
    return "\r\n".join(("POST /images/ HTTP/1.1", *lines, "", "")).encode() + body


def form(boundary: str, *lines: str, head: tuple[str, ...] = (), quoted: bool = False, end: str = "\r\n") -> bytes:
    """A request with a form of one part, which has these header lines."""
    part = "\r\n".join((f"--{boundary}", *lines, "", "")).encode() + IMAGE
    body = part + f"\r\n--{boundary}--{end}".encode()
    shown = f'"{boundary}"' if quoted else boundary
    about = f"Content-Type: multipart/form-data; boundary={shown}", f"Content-Length: {len(body)}"
    return request(*head, *about, body=body)


DISPOSITION = 'Content-Disposition: form-data; name="image"; filename="cat.jpg"'
# fmt: off
# The request of each client, and the file name that it gives, if any.
CLIENTS: dict[str, tuple[bytes, str | None]] = {
    "java.net.http 17": (
        request(H2C[0], LENGTH, "Host: 127.0.0.1:8000", H2C[2], H2C[1], "User-Agent: Java-http-client/17.0.15", JPEG),
        None,
    ),
    "java.net.http 17, a stream": (
        request(
            H2C[0], "Host: 127.0.0.1:8000", H2C[2], "Transfer-encoding: chunked", H2C[1],
            "User-Agent: Java-http-client/17.0.15", JPEG, body=CHUNKED,
        ),
        None,
    ),
    "curl --http2 --data-binary": (
        request("Host: localhost:8000", "User-Agent: curl/7.88.1", "Accept: */*", *H2C, JPEG, LENGTH),
        None,
    ),
    "curl --http2 -F": (
        form(
            "------------------------606feab755346b4c", DISPOSITION, "Content-Type: image/jpeg",
            head=("Host: localhost:8000", "User-Agent: curl/7.88.1", "Accept: */*", *H2C),
        ),
        "cat.jpg",
    ),
    "an offer of websocket": (request("Host: localhost", *WEBSOCKET, JPEG, LENGTH), None),
    "an offer of two protocols": (
        request("Host: localhost", "Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c", JPEG, LENGTH),
        None,
    ),
    "node fetch": (
        form(
            "----formdata-undici-076889816513", DISPOSITION, "Content-Type: application/octet-stream",
            head=(
                "host: localhost:8000", "connection: keep-alive", "accept: */*", "accept-language: *",
                "sec-fetch-mode: cors", "user-agent: node", "accept-encoding: gzip, deflate",
            ),
        ),
        "cat.jpg",
    ),
    "requests": (
        form(
            "311284aab6b8c898273682d08c70a6de", DISPOSITION.replace("cat", "cät"),
            head=(
                "Host: localhost:8000", "User-Agent: python-requests/2.34.2", "Accept-Encoding: gzip, deflate",
                "Accept: */*", "Connection: keep-alive",
            ),
        ),
        "cät.jpg",
    ),
    "urllib3 1": (
        form(
            "e0a4b1c1d3d84f5e9c1f", 'Content-Disposition: form-data; name="image"; filename*=utf-8\'\'c%C3%A4t.jpg',
            "Content-Type: image/jpeg", head=("Host: localhost:8000", "Accept-Encoding: identity"),
        ),
        "cät.jpg",
    ),
    "httpx": (
        form(
            "7f0c2f8d6c1b4c0d", DISPOSITION, "Content-Type: image/jpeg",
            head=(
                "Host: localhost:8000", "Accept: */*", "Accept-Encoding: gzip, deflate", "Connection: keep-alive",
                "User-Agent: python-httpx/0.28.1",
            ),
        ),
        "cat.jpg",
    ),
    "aiohttp": (
        form(
            "b1a2c3d4e5f6", "Content-Type: image/jpeg", DISPOSITION, f"Content-Length: {len(IMAGE)}",
            head=(
                "Host: localhost:8000", "Accept: */*", "Accept-Encoding: gzip, deflate",
                "User-Agent: Python/3.11 aiohttp/3.9.5",
            ),
        ),
        "cat.jpg",
    ),
    "aiohttp, a stream": (
        request(
            "Host: localhost:8000", "Accept: */*", "Accept-Encoding: gzip, deflate",
            "User-Agent: Python/3.11 aiohttp/3.9.5", JPEG, "Transfer-Encoding: chunked", body=CHUNKED,
        ),
        None,
    ),
    "go": (
        form(
            "6e7c0b8a1f5d4c3b2a190f8e7d6c5b4a3928171605f4e3d2c1b0a9f8e7d6", DISPOSITION,
            "Content-Type: application/octet-stream",
            head=("Host: localhost:8000", "User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"),
        ),
        "cat.jpg",
    ),
    "go, a pipe": (
        request(
            "Host: localhost:8000", "User-Agent: Go-http-client/1.1", "Transfer-Encoding: chunked", JPEG,
            "Accept-Encoding: gzip", body=CHUNKED,
        ),
        None,
    ),
    ".net": (  # quotes the boundary, but not the names
        form(
            "8d2f1f5c-2f7b-4f0e-9d1a-5a0d3c1b2e4f", "Content-Type: image/jpeg",
            "Content-Disposition: form-data; name=image; filename=cat.jpg; filename*=utf-8''c%C3%A4t.jpg",
            head=("Host: localhost:8000",), quoted=True,
        ),
        "cät.jpg",
    ),
    "php curl": (
        form(
            "------------------------d74496d66958873e", DISPOSITION, "Content-Type: application/octet-stream",
            head=("Host: localhost:8000", "Accept: */*"), end="\r\n",
        ),
        "cat.jpg",
    ),
    "php guzzle": (
        form(
            "c5f0a3b1e2d4c6b8a7f9e0d1c2b3a4f5e6d7c8b9", DISPOSITION, f"Content-Length: {len(IMAGE)}",
            "Content-Type: image/jpeg", head=("Host: localhost:8000", "User-Agent: GuzzleHttp/7"),
        ),
        "cat.jpg",
    ),
    "okhttp": (
        form(
            "3f8c2a9d-6d2c-4a59-8e0c-1f6b0d5e9a7c", DISPOSITION, "Content-Type: image/jpeg",
            f"Content-Length: {len(IMAGE)}",
            head=(
                "Host: localhost:8000", "Connection: Keep-Alive", "Accept-Encoding: gzip", "User-Agent: okhttp/4.12.0",
            ),
        ),
        "cat.jpg",
    ),
}
# fmt: on


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def plain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebProcess]:
    """A plain uvicorn without a worker."""
    folder = tmp_path_factory.mktemp("plain")
    async with RedisServer(folder) as redis, running_web(folder, redis.url, words=PLAIN) as web:
        yield web


@pytest.fixture(params=["alone", "plain"])
def server(request: pytest.FixtureRequest) -> WebProcess:
    """Either server."""
    web: WebProcess = request.getfixturevalue(request.param)
    return web


@pytest.mark.parametrize("name", CLIENTS)
async def test_an_upload_is_accepted_as_the_client_sends_it(server: WebProcess, name: str) -> None:
    sent, filename = CLIENTS[name]
    head = sent.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    pieces = (head[:-7], head[-7:-2], head[-2:], sent[len(head) : -10], sent[-10:])
    async with connection(server.address) as sending:
        for parts in ((sent,), pieces, (sent,)):
            for part in parts:
                await sending.send(part)
            answer = await sending.answer()
            assert answer.status_code == 202, answer.text
            assert answer.json()["source"]["bytes"] == len(IMAGE)
            assert answer.json()["source"]["filename"] == filename
        assert (await (await sending.head("GET /healthz")).answer()).status_code == 200


async def test_an_offer_is_ignored_without_a_body_too(server: WebProcess) -> None:
    for offer in (H2C, WEBSOCKET):
        head = "\r\n".join(("GET /healthz HTTP/1.1", "Host: localhost", *offer, "", "")).encode()
        async with connection(server.address) as sending:
            await sending.send(head * 3)  # and behind each comes the next at once
            for _ in range(3):
                assert (await sending.answer()).status_code == 200


async def test_a_body_that_is_no_request_is_none_behind_an_offer(server: WebProcess) -> None:
    smuggled = b"DELETE /jobs/" + b"0" * 32 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    about = "Content-Type: text/plain", f"Content-Length: {len(smuggled)}"
    async with connection(server.address) as sending:
        await sending.send(request("Host: localhost", *H2C, *about, body=smuggled))
        assert (await sending.answer()).status_code == 415


async def test_a_tunnel_is_refused(server: WebProcess) -> None:
    async with connection(server.address) as sending:
        await sending.send(
            b"CONNECT /jobs HTTP/1.1\r\nHost: localhost\r\n\r\nGET /jobs HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert (await sending.answer()).status_code in (400, 405)
        assert await sending.is_closed()


async def test_the_limits_of_a_head_hold_for_an_offer(alone: WebProcess) -> None:
    async with connection(alone.address) as sending:
        await sending.send(request("Host: localhost", *H2C, JPEG, "X-Padding: " + "x" * 1_000_000, LENGTH))
        assert (await sending.answer()).status_code == 431
    async with connection(alone.address) as sending:
        await sending.send(request("Host: localhost", "Host: y", *H2C, JPEG, LENGTH))
        assert (await sending.answer()).status_code == 400


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


JAVA = """
import java.net.URI;
import java.net.http.*;
import java.nio.file.Path;

public class Upload {
  public static void main(String[] words) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    HttpRequest request = HttpRequest.newBuilder(URI.create(words[0])).header("Content-Type", "image/jpeg")
        .POST(HttpRequest.BodyPublishers.ofFile(Path.of(words[1]))).build();
    for (int i = 0; i < 2; i++) {
      System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
    }
  }
}
"""
NODE = """
const form = new FormData();
form.append("image", new Blob([require("fs").readFileSync(process.argv[2])]), "cat.jpg");
(async () => {
  for (let i = 0; i < 2; i++) console.log((await fetch(process.argv[1], {method: "POST", body: form})).status);
})();
"""
CURL = ("curl", "-s", "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code}\\n")
TWICE = ("{url}", "{url}")
PROGRAMS = {
    "java": ("java", "-XX:TieredStopAtLevel=1", "Upload.java", "{url}", "cat.jpg"),
    "node": ("node", "-e", NODE, "{url}", "cat.jpg"),
    "curl --http2": (*CURL, "--http2", "-F", "image=@cat.jpg", *TWICE),
    "curl, expect": (*CURL, "-H", "Expect: 100-continue", "--data-binary", "@cat.jpg", "-H", JPEG, *TWICE),
    "curl, both": (*CURL, "--http2", "-H", "Expect: 100-continue", "-F", "image=@cat.jpg", *TWICE),
}


@pytest.mark.parametrize(
    "words", [pytest.param(words, id=name, marks=needs(words[0])) for name, words in PROGRAMS.items()]
)
async def test_the_client_itself_uploads_twice(alone: WebProcess, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(IMAGE)
    (tmp_path / "Upload.java").write_text(JAVA)
    url = f"{alone.address}/images/"
    process = await asyncio.create_subprocess_exec(
        *(url if word == "{url}" else word for word in words),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert said.decode().split() == ["202", "202"]
