"""Pictures as downloads: whole, in ranges, or not at all when the client has them already."""

import asyncio
import os
import re
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from quickthumb.http.errors import RangeNotSatisfiable
from quickthumb.http.problems import problem
from quickthumb.imaging.formats import FORMATS
from quickthumb.service.errors import UnknownResult

# A result never changes, and neither does an original: one job, one file.
CACHE_CONTROL = "public, max-age=31536000, immutable"
# Served pictures run nothing and load nothing, even when a browser is made to show them as a page.
CONTENT_SECURITY_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
MEDIA_TYPES = {row.name: (row.media_type, row.extension) for row in FORMATS}
UNKNOWN_MEDIA = ("application/octet-stream", "bin")
PICTURES = tuple(media_type for media_type, _ in MEDIA_TYPES.values())
# No file has a size of more than 18 digits.
_RANGE = re.compile(r"bytes=(\d{1,18}-\d{0,18}|-\d{1,18})(\s*,\s*(\d{1,18}-\d{0,18}|-\d{1,18}))*", re.IGNORECASE)
_KEPT_WHEN_NOT_MODIFIED = ("etag", "last-modified", "cache-control", "content-security-policy", "vary")


def media_of(format_name: str | None) -> tuple[str, str]:
    """The media type and the extension of a format; of bytes whose format is not known yet, those of any bytes."""
    return UNKNOWN_MEDIA if format_name is None else MEDIA_TYPES[format_name]


async def serve(request: Request, path: Path, media_type: str, disposition: str, name: str) -> Response:
    """The file under a name of its own. Raises UnknownResult when it is gone."""
    try:
        status = await asyncio.to_thread(os.stat, path)
    except FileNotFoundError:
        raise UnknownResult("The file is no longer kept.") from None
    headers = {
        "Cache-Control": CACHE_CONTROL,
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Content-Disposition": content_disposition(disposition, name),
        "ETag": f'"{status.st_mtime_ns:x}-{status.st_size:x}"',
    }
    answer = PictureResponse(path, headers=headers, media_type=media_type, stat_result=status)
    if _has_it(request.headers, answer.headers):
        kept = {key: answer.headers[key] for key in _KEPT_WHEN_NOT_MODIFIED if key in answer.headers}
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    return answer


def content_disposition(disposition: str, name: str) -> str:
    """The header for a name in any script: plain for old clients, RFC 8187 for the rest."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    return f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _has_it(asked: Headers, answer: Headers) -> bool:
    """Whether the client's copy is still good (RFC 9110, section 13): by its tag, or else by its date."""
    tags = asked.get("if-none-match")
    if tags is not None:
        known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return "*" in known or answer["etag"] in known
    since = asked.get("if-modified-since")
    try:
        return since is not None and parsedate_to_datetime(answer["last-modified"]) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False


class PictureResponse(FileResponse):
    """A file, streamed. A range that makes no sense is ignored, as RFC 9110 has it, instead of refused."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = Headers(scope=scope).get("range")
        if wanted is not None and not _is_range(wanted):
            scope = {**scope, "headers": [header for header in scope["headers"] if header[0] != b"range"]}
        await super().__call__(scope, receive, _Refusal(scope, receive, send))


class _Refusal:
    """Says in the words of every other error what Starlette says in plain text: that a range is not there."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._refused = False

    async def __call__(self, message: Message) -> None:
        if self._refused:
            return
        if message.get("status") != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            await self._send(message)
            return
        self._refused = True
        answer = problem(RangeNotSatisfiable("The range begins behind the end of the file."))
        answer.headers["Content-Range"] = Headers(raw=message["headers"])["content-range"]
        await answer(self._scope, self._receive, self._send)


def _is_range(text: str) -> bool:
    if not _RANGE.fullmatch(text.strip()):
        return False
    pairs = (part.strip().split("-") for part in text.partition("=")[2].split(","))
    return all(not (first and last) or int(first) <= int(last) for first, last in pairs)
