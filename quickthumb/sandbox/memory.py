"""Memory to be shared out: whoever decodes takes a share first, so that all together stay under a bound."""

import asyncio
from collections import deque


class Budget:
    """`total_bytes` to be shared out, first come, first served; a wish for more than there is, is granted alone.

    It belongs to one event loop.
    """

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._taken: set[Share] = set()
        self._waiting: deque[tuple[Share, asyncio.Future[None]]] = deque()

    @property
    def taken_bytes(self) -> int:
        return sum(share.size_bytes for share in self._taken)

    async def take(self, size_bytes: int) -> "Share":
        """Waits for its turn."""
        share, granted = Share(self, size_bytes), asyncio.get_running_loop().create_future()
        self._waiting.append((share, granted))
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not share)
            share.give_back()
            raise
        return share

    def _grant(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            share, granted = self._waiting.popleft()
            self._taken.add(share)
            if not granted.done():
                granted.set_result(None)

    def _fits(self, share: "Share") -> bool:
        return not self._taken or self.taken_bytes + share.size_bytes <= self._total


class Share:
    """Some of a budget, in bytes: to be given back once."""

    def __init__(self, budget: Budget, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._budget = budget
        self._is_written_off = False

    def write_off(self) -> None:
        """It may never be given back: from now on the others make do with what is left."""
        self._is_written_off = True
        self._budget._total -= self.size_bytes
        self._return()

    def give_back(self) -> None:
        if self._is_written_off:
            self._is_written_off = False
            self._budget._total += self.size_bytes
        self._return()

    def _return(self) -> None:
        self._budget._taken.discard(self)
        self._budget._grant()
