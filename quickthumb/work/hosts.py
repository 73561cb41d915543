"""How many requests one worker makes to one host, and when it stops making any: a circuit breaker for each host."""

import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# How many requests to one host are under way at the same time. A host that hangs must leave the others their places.
MOST_AT_ONCE = 2
# After this many failures in a row, no request is made for a while, which doubles with each further failure.
MOST_FAILURES = 5
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 600.0
# When to look again for a place at a busy host.
BUSY_SECONDS = 0.5
# Hosts are forgotten once there are so many: clients may name any number.
MOST_HOSTS = 1000


@dataclass(slots=True)
class _Host:
    under_way: int = 0
    failures: int = 0
    closed_until: float = -math.inf


class Hosts:
    """The hosts that this worker makes requests to."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def pause_seconds(self, host: str) -> float:
        """How long to wait before a request to the host; 0 if it may be made now."""
        known = self._hosts.get(host)
        if known is None:
            return 0.0
        left_seconds = known.closed_until - time.monotonic()
        if left_seconds > 0:
            return left_seconds + random.uniform(0, BUSY_SECONDS)  # noqa: S311 - only spreads them
        # After a pause, one request finds out whether the host is well again.
        most = 1 if known.failures >= MOST_FAILURES else MOST_AT_ONCE
        return BUSY_SECONDS if known.under_way >= most else 0.0

    @contextmanager
    def request(self, host: str) -> Iterator[None]:
        """A request to the host is under way until the block ends."""
        known = self._known(host)
        known.under_way += 1
        try:
            yield
        finally:
            known.under_way -= 1

    def went_well(self, host: str) -> None:
        """The host has answered as it should."""
        known = self._known(host)
        known.failures, known.closed_until = 0, -math.inf

    def failed(self, host: str) -> None:
        """The host was not reached, or has a fault."""
        known = self._known(host)
        known.failures += 1
        further = known.failures - MOST_FAILURES
        if further >= 0:
            pause_seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(further, 10))
            known.closed_until = time.monotonic() + pause_seconds

    def _known(self, host: str) -> _Host:
        if host not in self._hosts and len(self._hosts) >= MOST_HOSTS:
            self._hosts = {name: known for name, known in self._hosts.items() if known.under_way or known.failures}
            if len(self._hosts) >= MOST_HOSTS:
                self._hosts = {name: known for name, known in self._hosts.items() if known.under_way}
        return self._hosts.setdefault(host, _Host())
