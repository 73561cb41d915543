"""Memory for decoding: a budget that all renderings share, and returning freed memory to the operating system."""

import asyncio
import ctypes
import functools
import sys
import threading
from collections import deque
from collections.abc import Callable


class Budget:
    """Shares out `total_bytes`, first come, first served; and to small requests a reserve of `reserve_bytes` beyond it.

    Small requests overtake large ones that wait, but only within the reserve; so what large shares give back goes to
    the large request that waits. Together, the shares take at most the total and the reserve. A large request for more
    than is left of the total is granted once no other large share is taken: the rest may be abandoned for good.

    For use within one event loop, except `Share.take`.
    """

    def __init__(self, total_bytes: int, reserve_bytes: int = 0) -> None:
        self.total_bytes = total_bytes
        self._left = total_bytes
        self._lock = threading.Lock()
        self._reserve = reserve_bytes
        self._taken: set[Share] = set()
        self._waiting: dict[bool, deque[tuple[Share, asyncio.Future[None]]]] = {True: deque(), False: deque()}

    @property
    def taken_bytes(self) -> int:
        with self._lock:
            return sum(self._taken_by())

    @property
    def large_waiting(self) -> int:
        """How many large requests are waiting."""
        return len(self._waiting[True])

    def has_room(self, size_bytes: int) -> bool:
        """Whether a large request would be granted at once."""
        with self._lock:
            return not self._waiting[True] and self._fits_large(size_bytes)

    def open_share(self) -> "Share":
        """A small share of nothing yet, for work that finds out in its thread what it needs: see `Share.take`."""
        return Share(self, 0, is_large=False)

    async def acquire(self, size_bytes: int, *, is_large: bool = True) -> "Share":
        """Waits until a share of `size_bytes` is granted, and returns it. A cancelled call takes nothing."""
        share, granted = Share(self, size_bytes, is_large), asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting[is_large].append((share, granted))
            self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            with self._lock:
                self._waiting[is_large] = deque(entry for entry in self._waiting[is_large] if entry[0] is not share)
            share.release()
            raise
        return share

    def _grant(self) -> None:
        for is_large, fits in ((True, self._fits_large), (False, self._fits_small)):
            waiting = self._waiting[is_large]
            while waiting and fits(waiting[0][0].size_bytes):
                share, granted = waiting.popleft()
                self._taken.add(share)
                if not granted.done():
                    granted.set_result(None)

    def _fits_large(self, size_bytes: int) -> bool:
        large, small = self._taken_by()
        beyond = max(0, small - self._reserve)
        return large + beyond + size_bytes <= self._left or not (large or beyond)

    def _fits_small(self, size_bytes: int) -> bool:
        large, small = self._taken_by()
        if small + size_bytes <= self._reserve or not self._taken:
            return True
        return not self._waiting[True] and large + small + size_bytes - self._reserve <= self._left

    def _taken_by(self) -> tuple[int, int]:
        """The bytes of the large shares and of the small ones."""
        large = sum(share.size_bytes for share in self._taken if share.is_large)
        return large, sum(share.size_bytes for share in self._taken) - large


class Share:
    """A granted part of a budget. Its holder must release it once."""

    def __init__(self, budget: Budget, size_bytes: int, is_large: bool) -> None:
        self.size_bytes = size_bytes
        self.is_large = is_large
        self._budget = budget
        self._is_abandoned = False

    def take(self, size_bytes: int) -> bool:
        """Fills a share that was opened with nothing, if that needs no wait and overtakes nobody. Returns False, with
        nothing taken, if not, or if the share was abandoned. Safe to use from any thread."""
        budget = self._budget
        with budget._lock:
            if self._is_abandoned or budget._waiting[False] or not budget._fits_small(size_bytes):
                return False
            self.size_bytes = size_bytes
            budget._taken.add(self)
            return True

    def abandon(self) -> None:
        """Shrinks the budget by this share until `release`: an abandoned thread still holds the memory."""
        with self._budget._lock:
            self._is_abandoned = True
            self._budget._left -= self.size_bytes
            self._return()

    def release(self) -> None:
        with self._budget._lock:
            if self._is_abandoned:
                self._is_abandoned = False
                self._budget._left += self.size_bytes
            self._return()

    def _return(self) -> None:
        self._budget._taken.discard(self)
        self._budget._grant()


def trim() -> None:
    """Returns memory that any thread has freed to the operating system, where the C library can do that (glibc).

    glibc keeps freed memory for the thread that freed it. A worker with four threads that rendered PNGs of 100
    megapixels one at a time stayed at 1.6 GB, of which it used 50 MB. Telling glibc never to keep large blocks
    (M_MMAP_THRESHOLD) makes ordinary images take 50 % more CPU time; trimming after large images costs nothing
    measurable.
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
