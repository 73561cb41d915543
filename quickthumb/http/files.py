"""Serves images as downloads: whole, as byte ranges, as base64 in JSON, or as 304 if the client's copy is current."""

import base64
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from quickthumb.http.errors import RangeNotSatisfiable
from quickthumb.http.problems import problem
from quickthumb.http.ranges import ByteRanges, Span, content_range, spans_of
from quickthumb.http.requests import KEY, SIGNED
from quickthumb.http.signing import EXPIRES
from quickthumb.http.urls import urls_of
from quickthumb.imaging.formats import FORMATS
from quickthumb.service.downloads import Download

# The files of a job never change, neither its results nor its original.
CACHED_SECONDS = 31_536_000
# Even if someone makes a browser open a served image as a page, the browser must run nothing and load nothing.
CONTENT_SECURITY_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
MEDIA_TYPES = {row.name: (row.media_type, row.extension) for row in FORMATS}
UNKNOWN_MEDIA = ("application/octet-stream", "bin")
# Every media type of a file, and of a part of it; the last of PICTURES stands for bytes of any format.
PICTURES = (*(media_type for media_type, _ in MEDIA_TYPES.values()), UNKNOWN_MEDIA[0])
PARTS = (*PICTURES, "multipart/byteranges")
# Which sites may show a file that they cannot read: any, as users of an image service expect, or only this one.
SHOWN_ANYWHERE, SHOWN_HERE = "cross-origin", "same-origin"
_POLICIES = ("content-security-policy", "cross-origin-resource-policy")
_KEPT_WHEN_NOT_MODIFIED = ("etag", "last-modified", "cache-control", *_POLICIES)


def media_of(format_name: str | None) -> tuple[str, str]:
    """The media type and file extension of a format; `application/octet-stream` and `bin` if it is not known yet."""
    return UNKNOWN_MEDIA if format_name is None else MEDIA_TYPES[format_name]


def serve(
    request: Request, download: Download, media_type: str, disposition: str, name: str, shown: str = SHOWN_ANYWHERE
) -> Response:
    """A response with the file, to be saved as `name`: 200, 206, 304 or 416, depending on the request's headers.

    `shown` says on whose pages browsers show the file: SHOWN_ANYWHERE or SHOWN_HERE.
    If the file is removed before its first byte is sent, sending the response raises UnknownResult.
    """
    headers = Headers(
        {
            "Accept-Ranges": "bytes",
            "Cache-Control": _cache_control(request),
            "Content-Disposition": content_disposition(disposition, name),
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Cross-Origin-Resource-Policy": shown,
            "ETag": f'"{download.version}"',
            "Last-Modified": format_datetime(download.blob.modified_at, usegmt=True),
        }
    )
    if _is_current(request.headers, headers):
        kept = {key: headers[key] for key in _KEPT_WHEN_NOT_MODIFIED}
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    try:
        # Only GET knows ranges (RFC 9110, section 14.2).
        spans = None if request.method == "HEAD" else _wanted_spans(request.headers, headers, download.blob.length)
    except RangeNotSatisfiable as error:
        answer = problem(error, urls_of(request))
        answer.headers["Content-Range"] = f"bytes */{download.blob.length}"
        return answer
    return _answer(download, spans, headers, media_type)


def base64_answer(download: Download, fields: Mapping[str, str], key: str, headers: Mapping[str, str]) -> Response:
    """A JSON object with `fields` and, under `key`, the file in base64. It encodes the file while reading it."""
    before = f'{json.dumps(dict(fields))[:-1]}, {json.dumps(key)}: "'.encode()
    after = b'"}'
    length = len(before) + 4 * ((download.blob.length + 2) // 3) + len(after)
    body = _base64_body(download, before, after)
    return DownloadResponse(body, HTTPStatus.OK, {**headers, "Content-Length": str(length)}, "application/json")


def content_disposition(disposition: str, name: str) -> str:
    """The Content-Disposition header for a name in any script: in ASCII for old clients, by RFC 8187 for all others."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    return f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _cache_control(request: Request) -> str:
    """Who may keep the file, and how long. What came only with an API key must not be kept by caches that others share.
    What anybody may have may be, but that of a signed URL only as long as the URL is good."""
    seconds = CACHED_SECONDS
    if SIGNED in request.scope:
        seconds = min(seconds, max(0, int(request.query_params[EXPIRES]) - int(time.time())))
    return f"{'private' if KEY in request.scope else 'public'}, max-age={seconds}, immutable"


def _is_current(asked: Headers, headers: Headers) -> bool:
    """Whether the client's copy is current (RFC 9110, section 13): by its ETag, or else by its date."""
    tags = asked.get("if-none-match")
    if tags is not None:
        known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return "*" in known or headers["etag"] in known
    since = asked.get("if-modified-since")
    try:
        return since is not None and parsedate_to_datetime(headers["last-modified"]) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False


def _wanted_spans(asked: Headers, headers: Headers, length: int) -> list[Span] | None:
    """The parts that the client asks for, or None for the whole file. Raises RangeNotSatisfiable."""
    wanted, condition = asked.get("range"), asked.get("if-range")
    if wanted is None or (condition is not None and condition not in (headers["etag"], headers["last-modified"])):
        return None
    return spans_of(wanted, length)


def _answer(download: Download, spans: Sequence[Span] | None, headers: Headers, media_type: str) -> Response:
    length = download.blob.length
    if spans is None:
        body = _body(download, [(b"", (0, length))])
        return DownloadResponse(body, HTTPStatus.OK, {**headers, "Content-Length": str(length)}, media_type)
    if len(spans) == 1:
        start, end = spans[0]
        told = {"Content-Range": content_range(spans[0], length), "Content-Length": str(end - start)}
        body = _body(download, [(b"", spans[0])])
        return DownloadResponse(body, HTTPStatus.PARTIAL_CONTENT, {**headers, **told}, media_type)
    several = ByteRanges(spans, media_type, length)
    told = {"Content-Length": str(several.length)}
    body = _body(download, several.parts, several.tail)
    return DownloadResponse(body, HTTPStatus.PARTIAL_CONTENT, {**headers, **told}, several.media_type)


class DownloadResponse(StreamingResponse):
    """A streamed response. It reads the first block before it sends the head: an error up to then gets a response."""

    def __init__(
        self, body: AsyncGenerator[bytes, None], status: HTTPStatus, headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(body, status, headers, media_type)
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            self.body = b""
            await Response.__call__(self, scope, receive, send)
            return
        async with aclosing(self._body) as body:
            first = await anext(body, b"")
            async with aclosing(_preceded(first, body)) as self.body_iterator:
                await super().__call__(scope, receive, send)


async def _preceded(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for block in rest:
        yield block


async def _body(
    download: Download, parts: Sequence[tuple[bytes, Span]], tail: bytes = b""
) -> AsyncGenerator[bytes, None]:
    """Streams parts of the file, each after the bytes that precede it, and then `tail`."""
    for head, (start, end) in parts:
        before = head
        async with aclosing(download.read(start, end)) as blocks:
            async for block in blocks:
                yield before + block if before else block
                before = b""
    if tail:
        yield tail


async def _base64_body(download: Download, before: bytes, after: bytes) -> AsyncGenerator[bytes, None]:
    rest = b""
    async with aclosing(download.read()) as blocks:
        async for block in blocks:
            # Encodes whole groups of three bytes only, so that the encoded blocks join without padding between them.
            data = rest + block
            whole = len(data) - len(data) % 3
            rest = data[whole:]
            yield before + base64.b64encode(memoryview(data)[:whole])
            before = b""
    yield before + base64.b64encode(rest) + after
