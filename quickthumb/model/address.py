"""Network addresses of clients, as limits count them."""

import ipaddress


def client_network(address: str) -> str:
    """Whom an address is counted for: itself, and for IPv6 its network of 64 bits, which is one customer's.

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
    return f"{ipaddress.IPv6Address(int(ip) >> 64 << 64)}/64"
