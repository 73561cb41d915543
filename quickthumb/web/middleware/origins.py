"""Keeps pages of strangers from changing anything.

A browser sends a page's forms, images and simple scripts to any server, and with them the access that its user has: to
this machine, and to the network that the user is in. It says so in `Sec-Fetch-Site` and `Origin`, which no page can
forge. Programs that are no browsers send neither, and are let through; so are images and links over plain HTTP to other
machines, of which browsers say nothing.
"""

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from quickthumb.http.authority import is_same
from quickthumb.http.errors import CrossOrigin

LONGEST_SHOWN = 100
# What the browser says of a request from a page of this very origin, and of one that its user typed.
OWN_SITES = ("same-origin", "none")

# Whether the pages of an origin, such as `https://shop.example.org`, may do what the service's own pages may.
Admits = Callable[[str], bool]


class OriginCheck:
    """ASGI middleware for what changes something: raises CrossOrigin for requests from pages of other origins."""

    def __init__(self, app: ASGIApp, admits: Admits) -> None:
        self._app = app
        self._admits = admits

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        if _is_foreign(headers, origins) and not (origins and all(map(self._admits, origins))):
            shown = ascii(origins[0][:LONGEST_SHOWN]) if origins else "another site"
            admitted = "pages of this service, and of the origins in CORS_ORIGINS"
            raise CrossOrigin(f"A page of {shown} sent this request. Only {admitted}, may send it.")
        return self._app(scope, receive, send)


def is_of_own_page(headers: Headers, *, changes: bool) -> bool:
    """Whether a request that has a cookie comes from a page of this very origin, as far as the browser says.

    Over HTTPS and to this machine it always says so; elsewhere it says nothing of a GET, but gives the origin of
    whatever may change something. A URL that the user typed may be read, but changes nothing.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site.strip().lower() in (OWN_SITES[:1] if changes else OWN_SITES)
    origins = headers.getlist("origin")
    return not _is_foreign(headers, origins) and bool(origins or not changes)


def _is_foreign(headers: Headers, origins: list[str]) -> bool:
    """`Sec-Fetch-Site` decides if there is one: it knows the URL in the browser, which a proxy may have changed here.

    A page of the same site but another origin is foreign: another port or a neighboring name may be anybody's. Browsers
    send `Sec-Fetch-Site` only over HTTPS and to `localhost`, names below it, 127.0.0.0/8 and ::1; elsewhere, `Origin`
    is compared with `Host`. An image or a link has no `Origin`, so `Hosts` refuses other spellings of this machine,
    such as 0.0.0.0.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site.strip().lower() not in OWN_SITES
    return not all(is_same(origin, headers.get("host", "")) for origin in origins)
