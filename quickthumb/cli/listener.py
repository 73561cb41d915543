"""The host and port that the web process listens on: whether they are free, their URL, and whether it answers."""

import asyncio
import errno
import os
import socket

from quickthumb.cli.command import UserMistake
from quickthumb.http.authority import is_wildcard

ANSWER_SECONDS = 2.0


def free_port(host: str, port: int) -> int:
    """Check that `host` and `port` are free, and return the port; for 0, a free one. Raises UserMistake if not."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            port = _bound_port(family, kind, protocol, (address[0], port, *address[2:]))
    except OSError as error:
        raise UserMistake(_why_not(host, port, error)) from None
    return port


def url(host: str, port: int) -> str:
    """The URL to open in a browser on this machine."""
    return f"http://{_host_and_port(_to_connect_to(host), port)}/"


async def answers(host: str, port: int, path: str) -> bool:
    """Whether the web process answers a GET of `path` with 200."""
    host = _to_connect_to(host)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await _status_line(host, port, path) == b"200"
    except (OSError, TimeoutError):
        return False


def _to_connect_to(host: str) -> str:
    """The host itself, or the loopback address for a wildcard: the service does not answer to those."""
    if host and not is_wildcard(host):
        return host
    return "::1" if ":" in host and not host.lower().startswith("::ffff:") else "127.0.0.1"


async def _status_line(host: str, port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {_host_and_port(host, port)}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        words = (await reader.readline()).split(maxsplit=2)
        return words[1] if len(words) > 1 else b""
    finally:
        writer.close()


def _bound_port(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> int:
    with socket.socket(family, kind, protocol) as probe:
        if os.name == "posix":  # as servers do, so that connections of the last run do not block the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])


def _host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _why_not(host: str, port: int, error: OSError) -> str:
    where = _host_and_port(host, port)
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program; stop it, or choose another port with --port."
    return f"Cannot listen on {where}: {error.strerror or error}; choose another with --host and --port."
