"""Whose word counts about a client's address: that of the proxies in TRUSTED_PROXIES, and nobody else's."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from quickthumb.web.middleware.proxies import MOST_HOPS, TrustedProxies, address_of
from tests.conftest import http_client
from tests.waiting import wait_until
from tests.web_process import SERVE, WebProcess, running_web

PLAIN = ("uvicorn", "quickthumb.app:app", "--port", "0")
NO_REDIS = "redis://127.0.0.1:1"
FORGED = "203.0.113.9\x85 2026-01-31 12:00:00.000 INFO    all is well"
CLIENT, INNER, OUTER, PEER = "203.0.113.9", "10.0.0.7", "192.0.2.1", "10.0.0.8"
TRUSTED = ("10.0.0.0/8", OUTER, "fd00::/8")


async def asked_by(
    web: WebProcess, *forwarded_for: str, through: str | None = None, from_address: str | None = None
) -> str:
    """The client's address in the line that the web process logs about a request, which may go through a proxy."""
    headers = [(b"X-Forwarded-For", value.encode("latin-1")) for value in forwarded_for]
    async with http_client(through or web.address, from_address=from_address) as client:
        request_id = (await client.delete("/nowhere", headers=headers)).headers["x-request-id"]
    await wait_until(lambda: request_id in web.log.read_text())
    (line,) = (line for line in web.log.read_text().splitlines() if request_id in line)
    return line.partition(", for ")[2].partition(" request_id=")[0]


@pytest.mark.parametrize("words", [SERVE, PLAIN], ids=["serve", "plain uvicorn"])
async def test_by_default_no_proxy_is_trusted(tmp_path: Path, words: tuple[str, ...]) -> None:
    async with running_web(tmp_path, NO_REDIS, words=words, log_format="text") as web:
        for forged in (CLIENT, f"{CLIENT}, 127.0.0.1", FORGED):
            assert await asked_by(web, forged) == "127.0.0.1"
        assert CLIENT not in web.log.read_text()


@pytest.mark.parametrize("words", [SERVE, PLAIN], ids=["serve", "plain uvicorn"])
async def test_a_trusted_proxy_tells_the_clients_address(tmp_path: Path, words: tuple[str, ...]) -> None:
    proxies = "127.0.0.1, 10.0.0.0/8"
    async with running_web(tmp_path, NO_REDIS, words=words, log_format="text", trusted_proxies=proxies) as web:
        assert await asked_by(web, CLIENT) == CLIENT
        assert await asked_by(web, "198.51.100.1", f"{CLIENT}, 10.1.2.3") == CLIENT
        assert await asked_by(web, FORGED) == "127.0.0.1"
        assert "\x85" not in web.log.read_text()


@contextlib.asynccontextmanager
async def proxy(address: str, onward: str) -> AsyncIterator[str]:
    """A proxy with this address, which appends the address of whoever connects to it; gives its URL."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        peer = writer.get_extra_info("peername")[0]
        port = int(onward.rpartition(":")[2])
        answering, asking = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        asking.write(head[:-2] + f"X-Forwarded-For: {peer}\r\nConnection: close\r\n\r\n".encode())
        writer.write(await answering.read())
        for stream in (asking, writer):
            stream.close()
            await stream.wait_closed()

    async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.skipif(sys.platform != "linux", reason="needs several addresses of this machine")
@pytest.mark.parametrize("number", [1, 2])
async def test_nobody_forges_an_address_through_real_proxies(tmp_path: Path, number: int) -> None:
    proxies, stranger = ["127.0.0.2", "127.0.0.3"][:number], "127.0.0.9"
    chain = ", ".join(reversed(proxies))
    async with (
        running_web(tmp_path, NO_REDIS, log_format="text", trusted_proxies=",".join(proxies)) as web,
        contextlib.AsyncExitStack() as stack,
    ):
        entrance = web.address
        for address in proxies:
            entrance = await stack.enter_async_context(proxy(address, entrance))
        for forged in ([], [CLIENT], [chain], [f"{CLIENT}, {chain}"], [CLIENT, chain], [FORGED]):
            assert await asked_by(web, *forged, through=entrance, from_address=stranger) == stranger
            assert await asked_by(web, *forged, from_address=stranger) == stranger
        assert CLIENT not in web.log.read_text()


async def seen(client: tuple[str, int] | None, trusted: tuple[str, ...], **headers: str) -> tuple[str | None, str]:
    """The client and the scheme that the application sees."""
    found: list[Scope] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope)

    async def nothing(*_: object) -> Message:
        raise AssertionError

    lines = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "client": client, "scheme": "http", "headers": lines}
    await TrustedProxies(application, trusted)(scope, nothing, nothing)  # type: ignore[arg-type]
    return found[0]["client"] and found[0]["client"][0], found[0]["scheme"]


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        (CLIENT, CLIENT),
        (f"{CLIENT}, {OUTER}, {INNER}", CLIENT),
        (f"127.0.0.1, {CLIENT}, {INNER}", CLIENT),  # the client itself has sent the first address
        (f"{CLIENT}:4711", CLIENT),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:DB8::1]:4711", "2001:db8::1"),
        (f"::ffff:{CLIENT}, ::ffff:{INNER}", CLIENT),
        (INNER, INNER),
        (f"{OUTER}, {INNER}", OUTER),
        ("", PEER),
        ("unknown", PEER),
        (f"{CLIENT}, unknown, {INNER}", INNER),
        (f"{CLIENT}, fe80::1%\x1b[2J forged", PEER),
        ("[2001:db8::1]x", PEER),
        (f"{CLIENT}, " + ", ".join([INNER] * MOST_HOPS), INNER),
    ],
)
async def test_the_last_address_that_no_trusted_proxy_has_is_the_clients(forwarded_for: str, client: str) -> None:
    assert await seen((PEER, 1), TRUSTED, x_forwarded_for=forwarded_for) == (client, "http")
    assert await seen((f"::ffff:{PEER}", 1), TRUSTED, x_forwarded_for=forwarded_for) in [
        (client, "http"),
        (f"::ffff:{PEER}", "http"),  # there is nothing to put in its place
    ]
    assert await seen(("198.51.100.1", 1), TRUSTED, x_forwarded_for=forwarded_for) == ("198.51.100.1", "http")


async def test_whoever_uses_the_unix_socket_is_trusted_only_if_the_setting_says_so() -> None:
    assert await seen(None, ("unix",), x_forwarded_for=CLIENT) == (CLIENT, "http")
    assert await seen(None, ("0.0.0.0/0",), x_forwarded_for=CLIENT) == (None, "http")
    assert await seen((PEER, 1), ("unix",), x_forwarded_for=CLIENT) == (PEER, "http")


@pytest.mark.parametrize(
    ("told", "scheme"), [("https", "https"), ("http, HTTPS", "https"), ("gopher", "http"), ("", "http")]
)
async def test_a_trusted_proxy_tells_the_scheme(told: str, scheme: str) -> None:
    assert await seen((PEER, 1), TRUSTED, x_forwarded_proto=told) == (PEER, scheme)
    assert await seen((CLIENT, 1), TRUSTED, x_forwarded_proto=told) == (CLIENT, "http")


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "1.2.3.4.5", "::1%lo", "evil.test", "[::1", "[::1]x", "1.2.3.4\x851", "１.2.3.4"]
)
def test_what_is_no_address(text: str) -> None:
    assert address_of(text) is None
