"""The client for requests to other servers: it streams downloads, posts content, and asks the guard before each
connection.

It imports httpx and httpcore when it makes its first request: that takes a tenth of a second, and most processes make
none.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from quickthumb.outbound.errors import AnswerRefused, AnswerTooLarge, OutboundRefused, Unreachable
from quickthumb.outbound.guard import Guard, Target

if TYPE_CHECKING:
    import httpcore
    import httpx

MOST_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Client errors (4xx) after which the same request may succeed later.
PASSING = frozenset({408, 425, 429})
GET_SECONDS = 60.0
POST_SECONDS = 20.0
MOST_POST_BYTES = 64 * 1024
LONGEST_PAUSE_SECONDS = 3600.0

# Refuses a URL by an error of its own, before anything is looked up.
CheckUrl = Callable[[str], object]


def any_url(url: str) -> None:
    """Refuses no URL; the guard still does."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request that was posted: its status, its headers with their names in lower case, and the first
    bytes of its body. `retry_after_seconds` is what the server asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """A successful answer whose body is still to come. `url` is where it came from, after all redirects."""

    url: "httpx.URL"
    headers: Mapping[str, str]
    chunks: AsyncGenerator[bytes, None]


class OutboundClient:
    """Makes the requests that `guard` lets through. It keeps no connection open between requests.

    `certificates` are the authorities that certify servers; by default, those of the system.
    """

    def __init__(self, guard: Guard, certificates: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._certificates = certificates

    @asynccontextmanager
    async def get(
        self, url: str, *, max_bytes: int, seconds: float = GET_SECONDS, check: CheckUrl = any_url
    ) -> AsyncIterator[Download]:
        """Gets a URL, following up to three redirects. Read `chunks` within the block.

        The guard and `check` see each of the URLs. `seconds` limits the whole block. Raises OutboundRefused,
        Unreachable, AnswerRefused for every status but 200 and for an encoded body, AnswerTooLarge, and what `check`
        raises; also while the block reads.
        """
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline, aclosing(self._answers(url, check)) as answers:
                async for target, answer in answers:
                    headers = _headers_of(answer)
                    _check_answer(target, answer, headers, max_bytes)
                    async with aclosing(_limited(target.host, answer, max_bytes)) as chunks:
                        yield Download(target.url, headers, chunks)
                    return
        except TimeoutError:
            if not deadline.expired():
                raise
            raise Unreachable(f"Fetching took longer than {seconds:g} s.") from None

    async def post(
        self,
        url: str,
        content: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float = POST_SECONDS,
        most_bytes: int = MOST_POST_BYTES,
    ) -> Answer:
        """Posts `content`, and returns the answer whatever its status, with its first `most_bytes` bytes.

        Follows no redirects. `seconds` limits it all. Raises OutboundRefused and Unreachable.
        """
        from quickthumb.outbound.connection import exchange

        try:
            async with asyncio.timeout(seconds):
                target = await self._guard.target(url)
                sent = {"Accept-Encoding": "identity", **headers}
                async with exchange("POST", target, sent, content, self._certificates) as answer:
                    told = _headers_of(answer)
                    body = await _first_bytes(answer, most_bytes)
                    return Answer(answer.status, told, body, retry_after(told))
        except TimeoutError:
            raise Unreachable(f"The request took longer than {seconds:g} s.") from None

    async def _answers(self, url: str, check: CheckUrl) -> AsyncGenerator[tuple[Target, "httpcore.Response"], None]:
        """The one answer that is no redirect, and where it comes from."""
        from quickthumb.outbound.connection import exchange

        sent = {"Accept": "image/*, */*;q=0.5", "Accept-Encoding": "identity"}
        for _ in range(MOST_REDIRECTS + 1):
            check(url)
            target = await self._guard.target(url)
            async with exchange("GET", target, sent, certificates=self._certificates) as answer:
                location = _headers_of(answer).get("location")
                if answer.status not in REDIRECTS or location is None:
                    yield target, answer
                    return
            url = _next_url(target, location)
        raise AnswerRefused(f"{target.host} redirected more than {MOST_REDIRECTS} times.", status=answer.status)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait, an hour at most; None if it does not ask, or the value is not valid."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_PAUSE_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)


def _headers_of(answer: "httpcore.Response") -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}


def _next_url(target: Target, location: str) -> str:
    import httpx

    try:
        return str(target.url.join(location))
    except (httpx.InvalidURL, ValueError):
        raise OutboundRefused(f"{target.host} redirected to a URL that is not valid.") from None


def _check_answer(target: Target, answer: "httpcore.Response", headers: Mapping[str, str], max_bytes: int) -> None:
    if answer.status != HTTPStatus.OK:
        raise AnswerRefused(
            f"{target.host} answered {_status_line(answer.status)}.",
            status=answer.status,
            may_pass=answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in PASSING,
            retry_after_seconds=retry_after(headers),
        )
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise AnswerRefused(f"{target.host} sent a compressed body that was not asked for.", status=answer.status)
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > max_bytes:
        raise AnswerTooLarge(f"The answer of {target.host} has more than {max_bytes} bytes.")


def _status_line(status: int) -> str:
    """The status and its usual reason. What the server itself says may be anything."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


async def _limited(host: str, answer: "httpcore.Response", max_bytes: int) -> AsyncGenerator[bytes, None]:
    from quickthumb.outbound.connection import failures_translated

    left = max_bytes
    with failures_translated(host):
        async for chunk in answer.aiter_stream():
            left -= len(chunk)
            if left < 0:
                raise AnswerTooLarge(f"The answer of {host} has more than {max_bytes} bytes.")
            yield chunk


async def _first_bytes(answer: "httpcore.Response", most: int) -> bytes:
    found = bytearray()
    async for chunk in answer.aiter_stream():
        found += chunk[: most - len(found)]
        if len(found) >= most:
            break
    return bytes(found)
