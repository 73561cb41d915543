"""What an operator opens to outbound requests: hosts that are inside, and the URLs from which clients may have images
fetched."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

USUAL_PORTS = {"http": 80, "https": 443}
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_WITH_PORT = re.compile(r"(?P<host>\[[^\]]+\]|[^\[\]]+?)(?::(?P<port>\d{1,5}))?")
_PATTERN = re.compile(r"(?P<scheme>https?)://(?P<place>[^/?#@\\\s]+)(?P<path>/[^?#\\\s]*)?")
# What two servers may understand differently: a pattern for one folder must not match a URL that leads out of it.
_LEADS_OUT = re.compile(r"(^|/)\.\.?(/|$)|\\|%(2[ef]|5c)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Opening:
    """One entry of OUTBOUND_ALLOWED: a host name, `*.` and a domain, an address, or a network in CIDR notation, each
    with a port if it is not one of the usual ones."""

    host: str | None
    network: Network | None
    port: int | None

    @classmethod
    def read(cls, text: str) -> Self:
        """Reads an entry. Raises ValueError with a sentence about what is wrong."""
        host, port = _split_port(text.strip().lower(), text)
        network = _network(host)
        if network is None and not _is_host(host):
            raise ValueError(f"{text!r} is no host name, no *.domain, no address and no network")
        return cls(None if network else host, network, port)

    def opens_host(self, host: str, port: int) -> bool:
        """Whether it opens this port of a host with this name, whatever its addresses are."""
        return self.host is not None and _matches(self.host, host) and self._opens_port(port)

    def opens_address(self, address: Address, port: int) -> bool:
        """Whether it opens this port of this address, whatever name led there."""
        return self.network is not None and address in self.network and self._opens_port(port)

    def _opens_port(self, port: int) -> bool:
        return port == self.port if self.port is not None else port in USUAL_PORTS.values()


@dataclass(frozen=True, slots=True)
class UrlPattern:
    """One entry of URL_ALLOWED: `scheme://host/path`, where the host may begin with `*.` or be `*`, and each `*` of the
    path stands for any text. Without a path, it matches every path. It says nothing of the query."""

    scheme: str
    host: str
    port: int
    path: re.Pattern[str]

    @classmethod
    def read(cls, text: str) -> Self:
        """Reads a pattern. Raises ValueError with a sentence about what is wrong."""
        found = _PATTERN.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} must be a pattern for URLs, such as https://images.example.org/*")
        host, port = _split_port(found["place"].lower(), text)
        if host != "*" and _network(host) is None and not _is_host(host):
            raise ValueError(f"{text!r} has no valid host: a name, *. and a domain, or * for all")
        path = re.escape(found["path"] or "/*").replace(r"\*", ".*")
        return cls(found["scheme"], host.strip("[]"), port or USUAL_PORTS[found["scheme"]], re.compile(path, re.DOTALL))

    def matches(self, scheme: str, host: str, port: int, path: str) -> bool:
        """Whether it matches a URL with these parts; the path as it is sent, with its escapes."""
        if (scheme, port) != (self.scheme, self.port) or not (self.host == "*" or _matches(self.host, host)):
            return False
        # Escapes are resolved once, as servers do. Whoever escapes twice may want to lead out of the folder.
        return not _LEADS_OUT.search(unquote(path)) and self.path.fullmatch(path) is not None


def _matches(pattern: str, host: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _split_port(place: str, text: str) -> tuple[str, int | None]:
    """A host and its port. An IPv6 address has a port only if it is in brackets."""
    if _network(place) is not None:
        return place, None
    found = _WITH_PORT.fullmatch(place)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 0 < port < 65536):
        raise ValueError(f"{text!r} has no valid host or port")
    return found["host"], port


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text.removeprefix("[").removesuffix("]"), strict=False)
    except ValueError:
        return None


def _is_host(text: str) -> bool:
    return len(text) <= 253 and _HOST.fullmatch(text) is not None
