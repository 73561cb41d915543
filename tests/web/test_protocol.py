"""The limits on what a connection may send before the body of a request."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from quickthumb.web import protocol


async def exchange(address: str, *parts: bytes) -> bytes:
    """Sends the parts, and returns everything that the service sends until it closes the connection."""
    place = urlsplit(address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), protocol.HEAD_SECONDS + 10)
    finally:
        writer.close()


def code(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"nosniff" in head
    return int(head.split()[1]), json.loads(body)["code"]


async def test_headers_without_end_are_refused(service: str) -> None:
    lines = (b"X-Padding: %s\r\n" % (b"x" * 1000)) * 100
    assert code(await exchange(service, b"GET /healthz HTTP/1.1\r\n", lines)) == (431, "head_too_large")


async def test_an_address_without_end_is_refused(service: str) -> None:
    assert code(await exchange(service, b"GET /" + b"x" * 100_000)) == (414, "uri_too_long")


def padded(size: int, *, padding: bytes = b"x", method: bytes = b"GET", target: bytes = b"/healthz") -> bytes:
    """A request head of so many bytes, which asks to close the connection."""
    start = b"%b %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Padding: x" % (method, target)
    return start + padding * (size - len(start) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize("piece", [200_000, 40_000, 1777])
@pytest.mark.parametrize("padding", [b"x", b" "], ids=["letters", "spaces"])
async def test_the_limit_of_a_head_is_exact(service: str, padding: bytes, piece: int) -> None:
    for size, status in ((protocol.MOST_HEAD_BYTES, 200), (protocol.MOST_HEAD_BYTES + 1, 431), (66_000, 431)):
        sent = padded(size, padding=padding)
        parts = [sent[start : start + piece] for start in range(0, len(sent), piece)]
        assert (await exchange(service, *parts)).startswith(b"HTTP/1.1 %d " % status), size


async def test_a_body_that_comes_with_the_head_is_no_part_of_it(service: str) -> None:
    body = b"\r\n\r\n" * 20_000
    for size, status in ((protocol.MOST_HEAD_BYTES, 415), (protocol.MOST_HEAD_BYTES + 1, 431)):
        about = b"/images/ HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nX: " % len(body)
        sent = padded(size, method=b"POST", target=about) + body
        assert (await exchange(service, sent)).startswith(b"HTTP/1.1 %d " % status), size


async def test_a_request_has_a_bounded_number_of_headers(service: str) -> None:
    for number, status in ((protocol.MOST_HEADERS, 200), (protocol.MOST_HEADERS + 1, 431), (20_000, 431)):
        lines = b"Host: localhost\r\nConnection: close\r\n" + b"A:\r\n" * (number - 2)
        answer = await exchange(service, b"GET /healthz HTTP/1.1\r\n" + lines[:64_000] + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status), number


@pytest.mark.parametrize("around", [b";x=%s" % (b"x" * 1000), b";x"], ids=["long", "short"])
async def test_chunks_bring_little_but_their_content(service: str, around: bytes) -> None:
    head = (
        b"POST /images/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    body = (b"\xff\xd8\xff", *[b"\x00"] * 1000)
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(part), around, part) for part in body) + b"0\r\n\r\n"
    refused = code(await exchange(service, head + chunks))
    assert refused == ((400, "malformed_request") if len(around) > 100 else (422, "broken_image"))


async def test_blank_lines_between_requests_do_not_hold_the_connection(service: str) -> None:
    answer = await exchange(service, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


async def test_what_is_not_http_is_refused(service: str) -> None:
    assert code(await exchange(service, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")) == (
        400,
        "malformed_request",
    )


async def test_a_head_that_does_not_come_is_not_waited_for(service: str) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    half = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    silence, broken_off, behind_a_first = await asyncio.gather(
        exchange(service), exchange(service, half), exchange(service, first, half)
    )
    assert code(silence) == code(broken_off) == (408, "head_timed_out")
    assert behind_a_first.startswith(b"HTTP/1.1 200")


async def test_many_requests_on_one_connection_are_no_long_head(service: str) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Padding: %s\r\n\r\n" % (b"x" * 30_000)
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = await exchange(service, *[request] * 5, last)
    assert answer.count(b"HTTP/1.1 200") == 6


@pytest.mark.parametrize("hosts", [b"", b"Host: localhost\r\nHost: y\r\n"], ids=["none", "two"])
async def test_a_request_names_one_host(service: str, hosts: bytes) -> None:
    assert code(await exchange(service, b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n")) == (400, "malformed_request")


async def test_before_http_1_1_nobody_named_hosts(service: str) -> None:
    assert (await exchange(service, b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200")
