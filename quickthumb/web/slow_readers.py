"""Closes the connections of clients that do not read their answers.

An answer that its client does not take fills the buffers of the system and then one of this process, and stays there,
together with the connection and the open file. A client that is only slow takes a little now and then.
"""

import asyncio
import contextlib
import logging
import socket
import struct
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger("quickthumb.web")

# How often to look within the time that a client has.
LOOKS = 4


class Connection(Protocol):
    """What this module needs of a connection."""

    transport: asyncio.Transport


@dataclass
class _Sight:
    """How much of an answer was still to be taken, and since when it has been as much, by the clock of the loop."""

    unsent_bytes: int
    since: float


class SlowReaders:
    """Aborts each connection whose client takes no byte of what is to be sent for `idle_seconds`, or up to half as long
    again.

    Connections whose client takes everything at once cost nothing but a glance every now and then.
    """

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._seen: dict[Connection, _Sight] = {}
        self._looking = False

    def look_after(self, connections: Collection[Connection]) -> None:
        """Looks at the connections now and then, until there are none."""
        if not self._looking:
            self._looking = True
            self._look_later(connections)

    def drained(self, connection: Connection) -> None:
        """The client has taken so much of the answer that more may be written."""
        if self._seen.pop(connection, None) is not None:
            connection.transport.set_write_buffer_limits()

    def forget(self, connection: Connection) -> None:
        """The connection is closed."""
        self._seen.pop(connection, None)

    def _look_later(self, connections: Collection[Connection]) -> None:
        asyncio.get_running_loop().call_later(self._idle_seconds / LOOKS, self._look, connections)

    def _look(self, connections: Collection[Connection]) -> None:
        if not connections:
            self._looking = False
            return
        now = asyncio.get_running_loop().time()
        for connection in tuple(connections):
            if connection.transport.get_write_buffer_size():
                self._look_at(connection, now)
        self._look_later(connections)

    def _look_at(self, connection: Connection, now: float) -> None:
        transport = connection.transport
        unsent = transport.get_write_buffer_size() + _bytes_in_system(transport)
        sight = self._seen.get(connection)
        if sight is None:
            # From now on the application may write more only once everything is taken, and then `drained` is called.
            # So until then, a number that stays the same means that nothing was taken.
            self._seen[connection] = _Sight(unsent, now)
            transport.set_write_buffer_limits(high=0)
        elif sight.unsent_bytes != unsent:
            self._seen[connection] = _Sight(unsent, now)
        elif now - sight.since >= self._idle_seconds:
            log.info("Closed a connection whose client took nothing of an answer for %g s", self._idle_seconds)
            _cut(transport)


def _cut(transport: asyncio.Transport) -> None:
    """Closes the connection and drops what is unsent. Without the option, the system would keep its part of that and
    offer it to the client for minutes."""
    with contextlib.suppress(OSError):
        # On, and wait for 0 s (POSIX, struct linger).
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _bytes_in_system(transport: asyncio.Transport) -> int:
    """What the system has accepted, but the client's system has not confirmed; 0 where only Linux could tell. A client
    that takes its bytes slowly may need minutes until there is room for the next of ours, but this number moves all the
    time."""
    if sys.platform != "linux":
        return 0
    import fcntl
    import termios

    number = struct.Struct("i")
    try:
        answer = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(number.size))
    except OSError:
        return 0
    return int(number.unpack(answer)[0])
