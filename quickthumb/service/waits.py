"""How many requests may wait for their jobs at the same time, in this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from quickthumb.model.address import client_network


class Waits:
    """At most `most` requests wait, and at most `most_per_address` of one address, see `client_network`.

    A request that waits keeps a connection, and reads its job every second.
    """

    def __init__(self, most: int = 500, most_per_address: int = 64) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._waiting = 0
        self._per_network: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        """Whether there is no place for anybody."""
        return self._waiting >= self._most

    @contextmanager
    def place(self, address: str | None) -> Iterator[bool]:
        """Whether one more request, from this address, may wait; if so, it has its place until the block is left.

        Requests without an address, such as those through a Unix socket, are counted only in all.
        """
        network = client_network(address) if address else None
        if self.is_full or (network is not None and self._per_network[network] >= self._most_per_address):
            yield False
            return
        self._waiting += 1
        if network is not None:
            self._per_network[network] += 1
        try:
            yield True
        finally:
            self._waiting -= 1
            if network is not None:
                self._per_network[network] -= 1
                if not self._per_network[network]:
                    del self._per_network[network]
