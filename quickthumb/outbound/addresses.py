"""Which addresses are public. The list is explicit: `ipaddress.is_global` is true for addresses that lead inside, such
as those of NAT64 and 6to4, and differs between releases of Python.

Source: the IANA special-purpose address registries (RFC 6890), and the manuals of the large clouds.
"""

import ipaddress
from collections.abc import Iterable

from quickthumb.model.opening import Address


def _networks(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


INTERNAL_V4 = _networks(
    "0.0.0.0/8",  # this host
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # carrier-grade NAT; 100.100.100.200 is Alibaba's metadata server
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # Azure's virtual server
    "169.254.0.0/16",  # link-local; 169.254.169.254 is most clouds' metadata server
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is Oracle's metadata server
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
)

# Nothing else of IPv6 is public. So these are not: loopback, addresses that contain one of IPv4 (::ffff:0:0/96,
# 64:ff9b::/96, 64:ff9b:1::/48), unique local ones (fc00::/7, with Amazon's metadata server), link-local and multicast.
GLOBAL_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
INTERNAL_V6 = _networks(
    "2001::/23",  # protocol assignments, Teredo among them
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)


def is_public(address: Address) -> bool:
    """Whether the address belongs to a host on the public internet, as far as an address can tell."""
    if isinstance(address, ipaddress.IPv4Address):
        return not _is_in(address, INTERNAL_V4)
    return address in GLOBAL_UNICAST_V6 and not address.scope_id and not _is_in(address, INTERNAL_V6)


def _is_in(address: Address, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address in network for network in networks)
