"""The guard: decides whether a request may go to a URL, and to which addresses exactly.

A name is resolved once, and whoever makes the request connects to an address that was checked. If the connection looked
the name up again, a name server that changes its answer could send it anywhere (DNS rebinding).
"""

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quickthumb.model.opening import USUAL_PORTS, Address, Opening
from quickthumb.outbound.addresses import is_public
from quickthumb.outbound.errors import OutboundRefused, Unreachable
from quickthumb.outbound.names import Resolve, resolve

if TYPE_CHECKING:
    import httpx

MOST_CHARACTERS = 2048
RESOLVE_SECONDS = 5.0
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
# A last label like this makes it an address to most resolvers, whatever base it is written in (WHATWG URL, 3.5).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request may go: to `url`, by connecting to one of the `addresses`, which were checked."""

    url: "httpx.URL"
    host: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart: `host` in lower case, without brackets or a dot at its end; `path` with its escapes."""

    url: "httpx.URL"
    scheme: str
    host: str
    port: int
    path: str


class Guard:
    """Lets requests go to public addresses on ports 80 and 443, and to what `openings` open."""

    def __init__(
        self, openings: Sequence[Opening] = (), resolve: Resolve = resolve, *, seconds: float = RESOLVE_SECONDS
    ) -> None:
        self._openings = tuple(openings)
        self._resolve = resolve
        self._seconds = seconds

    async def target(self, url: str) -> Target:
        """Checks the URL and every address of its host. Raises OutboundRefused, and Unreachable without an address."""
        place = split_url(url)
        is_open = any(opening.opens_host(place.host, place.port) for opening in self._openings)
        if not is_open and not self._may_open(place.port):
            raise OutboundRefused("Requests go to the ports 80 and 443 only.")
        addresses = await self._addresses(place)
        if not is_open and not all(self._lets_through(address, place.port) for address in addresses):
            raise OutboundRefused(f"Requests to {place.host} are not allowed, because of where it is.")
        return Target(place.url, place.host, place.port, tuple(map(str, addresses)))

    def _may_open(self, port: int) -> bool:
        """Whether any address is open at this port: otherwise, there is no need to look up the name."""
        return port in USUAL_PORTS.values() or any(opening.port == port for opening in self._openings)

    def _lets_through(self, address: Address, port: int) -> bool:
        if port in USUAL_PORTS.values() and is_public(address):
            return True
        return any(opening.opens_address(address, port) for opening in self._openings)

    async def _addresses(self, place: Place) -> list[Address]:
        literal = _literal(place.host)
        if literal is not None:
            return [literal]
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._resolve(place.host, place.port)
        except TimeoutError:
            raise Unreachable(f"Looking up the host name {place.host} took too long.") from None
        if not found:
            raise Unreachable(f"The host name {place.host} has no address.")
        return [ipaddress.ip_address(text) for text in found]


def split_url(text: str) -> Place:
    """Takes a URL apart. Raises OutboundRefused, with what is wrong, unless it is plain: http or https, without a user
    name, and with a host that every parser understands alike."""
    if len(text) > MOST_CHARACTERS:
        raise OutboundRefused(f"The URL has more than {MOST_CHARACTERS} characters.")
    if not text.isprintable() or any(character in text for character in " \\"):
        raise OutboundRefused("The URL has spaces, backslashes or control characters.")
    import httpx  # only now: it takes a tenth of a second, and most processes make no requests

    try:
        url = httpx.URL(text)
        port = url.port
        host = url.raw_host.decode("ascii").lower()
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise OutboundRefused("The URL is not valid.") from None
    if url.scheme not in USUAL_PORTS:
        raise OutboundRefused("The URL must begin with https:// or http://.")
    if url.userinfo or "@" in url.netloc.decode("ascii", "replace"):
        raise OutboundRefused("The URL must not contain a user name or a password.")
    host = _checked_host(host)
    bracketed = f"[{host}]" if ":" in host else host
    path = url.raw_path.decode("ascii").partition("?")[0]
    return Place(
        url.copy_with(host=bracketed, fragment=None),
        url.scheme,
        host,
        USUAL_PORTS[url.scheme] if port is None else port,
        path,
    )


def shown(url: str) -> str:
    """The URL for logs and answers: without user name, query and fragment, which may hold secrets."""
    try:
        place = split_url(url)
    except OutboundRefused:
        return "an invalid URL"
    return str(place.url.copy_with(query=None))


def _checked_host(host: str) -> str:
    """The host in the one form that it is used in: a name, or an address in its usual form."""
    host = host.removeprefix("[").removesuffix("]").removesuffix(".")
    literal = _literal(host)
    if literal is not None:
        return str(literal)
    if len(host) > 253 or _NAME.fullmatch(host) is None or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise OutboundRefused("The URL has no valid host name.")
    return host


def _literal(host: str) -> Address | None:
    if "%" in host:  # the zone of an IPv6 address names an interface of this machine
        return None
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
