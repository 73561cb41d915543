"""Reads authorities, that is, a host with or without a port: those in `Host` and `Origin` headers."""

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

_AUTHORITY = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[\w.-]+))(?::(?P<port>\d{1,5})?)?", re.ASCII)
DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Authority:
    """A host in lower case, and a port if given. An IPv6 address has no brackets here, and a name no dot at its end."""

    host: str
    port: int | None

    @property
    def is_address(self) -> bool:
        """Whether the host is the IP address of one machine, and no name. No machine has a wildcard as its address."""
        address = _ip_address(self.host)
        return address is not None and not address.is_unspecified and not _is_ipv4_in_ipv6(address)


def authority(text: str) -> Authority | None:
    """The authority, as in a `Host` header; None if it is not one. One with a user is not one of HTTP."""
    found = _AUTHORITY.fullmatch(text.strip().lower())
    if found is None or len(text) > LONGEST_NAME + len("[]:65535"):
        return None
    port = int(found["port"]) if found["port"] else None
    return Authority(found["address"] or found["name"].removesuffix("."), port)


def is_wildcard(host: str) -> bool:
    """Whether a host stands for all addresses of a machine that listens on it, such as 0.0.0.0 and ::."""
    address = _ip_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and address.is_unspecified


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, which no other machine reaches under it."""
    address = _ip_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _ip_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_ipv4_in_ipv6(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is an IPv4 address as programs see it on an IPv6 socket, such as ::ffff:127.0.0.1."""
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


def is_same(origin: str, host: str) -> bool:
    """Whether an `Origin` is that of the request's `Host`: same host, same port.

    Their schemes may differ, because a proxy may have ended TLS. So a port that the `Host` does not have is the default
    one of the origin's scheme. The origin `null` is nobody's.
    """
    scheme, _, rest = origin.partition("://")
    theirs, ours = authority(rest), authority(host)
    if theirs is None or ours is None:
        return False
    default = DEFAULT_PORTS.get(scheme.lower())
    return (theirs.host, theirs.port or default) == (ours.host, ours.port or default)


def is_absolute(target: bytes) -> bool:
    """Whether a request target is a URL and not only a path (RFC 9112, section 3.2.2)."""
    return not target.startswith(b"/") and b"://" in target


def authority_in(target: bytes) -> bytes:
    """The authority of an absolute request target, which replaces that of `Host` (RFC 9112, section 3.2.2)."""
    return urlsplit(target).netloc
