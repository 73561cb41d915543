"""Requests that break their own rules, one after another on one running service: each is refused, none costs memory.

What a single refusal says is tested in tests/web; this sweep watches the process over all of them.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import Scale
from tests.chaos.exchange import Request, exchange
from tests.chaos.fleet import Fleet
from tests.chaos.gauges import MEBIBYTE, descriptors, forget_highest, highest_bytes, memory_bytes, needs_linux
from tests.chaos.report import Report
from tests.conftest import picture
from tests.waiting import wait_until
from tests.web.large_uploads import WAYS
from tests.web.large_uploads import upload as upload_large

MOST_GROWTH_BYTES = 20 * MEBIBYTE
MAX_UPLOAD_BYTES = 8 * MEBIBYTE
# A client without end gives up after this much: a service that is in order has given up long before.
ENDLESS_BYTES = 256 * MEBIBYTE
PIECE_BYTES = 64 * 1024
MUTATED_FORMS = {True: 2000, False: 100}
SETTINGS: dict[str, Any] = {"max_upload_bytes": MAX_UPLOAD_BYTES, "upload_idle_seconds": 1, "upload_total_seconds": 5}

IMAGE = picture(64, 48)

pytestmark = [needs_linux, pytest.mark.timeout(600)]


def endless(piece: bytes) -> Iterator[bytes]:
    whole = piece * (PIECE_BYTES // len(piece) + 1)
    return repeat(whole, ENDLESS_BYTES // len(whole))


def head(*lines: str, request: str = "POST /images/ HTTP/1.1") -> bytes:
    """A request's head, with its end."""
    return "\r\n".join((request, "Host: localhost", *lines, "", "")).encode("latin-1")


def of_length(body: bytes, content_type: str, length: object = None, half_closes: bool = False) -> Request:
    lines = f"Content-Type: {content_type}", f"Content-Length: {len(body) if length is None else length}"
    return Request(head(*lines), [body], half_closes)


