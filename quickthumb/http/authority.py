"""Reads authorities, that is, a host with or without a port: those in `Host` and `Origin` headers."""

import ipaddress
import re
from dataclasses import dataclass
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
        """Whether the host is an IP address and not a name."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True


def authority(text: str) -> Authority | None:
    """The authority, as in a `Host` header; None if it is not one. One with a user is not one of HTTP."""
    found = _AUTHORITY.fullmatch(text.strip().lower())
    if found is None or len(text) > LONGEST_NAME + len("[]:65535"):
        return None
    port = int(found["port"]) if found["port"] else None
    return Authority(found["address"] or found["name"].removesuffix("."), port)


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
