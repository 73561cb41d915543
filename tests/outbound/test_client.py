"""Requests to a real server: what is sent, what is followed, and how each failure is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from quickthumb.model.opening import Opening
from quickthumb.outbound import (
    AnswerRefused,
    AnswerTooLarge,
    Guard,
    OutboundClient,
    OutboundError,
    OutboundRefused,
    Unreachable,
    shown,
)
from quickthumb.outbound.client import retry_after
from quickthumb.outbound.names import resolve
from tests.outbound.origin import Origin, answer, origin, redirect
from tests.redis_plain import certificates

MOST_BYTES = 1000


@pytest.fixture
async def server() -> AsyncIterator[Origin]:
    async with origin() as made:
        yield made


async def here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def client_for(server: Origin, host: str = "images.test") -> OutboundClient:
    return OutboundClient(Guard([Opening.read(f"{host}:{server.port}")], here), ssl.create_default_context())


async def get(server: Origin, path: str = "/", *, seconds: float = 20, max_bytes: int = MOST_BYTES) -> bytes:
    url = f"http://images.test:{server.port}{path}"
    async with client_for(server).get(url, max_bytes=max_bytes, seconds=seconds) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def failure(server: Origin, path: str = "/", *, seconds: float = 20) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        await get(server, path, seconds=seconds)
    return caught.value


async def test_what_is_sent(server: Origin) -> None:
    server.replies["/a/cat.jpg"] = answer(b"picture")
    assert await get(server, "/a/cat.jpg?size=large&x=%2F#part") == b"picture"
    lines = server.requests[0].split("\r\n")
    assert lines[0] == "GET /a/cat.jpg?size=large&x=%2F HTTP/1.1"
    assert f"Host: images.test:{server.port}" in lines
    assert "Accept-Encoding: identity" in lines
    names = {line.partition(":")[0].lower() for line in lines[1:] if line}
    assert names == {"host", "user-agent", "connection", "accept", "accept-encoding"}


async def test_no_proxy_of_the_environment(server: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    server.replies["/"] = answer(b"direct")
    async with origin() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await get(server) == b"direct"
        assert proxy.connections == 0


async def test_redirects(server: Origin) -> None:
    server.replies |= {
        "/": redirect("/1"),
        "/1": redirect(f"http://images.test:{server.port}/2", "301 Moved Permanently"),
        "/2": redirect("3", "307 Temporary Redirect"),
        "/3": answer(b"picture"),
    }
    assert await get(server) == b"picture"
    server.replies["/3"] = redirect("/4")
    server.replies["/4"] = answer(b"too far")
    assert (await failure(server)).message == "images.test redirected more than 3 times."


async def test_every_url_is_checked(server: Origin) -> None:
    server.replies |= {"/": redirect("/secret"), "/secret": answer(b"")}
    seen: list[str] = []

    def check(url: str) -> None:
        seen.append(url)
        if "secret" in url:
            raise PermissionError

    with pytest.raises(PermissionError):
        async with client_for(server).get(f"http://images.test:{server.port}/", max_bytes=1, check=check):
            pass
    assert [url.rpartition("/")[2] for url in seen] == ["", "secret"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "may_pass"),
    [
        ("400 Bad Request", False),
        ("403 Forbidden", False),
        ("404 Not Found", False),
        ("410 Gone", False),
        ("204 No Content", False),
        ("304 Not Modified", False),
        ("408 Request Timeout", True),
        ("429 Too Many Requests", True),
        ("500 Internal Server Error", True),
        ("503 Service Unavailable", True),
    ],
)
async def test_an_answer_that_is_no_success(server: Origin, status: str, may_pass: bool) -> None:
    server.replies["/"] = answer(b"", f"{status[:3]} <script>", Retry_After="7")
    error = await failure(server)
    assert isinstance(error, AnswerRefused)
    assert error.message == f"images.test answered {status}."
    assert (error.status, error.may_pass, error.retry_after_seconds) == (int(status[:3]), may_pass, 7)


async def test_a_body_that_is_too_large(server: Origin) -> None:
    server.replies["/declared"] = answer(b"", Content_Length=str(MOST_BYTES + 1))
    server.replies["/huge"] = answer(b"", Content_Length="9" * 4000)
    chunks = b"".join(b"100\r\n" + bytes(256) + b"\r\n" for _ in range(8)) + b"0\r\n\r\n"
    server.replies["/chunked"] = answer(chunks, Content_Length="", Transfer_Encoding="chunked")
    server.replies["/until-the-end"] = answer(bytes(MOST_BYTES + 1), Content_Length="")
    for path in ("/declared", "/chunked", "/until-the-end"):
        assert isinstance(await failure(server, path), AnswerTooLarge), path
    assert isinstance(await failure(server, "/huge"), AnswerTooLarge | Unreachable)
    server.replies["/just"] = answer(bytes(MOST_BYTES))
    assert len(await get(server, "/just")) == MOST_BYTES


async def test_a_length_that_lies(server: Origin) -> None:
    server.replies["/less"] = answer(b"only this", Content_Length="500")
    assert isinstance(await failure(server, "/less"), Unreachable)
    server.replies["/more"] = answer(b"picture and more", Content_Length="7")
    assert await get(server, "/more") == b"picture"
    server.replies["/two"] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
    assert isinstance(await failure(server, "/two"), Unreachable)


async def test_an_encoded_body_is_refused(server: Origin) -> None:
    for encoding in ("gzip", "br", "identity, gzip"):
        server.replies["/"] = answer(b"bomb", Content_Encoding=encoding)
        error = await failure(server)
        assert error.message == "images.test sent a compressed body that was not asked for."
        assert not error.may_pass


async def test_endless_headers(server: Origin) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X-More: " + b"a" * 8000 + b"\r\n")
            await writer.drain()

    server.replies["/"] = endless
    assert isinstance(await failure(server), Unreachable)


async def test_a_slow_server_meets_the_deadline(server: Origin) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nslow")
        await writer.drain()
        await reader.read()  # until the client breaks off

    server.replies["/"] = slow
    error = await failure(server, seconds=0.2)
    assert isinstance(error, Unreachable)
    assert error.message == "Fetching took longer than 0.2 s."


@pytest.mark.parametrize(
    "reply", [b"", b"HTTP/1.1 200", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\n\x00: x\r\n\r\n"]
)
async def test_what_is_not_http(server: Origin, reply: bytes) -> None:
    server.replies["/"] = reply
    error = await failure(server)
    assert isinstance(error, Unreachable)
    assert error.may_pass


async def test_nobody_there(server: Origin) -> None:
    async with origin() as gone:
        pass
    assert (await failure(gone)).message == "images.test refused the connection or broke it off."


async def test_plain_http_where_tls_is_expected() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", "400 Bad Request"))
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable):
            async with client_for(Origin(port)).get(f"https://images.test:{port}/", max_bytes=1):
                pass


async def test_a_certificate_is_checked_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    made = certificates(tmp_path)  # for localhost
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    context.sni_callback = lambda _, name, __: names.append(name)
    async with origin(tls=context) as server:
        server.replies["/"] = answer(b"over TLS")
        openings = [Opening.read(f"{host}:{server.port}") for host in ("localhost", "other.test")]
        trusting = ssl.create_default_context(cafile=made.ca)
        client = OutboundClient(Guard(openings, here), trusting)
        async with client.get(f"https://localhost:{server.port}/", max_bytes=10) as download:
            assert [chunk async for chunk in download.chunks] == [b"over TLS"]
        with pytest.raises(Unreachable, match="certificate of other"):
            async with client.get(f"https://other.test:{server.port}/", max_bytes=10):
                pass
        strangers = OutboundClient(Guard(openings, here))
        with pytest.raises(Unreachable, match="certificate of localhost"):
            await strangers.post(f"https://localhost:{server.port}/", b"", {})
    assert names == ["localhost", "other.test", "localhost"]


async def test_the_next_address_if_one_does_not_answer() -> None:
    async with origin("127.0.0.2") as second:

        async def both(host: str, port: int) -> list[str]:
            return ["127.0.0.1", "127.0.0.2"]

        second.replies["/"] = answer(b"second")
        client = OutboundClient(Guard([Opening.read(f"127.0.0.0/8:{second.port}")], both))
        async with client.get(f"http://images.test:{second.port}/", max_bytes=10) as download:
            assert [chunk async for chunk in download.chunks] == [b"second"]


async def test_a_post(server: Origin) -> None:
    bodies: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        bodies.append(await reader.readexactly(2))
        writer.write(answer(bytes(MOST_BYTES), "503 Service Unavailable", Retry_After="3"))
        await writer.drain()

    server.replies["/hook"] = take
    client = client_for(server)
    url = f"http://images.test:{server.port}/hook"
    got = await client.post(url, b"{}", {"Content-Type": "application/json", "webhook-id": "msg_1"}, most_bytes=10)
    assert (got.status, got.body, got.retry_after_seconds) == (503, bytes(10), 3)
    assert bodies == [b"{}"]
    head = server.requests[0].lower()
    assert head.startswith("post /hook http/1.1\r\n")
    assert all(line in head for line in ("content-length: 2", "content-type: application/json", "webhook-id: msg_1"))


async def test_a_post_follows_no_redirect(server: Origin) -> None:
    server.replies["/hook"] = redirect("/elsewhere")
    got = await client_for(server).post(f"http://images.test:{server.port}/hook", b"", {})
    assert got.status == 302
    assert len(server.requests) == 1


async def test_a_post_with_a_header_that_cannot_be_sent(server: Origin) -> None:
    with pytest.raises(OutboundRefused):
        await client_for(server).post(f"http://images.test:{server.port}/", b"", {"X": "a\r\nY: b"})
    assert not server.requests


async def test_a_name_without_an_address() -> None:
    with pytest.raises(Unreachable):
        await resolve("nobody.invalid", 80)
    assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]


async def test_a_name_server_that_hangs() -> None:
    async def hanging(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(Unreachable):
        await Guard(resolve=hanging, seconds=0.05).target("http://example.org/")


def test_how_long_a_server_asks_to_wait() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 50 < (retry_after({"retry-after": in_a_minute}) or 0) <= 60
    assert retry_after({"retry-after": "0"}) == 0
    assert retry_after({"retry-after": "999999999"}) == 3600
    assert retry_after({"retry-after": format_datetime(datetime.now(UTC) - timedelta(days=1))}) == 0
    for odd in ("", "-1", "soon", "1.5", "²", "1" * 5000):
        assert retry_after({"retry-after": odd}) in (None, 3600)


def test_a_url_for_the_log_has_no_secrets() -> None:
    assert shown("https://images.example.org/cat.jpg?signature=secret#x") == "https://images.example.org/cat.jpg"
    assert shown("https://user:secret@example.org/") == "an invalid URL"
