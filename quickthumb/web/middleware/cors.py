"""Lets pages of chosen origins use the service from a browser (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol).

`OriginCheck` refuses what other origins send before anything is done. This tells browsers which pages may read answers.
"""

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from quickthumb.http.errors import CrossOrigin
from quickthumb.http.problems import problem
from quickthumb.http.urls import Urls
from quickthumb.web.middleware.origins import LONGEST_SHOWN, Admits

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What a page may send, besides what any page may.
SENT = (
    "Authorization",
    "Content-Disposition",
    "Idempotency-Key",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Prefer",
    "Range",
    "Upload-Policy",
    "X-Request-ID",
    "X-Requested-With",
)
# What a script may read of an answer, besides what any script may.
READ = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
)
# No browser remembers for longer that it may ask.
PREFLIGHT_SECONDS = 7200

_ANY_BELOW = "://*."
_NAMES = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)


class Origins:
    """The origins in the setting CORS_ORIGINS: exact ones, and such as `https://*.example.org`, which stands for all
    names below example.org, but not for example.org itself."""

    def __init__(self, listed: Sequence[str]) -> None:
        self._exact = frozenset(origin for origin in listed if _ANY_BELOW not in origin)
        self._below = [
            (f"{scheme}://", f".{rest}")
            for scheme, found, rest in (origin.partition(_ANY_BELOW) for origin in listed)
            if found
        ]

    def admits(self, origin: str) -> bool:
        """Whether it is one of them, in the form in which browsers send it."""
        return origin in self._exact or any(
            origin.startswith(scheme)
            and origin.endswith(rest)
            and _NAMES.fullmatch(origin[len(scheme) : -len(rest)]) is not None
            for scheme, rest in self._below
        )


class Cors(CORSMiddleware):
    """ASGI middleware around `ErrorAnswers`, so that pages can read what went wrong, too.

    Never allows credentials: a page cannot use the cookies that its user has here. An origin that is admitted may use
    the service in a private network.
    """

    def __init__(self, app: ASGIApp, admits: Admits, urls: Urls) -> None:
        super().__init__(
            app,
            allow_methods=METHODS,
            allow_headers=SENT,
            expose_headers=READ,
            max_age=PREFLIGHT_SECONDS,
            allow_private_network=True,
        )
        self._admits = admits
        self._urls = urls

    def is_allowed_origin(self, origin: str) -> bool:
        return self._admits(origin)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Says what a page may send, or with a problem why not: browsers show it to developers."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:
            return answer
        shown = ascii(request_headers["origin"][:LONGEST_SHOWN])
        if self.is_allowed_origin(request_headers["origin"]):
            detail = f"Pages of {shown} may use the service, but not send this method or these headers."
        else:
            detail = f"Pages of {shown} may not use this service: CORS_ORIGINS does not name their origin."
        return problem(CrossOrigin(detail), self._urls)
