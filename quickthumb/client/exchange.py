"""Requests, answers and tries as plain values: how the client talks, without a word about how bytes travel.

A call is a `Plan`: a generator that yields steps (a request, a pause, a piece of work on a file) and is sent what came
of each. `Client` and `AsyncClient` are two loops over the same plans. Nothing in here waits, reads or writes.
"""

import json
import random
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import count
from typing import Any, Protocol, TypeVar

from quickthumb.client.errors import Problem, Unreachable
from quickthumb.client.pictures import Picture

T = TypeVar("T")

# How the service, or a proxy in front of it, says that a later try may succeed.
TEMPORARY = frozenset({429, 502, 503, 504, 507})
# A quota is used up. Without a time to try again, the request alone is larger than the whole quota.
QUOTA_EXCEEDED = "quota_exceeded"
# The service is still reading an earlier try of the same upload, whose connection broke.
IN_PROGRESS = "request_in_progress"


class Sink(Protocol):
    """Where the body of a successful answer goes, piece by piece. Its methods may block."""

    def begin(self, answer: "Answer") -> None:
        """Called with the status and the headers, before the first piece."""

    def write(self, piece: bytes) -> None:
        """Called with each piece, in order."""


@dataclass(frozen=True, slots=True)
class Request:
    """A step: send this. `path` lies below the service's URL. With `pictures`, the body is a form, with `content` JSON.

    The service may take `hold_seconds` longer than usual to answer. With a `sink`, the body of a success goes there. A
    request that is not `repeatable` would do its work twice, if it was carried out and only the answer got lost.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    content: Mapping[str, Any] | None = None
    repeatable: bool = True
    hold_seconds: float = 0
    sink: Sink | None = None

    @property
    def can_be_sent_again(self) -> bool:
        return all(picture.can_be_sent_again for picture in self.pictures)


@dataclass(frozen=True, slots=True)
class Pause:
    """A step: wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Do:
    """A step: call a function that works on a local file, outside the event loop if there is one."""

    function: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request. The names of headers are in lower case; `body` is empty if it went into a sink."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the service asks to wait, given in seconds or as a date."""
        text = self.headers.get("retry-after", "")
        if text.isascii() and text.isdigit():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Broken:
    """What came of a request that got no whole answer. It may have been carried out all the same.

    `final` says that trying again cannot help, such as with a certificate that nobody trusts.
    """

    error: Exception
    final: bool = False


Plan = Generator[Request | Pause | Do, Any, T]


@dataclass(frozen=True, slots=True)
class Retries:
    """How patient the client is when the service is overloaded or away.

    It makes up to `attempts` tries of each request. The pause between two is what `Retry-After` asks for, or else
    `first_pause_seconds`, doubled each time and shortened at random, so that many clients do not come back at once. If
    the service asks for more than `longest_pause_seconds`, the client gives up at once.
    """

    attempts: int = 6
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30.0

    def pause_after(self, attempt: int, asked_seconds: float | None) -> float | None:
        """The pause after the failed try `attempt`, the first being 1; None to give up."""
        if attempt >= self.attempts or (asked_seconds is not None and asked_seconds > self.longest_pause_seconds):
            return None
        backoff: float = min(self.first_pause_seconds * 2 ** (attempt - 1), self.longest_pause_seconds)
        backoff *= random.uniform(0.5, 1)  # noqa: S311 - it spreads load, and guards no secret
        return max(backoff, asked_seconds or 0)


def send(request: Callable[[], Request], retries: Retries) -> Plan[tuple[Answer, bool]]:
    """Sends what `request` returns, again as long as that may help.

    Returns the last answer, and whether an earlier try broke off, so that it may have been carried out. Raises
    Unreachable if there is no answer.
    """
    broke = False
    for attempt in count(1):
        asked = request()
        reply: Answer | Broken = yield asked
        wait = None
        if may_pass(reply) and asked.can_be_sent_again and (asked.repeatable or not isinstance(reply, Broken)):
            wait = retries.pause_after(attempt, None if isinstance(reply, Broken) else reply.retry_after_seconds)
        if wait is not None:
            broke = broke or isinstance(reply, Broken)
            yield Pause(wait)
        elif isinstance(reply, Broken):
            raise Unreachable(unreachable(reply.error)) from reply.error
        else:
            return reply, broke
    raise AssertionError  # count() never ends


def answered(request: Request | Callable[[], Request], retries: Retries) -> Plan[Answer]:
    """The answer to a request, which a later try may have to make anew. Raises Problem if it is an error."""
    answer, _ = yield from send(request if callable(request) else lambda: request, retries)
    return require_success(answer)


def may_pass(reply: Answer | Broken) -> bool:
    """Whether another try may succeed."""
    if isinstance(reply, Broken):
        return not reply.final
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS and reply.retry_after_seconds is None:
        return _said(reply).get("code") != QUOTA_EXCEEDED
    return reply.status in TEMPORARY or (
        reply.status == HTTPStatus.CONFLICT and _said(reply).get("code") == IN_PROGRESS
    )


def require_success(answer: Answer) -> Answer:
    """The answer. Raises Problem if it is an error, and what the service says about it."""
    if answer.is_success:
        return answer
    said = _said(answer)
    name = _name(answer.status)
    raise Problem(
        status=answer.status,
        code=str(said.get("code", f"http_{answer.status}")),
        title=str(said.get("title", name)),
        detail=str(said.get("detail", _unexplained(answer, name))),
        field=said.get("field"),
        retry_after_seconds=answer.retry_after_seconds,
    )


def _said(answer: Answer) -> dict[str, Any]:
    """The problem document of an error; empty if something else than QuickThumb answered."""
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    try:
        said = json.loads(answer.body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _unexplained(answer: Answer, name: str) -> str:
    target = answer.headers.get("location")
    if target and 300 <= answer.status < 400:
        return f"The server redirects to {target}; use that URL."
    return f"The server answered {answer.status} {name}, without a reason."


def _name(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def unreachable(error: Exception) -> str:
    """One sentence about an error of the connection."""
    return f"No answer from the service: {str(error) or type(error).__name__}."
