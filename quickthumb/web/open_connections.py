"""The connections that are open in this process: how many there may be, in all and from one address."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from operator import itemgetter
from typing import Protocol

from quickthumb.config.sections import WebSettings
from quickthumb.model.address import client_network
from quickthumb.web.slow_readers import SlowReaders

log = logging.getLogger("quickthumb.web")

# Refused connections stay open for a moment, so that their clients can read why. Any beyond these are closed at once,
# and their clients may miss it.
MOST_LINGERING = 64
LOG_INTERVAL_SECONDS = 60.0

Exemption = Callable[[str], bool]


class Connection(Protocol):
    """What this module needs of a connection."""

    transport: asyncio.Transport

    @property
    def idle_since(self) -> float | None:
        """Since when every request is answered, by some clock; None while the connection is in use."""


def nobody(address: str) -> bool:
    """Exempts no address."""
    return False


class OpenConnections:
    """Counts connections from `enter` to `leave`, and costs nothing in between.

    At most `most` connections are open (MAX_CONNECTIONS if it is not given), and at most MAX_CONNECTIONS_PER_ADDRESS
    from one address, see `client_network`. Addresses that are `exempt`, and Unix sockets, have no limit of their own.
    When there is no room for a new connection, it takes the place of the one that has been idle longest.
    """

    def __init__(self, web: WebSettings, *, most: int | None = None, exempt: Exemption = nobody) -> None:
        self.slow_readers = SlowReaders(web.send_idle_seconds)
        self._most = web.max_connections if most is None else most
        self._most_per_address = web.max_connections_per_address
        self._exempt = exempt
        # Each connection with the network that it counts for, if any.
        self._open: dict[Connection, str | None] = {}
        self._per_network: Counter[str] = Counter()
        self._lingering: set[Connection] = set()
        self._logged_at = -LOG_INTERVAL_SECONDS

    def enter(self, connection: Connection, address: str | None) -> str | None:
        """Counts a new connection. Returns None, or one sentence that says why there is no room for it.

        `address` is that of the client, None for a Unix socket.
        """
        network = None if not address or self._exempt(address) else client_network(address)
        if network is not None and self._per_network[network] >= self._most_per_address and not self._freed(network):
            return self._refusal(
                f"this address has the most connections that it may have, {self._most_per_address}", address
            )
        if len(self._open) >= self._most and not self._freed(None):
            return self._refusal(f"the server has the most connections that it may have, {self._most}", address)
        self._open[connection] = network
        if network is not None:
            self._per_network[network] += 1
        self.slow_readers.look_after(self._open)
        return None

    def may_linger(self, connection: Connection) -> bool:
        """Whether a refused connection may stay open for a moment, until it `leave`s."""
        if len(self._lingering) >= MOST_LINGERING:
            return False
        self._lingering.add(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """The connection is closed."""
        self._lingering.discard(connection)
        self.slow_readers.forget(connection)
        network = self._open.pop(connection, None)
        if network is not None:
            self._per_network[network] -= 1
            if not self._per_network[network]:
                del self._per_network[network]

    def _freed(self, network: str | None) -> bool:
        """Closes the connection that has been idle longest, of the network if one is given. False if there is none."""
        idle = [
            (since, connection)
            for connection, of in self._open.items()
            if (since := connection.idle_since) is not None
            and (network is None or of == network)
            and not connection.transport.get_write_buffer_size()
        ]
        if not idle:
            return False
        _, longest = min(idle, key=itemgetter(0))
        self.leave(longest)
        longest.transport.close()
        return True

    def _refusal(self, reason: str, address: str | None) -> str:
        now = time.monotonic()
        if now - self._logged_at >= LOG_INTERVAL_SECONDS:
            self._logged_at = now
            log.warning("Refused a connection from %s: %s", address or "a local client", reason)
        return f"{reason[0].upper()}{reason[1:]}."