def chunked(pieces: Iterable[bytes], content_type: str = "image/jpeg") -> Request:
    body = (b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return Request(head(f"Content-Type: {content_type}", "Transfer-Encoding: chunked"), body)


def raw_chunks(*pieces: Iterable[bytes]) -> Request:
    """A chunked body whose framing is the test's own."""
    return Request(head("Content-Type: image/jpeg", "Transfer-Encoding: chunked"), chain.from_iterable(pieces))


def json(body: bytes) -> Request:
    return of_length(body, "application/json")


def form(body: bytes, boundary: str = "edge") -> Request:
    return of_length(body, f"multipart/form-data; boundary={boundary}")


def part(disposition: bytes = b'form-data; name="image"; filename="a.jpg"', content: bytes = IMAGE) -> bytes:
    return b"--edge\r\nContent-Disposition: " + disposition + b"\r\n\r\n" + content + b"\r\n"


END = b"--edge--\r\n"
WHOLE_FORM = part() + part(b'form-data; name="width"', b"20") + END
FORM = "multipart/form-data; boundary=edge"
JPEG = "Content-Type: image/jpeg"
LENGTH = f"Content-Length: {len(IMAGE)}"

# What is sent on behind an answer and a close makes the client's system forget the answer.
CUT_OFF = {
    *(f"head: {what} without end" for what in ("headers", "a header", "an address", "a method")),
    *(f"chunks: {what} without end" for what in ("extension", "trailers", "a trailer")),
}

MULTIPART: dict[str, Callable[[], Request]] = {
    "no boundary": lambda: of_length(WHOLE_FORM, "multipart/form-data"),
    "empty boundary": lambda: form(WHOLE_FORM, ""),
    "boundary of 10,000 characters": lambda: form(WHOLE_FORM, "e" * 10_000),
    "boundary not in ASCII": lambda: form(WHOLE_FORM, "\xe9dge"),
    "another boundary": lambda: form(WHOLE_FORM, "other"),
    "empty body": lambda: form(b""),
    "nothing but its end": lambda: form(END),
    "no end": lambda: form(WHOLE_FORM.removesuffix(END)),
    "ends within a part's headers": lambda: form(b"--edge\r\nContent-Disposition: form-da"),
    "line feeds only": lambda: form(WHOLE_FORM.replace(b"\r\n", b"\n")),
    "part without headers": lambda: form(b"--edge\r\n\r\nabc\r\n" + END),
    "part without a name": lambda: form(part(b"form-data") + END),
    "part that is an attachment": lambda: form(part(b'attachment; name="image"') + END),
    "header without a colon": lambda: form(b"--edge\r\nContent-Disposition\r\n\r\nabc\r\n" + END),
    "header with NUL": lambda: form(b"--edge\r\nContent-\0Disposition: form-data\r\n\r\nabc\r\n" + END),
    "header of 1 MiB": lambda: form(b"--edge\r\nX: " + b"x" * MEBIBYTE + b"\r\n\r\nabc\r\n" + END),
    "10,000 headers in a part": lambda: form(b"--edge\r\n" + b"X: x\r\n" * 10_000 + b"\r\nabc\r\n" + END),
    "file name of 1 MiB": lambda: form(part(b'form-data; name="image"; filename="%s"' % (b"n" * MEBIBYTE)) + END),
    "two images": lambda: form(part() + WHOLE_FORM),
    "empty image": lambda: form(part(content=b"") + END),
    "no image": lambda: form(part(b'form-data; name="width"', b"20") + END),
    "image under another name": lambda: form(part(b'form-data; name="photo"; filename="a.jpg"') + END),
    "form within the form": lambda: form(part(content=WHOLE_FORM.replace(b"edge", b"inner")) + END),
    "field not in UTF-8": lambda: form(part(b'form-data; name="width"', b"\xff\xfe") + WHOLE_FORM),
    "field of 16 MiB": lambda: chunked(
        chain([part(b'form-data; name="width"', b"")[:-2]], repeat(b"1" * PIECE_BYTES, 256)), FORM
    ),
    "10,000 fields": lambda: form(part(b'form-data; name="width"', b"20") * 10_000 + WHOLE_FORM),
    "10,000 fields behind the image": lambda: form(part() + part(b'form-data; name="x"', b"1") * 10_000 + END),
    "preamble without end": lambda: chunked(endless(b"preamble "), FORM),
    "epilogue without end": lambda: chunked(chain([WHOLE_FORM], endless(b"epilogue ")), FORM),
    "parts without end": lambda: chunked(endless(b"--edge\r\n\r\n\r\n"), FORM),
}

LENGTHS: dict[str, Callable[[], Request]] = {
    "too short for a form": lambda: of_length(WHOLE_FORM, FORM, len(WHOLE_FORM) - 8),
    "too short for JSON": lambda: of_length(b'{"data": "AAAA"}', "application/json", 9),
    "too long, and silence": lambda: of_length(IMAGE, "image/jpeg", len(IMAGE) + 1),
    "too long, and the end": lambda: of_length(IMAGE, "image/jpeg", len(IMAGE) + 1, half_closes=True),
    "far too long": lambda: of_length(IMAGE, "image/jpeg", 10**12),
    "beyond all numbers": lambda: of_length(IMAGE, "image/jpeg", "9" * 40),
    "negative": lambda: of_length(IMAGE, "image/jpeg", -1),
    "with a plus": lambda: of_length(IMAGE, "image/jpeg", f"+{len(IMAGE)}"),
    "hexadecimal": lambda: of_length(IMAGE, "image/jpeg", hex(len(IMAGE))),
    "a list": lambda: of_length(IMAGE, "image/jpeg", f"{len(IMAGE)}, {len(IMAGE)}"),
    "empty": lambda: of_length(IMAGE, "image/jpeg", ""),
    "twice": lambda: Request(head(JPEG, LENGTH, LENGTH), [IMAGE]),
    "twice, and different": lambda: Request(head(JPEG, LENGTH, "Content-Length: 1"), [IMAGE]),
}

SMUGGLING: dict[str, Callable[[], Request]] = {
    "length, then chunked": lambda: Request(
        head(JPEG, "Content-Length: 4", "Transfer-Encoding: chunked"), [b"0\r\n\r\n"]
    ),
    "chunked, then length": lambda: Request(
        head(JPEG, "Transfer-Encoding: chunked", "Content-Length: 4"), [b"0\r\n\r\n"]
    ),
    "chunked is not the last": lambda: Request(head(JPEG, "Transfer-Encoding: chunked, identity"), [b"0\r\n\r\n"]),
    "unknown encoding": lambda: Request(head(JPEG, "Transfer-Encoding: xchunked"), [b"0\r\n\r\n"]),
    "chunked twice": lambda: Request(head(JPEG, "Transfer-Encoding: chunked", "Transfer-Encoding: x"), [b"0\r\n\r\n"]),
    "space before the colon": lambda: Request(head(JPEG, "Transfer-Encoding : chunked"), [b"0\r\n\r\n"]),
    "folded header": lambda: Request(head(JPEG, "Transfer-Encoding:\r\n chunked"), [b"0\r\n\r\n"]),
    "bare line feeds": lambda: Request(head(JPEG, "X: y\nTransfer-Encoding: chunked"), [b"0\r\n\r\n"]),
    "NUL in a header": lambda: Request(head(JPEG, "X: \0", LENGTH), [IMAGE]),
}

CHUNKS: dict[str, Callable[[], Request]] = {
    "body without end": lambda: chunked(chain([IMAGE], endless(b"\0"))),
    "body without end, to nobody": lambda: Request(
        head("Transfer-Encoding: chunked", request="POST /nowhere HTTP/1.1"),
        (b"%x\r\n%b\r\n" % (len(piece), piece) for piece in endless(b"\0")),
    ),
    "form without end": lambda: chunked(chain([part()[:-2]], endless(b"\0")), FORM),
    "size is no number": lambda: raw_chunks([b"zz\r\nabc\r\n"]),
    "size is negative": lambda: raw_chunks([b"-1\r\nabc\r\n"]),
    "size beyond all numbers": lambda: raw_chunks([b"f" * 40 + b"\r\nabc\r\n"]),
    "size is too small": lambda: raw_chunks([b"1\r\nabc\r\n0\r\n\r\n"]),
    "extension without end": lambda: raw_chunks([b"1;"], endless(b"extension")),
    "trailers without end": lambda: raw_chunks([b"0\r\n"], endless(b"X-Trailer: x\r\n")),
    "a trailer without end": lambda: raw_chunks([b"0\r\nX: "], endless(b"trailer")),
    "ends before its end": lambda: Request(head(JPEG, "Transfer-Encoding: chunked"), [b"5\r\nab"], half_closes=True),
}

HEADS: dict[str, Callable[[], Request]] = {
    "headers without end": lambda: Request(head().removesuffix(b"\r\n"), endless(b"X-Header: x\r\n")),
    "a header without end": lambda: Request(head("X: ").removesuffix(b"\r\n\r\n"), endless(b"x")),
    "an address without end": lambda: Request(b"GET /", endless(b"x")),
    "a method without end": lambda: Request(b"", endless(b"GET")),
    "no HTTP at all": lambda: Request(b"\x16\x03\x01\x02\x00\x01\r\n\r\n"),
    "no address": lambda: Request(head(request="GET")),
    "address without a path": lambda: Request(head(request="GET ?width=1 HTTP/1.1")),
    "address not in ASCII": lambda: Request(head(request="GET /\xff\xfe HTTP/1.1")),
    "address of NULs": lambda: Request(head(request="GET /jobs/%00%00 HTTP/1.1")),
    "address that climbs": lambda: Request(head(request="GET /files/../../etc/passwd HTTP/1.1")),
    "asterisk": lambda: Request(head(request="OPTIONS * HTTP/1.1")),
    "tunnel": lambda: Request(head(request="CONNECT localhost:22 HTTP/1.1")),
    "unknown method": lambda: Request(head(request="BREW /images/ HTTP/1.1")),
    "unknown version": lambda: Request(head(request="GET /healthz HTTP/7.3")),
    "websocket": lambda: Request(
        head("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", request="GET /nowhere HTTP/1.1")
    ),
    "two hosts": lambda: Request(head("Host: other", JPEG, LENGTH), [IMAGE]),
    "no host": lambda: Request(f"POST /images/ HTTP/1.1\r\n{JPEG}\r\n{LENGTH}\r\n\r\n".encode(), [IMAGE]),
    "two content types": lambda: Request(head(JPEG, f"Content-Type: {FORM}", LENGTH), [IMAGE]),
    "two keys": lambda: Request(head(JPEG, LENGTH, "Idempotency-Key: a", "Idempotency-Key: b"), [IMAGE]),
    "key of 10,000 characters": lambda: Request(head(JPEG, LENGTH, "Idempotency-Key: " + "k" * 10_000), [IMAGE]),
    "encoded body": lambda: Request(head(JPEG, LENGTH, "Content-Encoding: gzip"), [IMAGE]),
    "10,000 parameters": lambda: Request(
        head(JPEG, LENGTH, request=f"POST /images/?{'x=1&' * 10_000}width=1 HTTP/1.1"), [IMAGE]
    ),
    "cursor of nonsense": lambda: Request(head(request="GET /jobs?cursor=%ff%fe&limit=10 HTTP/1.1")),
    "limit beyond all numbers": lambda: Request(head(request=f"GET /jobs?limit={'9' * 5000} HTTP/1.1")),
    "wait beyond all numbers": lambda: Request(head(request=f"GET /jobs/{'0' * 32}?wait={'9' * 5000} HTTP/1.1")),
}

JSON: dict[str, Callable[[], Request]] = {
    "nested a million deep": lambda: json(b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000),
    "lists a million deep": lambda: json(b'{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"),
    "30 deep in every place": lambda: json(b'{"outputs":' + b"[" * 30 + b"]" * 30 + b',"data":"AAAA"}'),
    "a string of 8 MiB": lambda: json(b'{"a":"' + b"a" * 8 * MEBIBYTE + b'"}'),
    "a string without end": lambda: chunked(chain([b'{"a":"'], endless(b"a")), "application/json"),
    "a key without end": lambda: chunked(chain([b'{"'], endless(b"a")), "application/json"),
    "data without end": lambda: chunked(chain([b'{"data":"/9j/'], endless(b"AAAA")), "application/json"),
    "escapes without end": lambda: chunked(chain([b'{"data":"'], endless(b"\\u0041")), "application/json"),
    "spaces without end": lambda: chunked(endless(b" "), "application/json"),
    "10,000 keys": lambda: json(b"{" + b",".join(b'"%d":1' % index for index in range(10_000)) + b"}"),
    "10,000 keys alike": lambda: json(b"{" + b'"width":1,' * 6_000 + b'"data":"AAAA"}'),
    "a number of 60,000 digits": lambda: json(b'{"width":' + b"9" * 60_000 + b',"data":"AAAA"}'),
    "a number beyond all": lambda: json(b'{"width":1e99999,"data":"AAAA"}'),
    "no number": lambda: json(b'{"width":NaN,"data":"AAAA"}'),
    "half of a character": lambda: json(b'{"filename":"\\ud800","data":"AAAA"}'),
    "not UTF-8": lambda: json(b'{"filename":"\xff","data":"AAAA"}'),
    "UTF-16": lambda: json('{"data":"AAAA"}'.encode("utf-16")),
    "empty": lambda: json(b""),
    "null": lambda: json(b"null"),
    "a list": lambda: json(b'[{"data":"AAAA"}]'),
    "two objects": lambda: json(b'{"data":"AAAA"}{"data":"AAAA"}'),
    "data twice": lambda: json(b'{"data":"AAAA","data":"AAAA"}'),
    "data of nothing": lambda: json(b'{"data":null}'),
    "data within data": lambda: json(b'{"data":{"data":"AAAA"}}'),
    "data that is no base64": lambda: json(b'{"data":"%%%%"}'),
    "data cut": lambda: json(b'{"data":"AAAA'),
    "only braces closed": lambda: json(b"}" * 100_000),
}

ALL = {"multipart": MULTIPART, "length": LENGTHS, "smuggling": SMUGGLING, "chunks": CHUNKS, "head": HEADS, "JSON": JSON}


async def sweep(fleet: Fleet, requests: Iterable[tuple[str, Request]], *, accepted: bool = False) -> list[str]:
    """What was answered in any other way than with a refusal (or, if `accepted`, with 202)."""
    faults = []
    for name, request in requests:
        try:
            statuses = [answer.status for answer in await exchange(fleet.port, request)]
        except TimeoutError:
            faults.append(f"{name}: no answer, and left open")
            continue
        good = all(400 <= status < 500 or (accepted and status == 202) for status in statuses)
        if not good or (not statuses and not request.half_closes and name not in CUT_OFF):
            faults.append(f"{name}: {statuses or 'closed without a word'}")
    return faults


def mutated_forms(chance: random.Random, count: int) -> Iterator[tuple[str, Request]]:
    for number in range(count):
        data = bytearray(WHOLE_FORM)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            data[place : place + chance.choice((0, 1, 1, 8))] = chance.choice(
                (b"", b"\0", b"\r\n", b"--edge", b"--", b'"', b";", b":", b"=", chance.randbytes(4))
            )
        yield f"mutated form {number}", form(bytes(data))


async def test_each_is_refused_and_none_costs_memory(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale
) -> None:
    async with Fleet(tmp_path, workers=0, **SETTINGS) as fleet:
        for way in WAYS:
            assert await asyncio.to_thread(upload_large, fleet.port, way, MAX_UPLOAD_BYTES) == 202
        pid = fleet.web.pid
        before, open_before = memory_bytes(pid), descriptors(pid)
        forget_highest(pid)
        named = ((f"{kind}: {name}", make()) for kind, several in ALL.items() for name, make in several.items())
        faults = await sweep(fleet, named)
        faults += await sweep(fleet, mutated_forms(chance, MUTATED_FORMS[scale.long]), accepted=True)
        highest = highest_bytes(pid)
        grown = (highest - before) / MEBIBYTE
        print(f"seed {report.seed}; web: {before / MEBIBYTE:.0f} MiB, grew by at most {grown:.1f} MiB")  # noqa: T201
        assert not faults, "\n".join(faults)
        assert highest - before < MOST_GROWTH_BYTES
        assert fleet.web.alive
        assert fleet.web.pid == pid
        assert (await fleet.client.get("/healthz")).status_code == 200
        await wait_until(lambda: not list((fleet.data_dir / "uploads" / ".arriving").glob("*")))
        await wait_until(lambda: descriptors(pid) <= open_before)
        assert "Traceback" not in fleet.web.said, fleet.web.said[-4000:]
