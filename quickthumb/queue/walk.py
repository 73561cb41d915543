"""Goes through long indexes, a part at a time: for items that arq's queue has lost, and for items that have expired."""

from collections.abc import AsyncIterator

from quickthumb.model.job import Status
from quickthumb.queue.index import Index

# How many entries of each index to look at in one go: 10,000 keep Redis busy for about 50 ms in all.
MOST_AT_A_TIME = 10_000
# How many lists of tenants and tags to look at in one go, each in one round trip or more: clients may use any number of
# tags.
MOST_LISTS = 2_000
# The list of all items has no name.
ALL = ""


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


class Trimming:
    """Goes round the indexes of one kind, from their oldest entries on, and drops those of items that have expired.

    Redis deletes an expired record, but not the entries that lead to it. They cannot be dropped by age alone, since
    some items are kept for longer than others.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        # Where to go on in the lists that were not looked through to their ends, and after which list to go on.
        self._reached: dict[str, bytes] = {}
        self._last_list = ""

    async def trim(self) -> None:
        """Looks at the next part of the indexes of all items, and of those of the next MOST_LISTS lists.

        One round trip for each batch. Raises QueueUnavailable when Redis is unreachable; the next call then goes on
        where this one was.
        """
        await self._trim(ALL)
        names = await self._index.lists(self._last_list, most=MOST_LISTS)
        for name in names:
            await self._trim(name)
            self._last_list = name
        if len(names) < MOST_LISTS:
            self._last_list = ""

    async def _trim(self, name: str) -> None:
        last = await self._index.trim(name, self._reached.get(name, b""), most=MOST_AT_A_TIME)
        if last:
            self._reached[name] = last
        else:
            self._reached.pop(name, None)
