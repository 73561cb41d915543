import asyncio
import socket

import pytest

from quickthumb.cli import listener
from quickthumb.cli.command import UserMistake


def test_a_port_in_use_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserMistake, match=rf"127\.0\.0\.1:{port} is in use by another program"):
            listener.free_port("127.0.0.1", port)


def test_a_free_port_stays_as_asked_and_zero_takes_one() -> None:
    chosen = listener.free_port("127.0.0.1", 0)
    assert chosen > 0
    assert listener.free_port("127.0.0.1", chosen) == chosen


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_ours_is_told_in_a_sentence(host: str) -> None:
    with pytest.raises(UserMistake, match=f"Cannot listen on {host}:8000: "):
        listener.free_port(host, 8000)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/"),  # noqa: S104
        ("::", "http://[::1]:8000/"),
        ("0:0::0", "http://[::1]:8000/"),
        ("::ffff:0.0.0.0", "http://127.0.0.1:8000/"),
        ("", "http://127.0.0.1:8000/"),
        ("pictures.example", "http://pictures.example:8000/"),
    ],
)
def test_the_url_to_open(host: str, url: str) -> None:
    assert listener.url(host, 8000) == url


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False), (b"", False)],
)
async def test_only_a_200_counts_as_an_answer(answer: bytes, expected: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await listener.answers("127.0.0.1", port, "/healthz") is expected


async def test_nobody_there_is_no_answer() -> None:
    assert not await listener.answers("127.0.0.1", listener.free_port("127.0.0.1", 0), "/healthz")
