"""Finds the client behind trusted proxies. What anybody else says about the client's address is ignored."""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# A word in the setting TRUSTED_PROXIES: whoever connects to the server's Unix socket.
UNIX = "unix"
SCHEMES = ("http", "https")
# More proxies than any request passes. A client must not make the server read a long list.
MOST_HOPS = 16


class TrustedProxies:
    """ASGI middleware: puts the address and the scheme of the client in place of those of a trusted proxy.

    It reads `X-Forwarded-For` from right to left, as long as the addresses are those of trusted proxies: each proxy has
    appended the address of whoever connected to it. The first other address is the client's. Where the header has no
    valid address, the last trusted proxy counts as the client.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self._app = app
        self._trusts = among(trusted)
        self._trusts_unix = UNIX in trusted

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            self._look_behind(scope)
        return self._app(scope, receive, send)

    def _look_behind(self, scope: Scope) -> None:
        client = scope.get("client")
        peer = address_of(client[0]) if client else None
        if not (self._trusts(peer) if client else self._trusts_unix):
            return
        found = self._client_behind(peer, _listed(scope, b"x-forwarded-for"))
        if found is not None and found != peer:
            scope["client"] = (str(found), 0)
        schemes = _listed(scope, b"x-forwarded-proto")[-1:]
        if schemes and schemes[0].lower() in SCHEMES:
            scope["scheme"] = schemes[0].lower()

    def _client_behind(self, peer: Address | None, hops: list[str]) -> Address | None:
        found = peer
        for hop in reversed(hops[-MOST_HOPS:]):
            address = address_of(hop)
            if address is None:
                break
            found = address
            if not self._trusts(address):
                break
        return found


def is_proxy(trusted: Iterable[str]) -> Callable[[str], bool]:
    """A function that says whether the address of a connection is that of one of the trusted proxies."""
    trusts = among(trusted)
    return lambda address: trusts(address_of(address))


def among(trusted: Iterable[str]) -> Callable[[Address | None], bool]:
    """A function that says whether an address is that of one of the trusted proxies."""
    networks = networks_of(trusted)
    return lambda address: address is not None and any(address in network for network in networks)


def networks_of(trusted: Iterable[str]) -> tuple[Network, ...]:
    """The networks among the words of the setting TRUSTED_PROXIES. Raises ValueError for a word that is none."""
    return tuple(ipaddress.ip_network(word) for word in trusted if word != UNIX)


def address_of(text: str) -> Address | None:
    """The IP address in an entry of `X-Forwarded-For`: with or without a port, an IPv6 address with a port in brackets.

    None if there is no valid one. An IPv6 address with a zone is not valid: the zone could be any text.
    """
    host = text.strip()
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        if not bracket or (port and not (port.startswith(":") and port[1:].isdecimal())):
            return None
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address("" if "%" in host else host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _listed(scope: Scope, wanted: bytes) -> list[str]:
    """The entries of a header with a list, from all its lines."""
    lines = (value.decode("latin-1") for name, value in scope["headers"] if name == wanted)
    return [entry.strip() for entry in ",".join(lines).split(",") if entry.strip()]
