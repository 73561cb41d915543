"""How many requests one worker makes to one receiver at the same time, and when it makes none: a circuit breaker.

Whoever is turned away gets a turn: the longer requests to the receiver take, the further apart are the turns, so that a
thousand deliveries to a server that hangs cost next to nothing while they wait.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# How many requests to one receiver are under way at the same time. One that hangs must leave places to the others.
MOST_AT_ONCE = 4
# After this many failures in a row, no request is made for a while, which doubles with each further failure.
MOST_FAILURES = 5
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 600.0
# Turns at a busy receiver are at least so far apart, and at most so far ahead.
SHORTEST_TURN_SECONDS = 0.02
LONGEST_TURN_SECONDS = 60.0
# How much the latest request counts in the time that requests to a receiver usually take.
LATEST_SHARE = 0.3
# Receivers are forgotten once there are so many: clients may name any number.
MOST_HOSTS = 1000


@dataclass(frozen=True, slots=True)
class Receiver:
    """A port of a host, as one tenant uses it: no tenant can have requests of another held back."""

    tenant: str
    host: str
    port: int


@dataclass(slots=True)
class _Host:
    """What is known of a receiver: when the requests that are under way began, the earliest first, and the rest."""

    began: list[float] = field(default_factory=list)
    usual_seconds: float = 0.0
    next_turn: float = -math.inf
    failures: int = 0
    closed_until: float = -math.inf


class Hosts:
    """The receivers of this worker's requests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hosts: dict[Receiver, _Host] = {}

    def pause_seconds(self, receiver: Receiver) -> float:
        """How long to wait before a request to the receiver; 0 if it may be made now."""
        known = self._hosts.get(receiver)
        if known is None:
            return 0.0
        left_seconds = known.closed_until - self._clock()
        if left_seconds > 0:
            # One of them will find out whether the receiver is well again, so the others need not come at once.
            return left_seconds + random.uniform(0, min(left_seconds, LONGEST_TURN_SECONDS))  # noqa: S311
        return self._turn_in(known) if len(known.began) >= _most(known) else 0.0

    def _turn_in(self, known: _Host) -> float:
        """Reserves the next turn at a busy receiver. Returns the seconds until then."""
        now = self._clock()
        usual_seconds = max(known.usual_seconds, now - known.began[0])
        gap_seconds = max(SHORTEST_TURN_SECONDS, usual_seconds / _most(known))
        known.next_turn = min(max(now, known.next_turn) + gap_seconds, now + LONGEST_TURN_SECONDS)
        return known.next_turn - now

    @contextmanager
    def request(self, receiver: Receiver) -> Iterator[None]:
        """A request to the receiver is under way until the block ends."""
        known, began = self._known(receiver), self._clock()
        known.began.append(began)
        try:
            yield
        finally:
            known.began.remove(began)
            known.usual_seconds += LATEST_SHARE * (self._clock() - began - known.usual_seconds)

    def answered(self, receiver: Receiver) -> None:
        """The receiver has answered, whatever it said."""
        known = self._known(receiver)
        known.failures, known.closed_until = 0, -math.inf

    def failed(self, receiver: Receiver, asked_seconds: float = 0.0) -> None:
        """The receiver was not reached, or had too much to do and asks for a pause of `asked_seconds`."""
        known = self._known(receiver)
        known.failures += 1
        further = known.failures - MOST_FAILURES
        pause_seconds = asked_seconds
        if further >= 0:
            doubled_seconds = FIRST_PAUSE_SECONDS * 2.0 ** min(further, 10)
            pause_seconds = max(asked_seconds, min(LONGEST_PAUSE_SECONDS, doubled_seconds))
        known.closed_until = max(known.closed_until, self._clock() + pause_seconds)

    def _known(self, receiver: Receiver) -> _Host:
        if receiver not in self._hosts and len(self._hosts) >= MOST_HOSTS:
            self._hosts = {name: known for name, known in self._hosts.items() if known.began or known.failures}
            if len(self._hosts) >= MOST_HOSTS:
                self._hosts = {name: known for name, known in self._hosts.items() if known.began}
        return self._hosts.setdefault(receiver, _Host())


def _most(known: _Host) -> int:
    """How many requests at the same time. While a receiver fails, one at a time finds out whether it is well again."""
    return 1 if known.failures else MOST_AT_ONCE
