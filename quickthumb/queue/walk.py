"""Goes through long indexes, a part at a time: for items that arq's queue has lost, and for items that have expired."""

from collections.abc import AsyncIterator

from quickthumb.model.caller import DEFAULT_TENANT
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


class Trimming:
    """Goes round the indexes of one kind, from their oldest entries on, and drops those of items that have expired.

    Redis deletes an expired record, but not the entries that lead to it. They cannot be dropped by age alone, since
    some items are kept for longer than others.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._reached: dict[str, bytes] = {}

    async def trim(self) -> None:
        """Looks at the next part of the indexes of all items, and of those of each tenant.

        One round trip for each batch. Raises QueueUnavailable when Redis is unreachable; the next call then goes on
        where this one was.
        """
        tenants = [DEFAULT_TENANT, *await self._index.tenants()]
        self._reached = {tenant: self._reached.get(tenant, b"") for tenant in tenants}
        for tenant, reached in self._reached.items():
            self._reached[tenant] = await self._index.trim(tenant, reached, most=MOST_AT_A_TIME)
