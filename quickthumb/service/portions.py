"""Requests are counted in portions: a process takes some ahead, so that a large quota costs a round trip only now and
then, and a client that floods the service costs none."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from quickthumb.model.quota import Policy, Standing
from quickthumb.queue.errors import QueueUnavailable, QuotaExceeded
from quickthumb.queue.quotas import Demand, QuotaStore

# A portion is at most this share of a quota, and lasts for one window.
SHARE = 50
PORTION_SECONDS = 60.0
# After Redis could not be reached, nothing is counted for so long.
AWAY_SECONDS = 1.0
# How many callers a process remembers. What it forgets is lost to them: at most a portion.
MOST_REMEMBERED = 10_000


@dataclass(slots=True)
class _Stock:
    """What this process has for a caller until a moment of the monotonic clock: some requests, or only a refusal."""

    standings: list[Standing]
    left: int
    until: float


class Portions:
    """The requests that this process may still let through. Without a store, all."""

    def __init__(self, store: QuotaStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._stocks: dict[tuple[Policy, ...], _Stock] = {}
        self._away_until = 0.0

    async def take(self, policies: tuple[Policy, ...]) -> list[Standing]:
        """Counts one request against all of these policies. Raises QuotaExceeded.

        While Redis is away, counts nothing and returns nothing: what needs Redis says so by itself.
        """
        stock = self._stocks.get(policies)
        if stock is None or stock.until <= self._clock() or (stock.left == 0 and _admitted(stock.standings)):
            if self._clock() < self._away_until:
                return []
            try:
                stock = await self._stocked(policies)
            except QueueUnavailable:
                self._away_until = self._clock() + AWAY_SECONDS
                return []
        if not _admitted(stock.standings):
            raise QuotaExceeded([self._as_of_now(standing, stock) for standing in stock.standings])
        stock.left -= 1
        return [replace(standing, remaining=standing.remaining + stock.left) for standing in stock.standings]

    async def _stocked(self, policies: tuple[Policy, ...]) -> _Stock:
        """The stock for these policies, filled up with what Redis gives."""
        if len(self._stocks) >= MOST_REMEMBERED:
            self._stocks.clear()
        portion = max(1, min(policy.most for policy in policies) // SHARE)
        asked_at = self._clock()
        standings = await self._asked(policies, portion)
        if portion > 1 and not _admitted(standings):
            portion = 1
            standings = await self._asked(policies, portion)
        if not _admitted(standings):
            waits = [standing.wait_seconds or 0 for standing in standings if not standing.admitted]
            stock = _Stock(standings, 0, asked_at + max(waits))
        else:
            # Another request of the same caller may have filled it up in the meantime.
            before = self._stocks.get(policies)
            left = before.left if before is not None and before.until > asked_at else 0
            stock = _Stock(standings, left + portion, asked_at + PORTION_SECONDS)
        self._stocks[policies] = stock
        return stock

    async def _asked(self, policies: Sequence[Policy], portion: int) -> list[Standing]:
        return await self._store.take([Demand(policy, portion) for policy in policies])

    def _as_of_now(self, standing: Standing, stock: _Stock) -> Standing:
        if standing.admitted:
            return standing
        return replace(standing, wait_seconds=max(0.0, stock.until - self._clock()))


def _admitted(standings: Sequence[Standing]) -> bool:
    return all(standing.admitted for standing in standings)
