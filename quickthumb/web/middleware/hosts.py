"""Answers only requests for hosts that are this service's own.

A page can make a browser send requests to any address, and by DNS rebinding it can make its own name lead there, so
that the browser takes the service for a part of the page's site. But the browser then sends that name as `Host`. So
names must be known. IP addresses cannot be rebound: whoever is at an address is the only one with that address.

That is not so for 0.0.0.0 and ::, which lead every browser to its own machine, and ::ffff:127.0.0.1 leads there in
disguise. Browsers do not take them for their own machine: they leave out `Sec-Fetch-Site`, by which `OriginCheck` tells
the images and links of strangers' pages from programs.
"""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from starlette.types import ASGIApp, Receive, Scope, Send

from quickthumb.http.authority import authority, is_wildcard
from quickthumb.http.errors import HostNotAllowed
from quickthumb.http.problems import problem
from quickthumb.http.urls import urls_in

LOCALHOST = "localhost"
ANY = "*"
LONGEST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that the service answers to: every IP address of a machine, `localhost`, names and wildcards.

    A wildcard such as `*.example.org` stands for every name below example.org.
    """

    names: frozenset[str]
    suffixes: tuple[str, ...]
    any_host: bool = False

    @classmethod
    def of(cls, allowed: Iterable[str], *, listens_on: str, needs_keys: bool) -> Self:
        """The hosts for the settings ALLOWED_HOSTS and HOST.

        If nobody can use the service without a key, which strangers' pages do not have, it answers to any host unless
        ALLOWED_HOSTS says otherwise. To listen on 0.0.0.0 is no reason to answer to it.
        """
        words = [word.lower().removesuffix(".") for word in allowed]
        own = () if is_wildcard(listens_on) else (listens_on.lower(),)
        return cls(
            names=frozenset({LOCALHOST, *own, *words}),
            suffixes=(f".{LOCALHOST}", *(word[1:] for word in words if word.startswith("*."))),
            any_host=ANY in words or (needs_keys and not words),
        )

    def admits(self, host: str) -> bool:
        """Whether the service answers to a `Host` header. A client before HTTP/1.1 has none, or an empty one."""
        if self.any_host or not host:
            return True
        asked = authority(host)
        if asked is None:
            return False
        return asked.host in self.names or asked.host.endswith(self.suffixes) or asked.is_address


ONLY_LOCAL = Hosts.of((), listens_on=LOCALHOST, needs_keys=False)


class HostCheck:
    """ASGI middleware: answers requests for other hosts with 421, before anything reads their body."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        # Nearly all requests name the same few hosts.
        self._admits = lru_cache(maxsize=64)(hosts.admits)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine of its own, so that requests do not pay for it.
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"host" and not self._admits(value.decode("latin-1")):
                    return problem(_refusal(value), urls_in(scope))(scope, receive, send)
        return self._app(scope, receive, send)


def _refusal(host: bytes) -> HostNotAllowed:
    shown = ascii(host[:LONGEST_SHOWN].decode("latin-1"))
    return HostNotAllowed(
        f"This service does not answer to the host {shown}. If it should, add the host's name to the setting "
        "ALLOWED_HOSTS."
    )
