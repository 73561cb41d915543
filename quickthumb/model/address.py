"""Network addresses of clients, as limits count them."""

import ipaddress


def client_network(address: str) -> str:
    """Whom an address is counted for: itself, but for a public IPv6 address its network of 64 bits, which is one
    customer's.

    What is no IP address is returned as it is.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    if not ip.is_global:
        return str(ip)
    return f"{ipaddress.IPv6Address(int(ip) >> 64 << 64)}/64"
