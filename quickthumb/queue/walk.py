"""Looks for items that arq's queue has lost, and does not look at all of a long queue at a time."""

from collections.abc import AsyncIterator

from quickthumb.model.job import Status
from quickthumb.queue.index import Index

# How many entries of each index to look at in one go: 10,000 keep Redis busy for about 50 ms in all.
MOST_AT_A_TIME = 10_000


class Walk:
    """Goes round the items of one kind that have not ended. Each call of `missing` goes on where the last one ended."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._reached = {Status.WAITING: b"", Status.IN_PROGRESS: b""}

    async def missing(self) -> AsyncIterator[tuple[str, int]]:
        """Items in the next part of the indexes that arq's queue lacks: the id of each and, in ms, its creation time.

        One round trip for each batch. Raises QueueUnavailable when Redis is unreachable; the next call then looks at
        the same batch again, as it does when the caller breaks off.
        """
        for status, reached in self._reached.items():
            async for last, items in self._index.not_queued(status, reached, most=MOST_AT_A_TIME):
                for item in items:
                    yield item
                self._reached[status] = last
