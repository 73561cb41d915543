"""Memory for decoding: a budget that bounds all renderings together, and returning freed memory to the system."""

import asyncio
import ctypes
import functools
import sys
from collections import deque
from collections.abc import Callable


class Budget:
    """Shares out `total_bytes`, first come, first served.

    A request for more than the total is granted once nothing else is taken. For one event loop.
    """

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._taken: set[Share] = set()
        self._waiting: deque[tuple[Share, asyncio.Future[None]]] = deque()

    @property
    def taken_bytes(self) -> int:
        return sum(share.size_bytes for share in self._taken)

    async def acquire(self, size_bytes: int) -> "Share":
        """Waits until the share is granted. A cancelled call takes nothing."""
        share, granted = Share(self, size_bytes), asyncio.get_running_loop().create_future()
        self._waiting.append((share, granted))
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not share)
            share.release()
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
    """Part of a budget. Whoever acquires it releases it once."""

    def __init__(self, budget: Budget, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._budget = budget
        self._is_abandoned = False

    def abandon(self) -> None:
        """Shrinks the budget by this share, until it is released: an abandoned thread still holds the memory."""
        self._is_abandoned = True
        self._budget._total -= self.size_bytes
        self._return()

    def release(self) -> None:
        if self._is_abandoned:
            self._is_abandoned = False
            self._budget._total += self.size_bytes
        self._return()

    def _return(self) -> None:
        self._budget._taken.discard(self)
        self._budget._grant()


def trim() -> None:
    """Returns the memory that all threads have freed to the system, where the C library can (glibc).

    glibc keeps freed memory for the thread that freed it: with four threads and PNGs of 100 megapixels, one at a time,
    a worker stayed at 1.6 GB and used 50 MB of it. Telling glibc never to keep large blocks (M_MMAP_THRESHOLD) costs
    ordinary images half as much processor time again; trimming after large ones costs nothing measurable.
    """
    _malloc_trim()(0)


@functools.cache
def _malloc_trim() -> Callable[[int], object]:
    if sys.platform == "linux":
        try:
            return ctypes.CDLL(None).malloc_trim
        except AttributeError:  # musl, which keeps little
            pass
    return lambda _: None
