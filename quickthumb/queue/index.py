"""Items of one kind in Redis: each item's record, its places in the indexes, and its entry in arq's queue.

Each change is one script, which keeps the three consistent.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from redis.asyncio import Redis

from quickthumb.model.job import Status
from quickthumb.model.priority import Priority
from quickthumb.queue.codec import KEPT_SECONDS, LISTS, dump, entry_for, flat, tenant_in
from quickthumb.queue.connection import ask, translated
from quickthumb.queue.errors import QuotaExceeded
from quickthumb.queue.idempotency import IdempotencyRecord
from quickthumb.queue.keys import IDEMPOTENCY_SECONDS, JOB, KEYS, OLD_QUEUE, WAKE_SECONDS, Keys, Kind, in_redis
from quickthumb.queue.quotas import Demand, refused
from quickthumb.queue.script import RegisteredScript

# How many entries a script looks at. Redis does nothing else meanwhile, for about a millisecond.
BATCH = 200
# How far to look into the queue of an older release, which other applications may fill.
OLD_QUEUE_MOST = 10_000


class Added(IntEnum):
    """The result of adding an item."""

    NEW = 1
    KNOWN = 0
    FULL = -1


@dataclass(frozen=True, slots=True)
class Lost:
    """An item that Redis has lost, as the storage has it: WAITING, or as it ended at `finished_ms` (else 0).

    `run_at_ms` is when it is due; None for at once.
    """

    id: str
    created_ms: int
    status: Status
    finished_ms: int
    fields: Mapping[str, str]
    counted_for: str = ""
    run_at_ms: int | None = None


class Index:
    """The items of one kind. Every method is one round trip, unless it says otherwise.

    All raise QueueUnavailable when Redis is unreachable or answers with an error.
    """

    def __init__(self, redis: Redis, kind: Kind, keys: Keys = KEYS) -> None:
        self.kind = kind
        self._redis = redis
        self._keys = keys
        self._add = RegisteredScript(redis, "add")
        self._restore = RegisteredScript(redis, "restore")
        self._requeue = RegisteredScript(redis, "requeue")
        self._reopen = RegisteredScript(redis, "reopen")
        self._amend = RegisteredScript(redis, "amend")
        self._cancel = RegisteredScript(redis, "cancel")
        self._remove = RegisteredScript(redis, "remove")
        self._adopt = RegisteredScript(redis, "adopt")
        self._statuses = RegisteredScript(redis, "statuses")
        self._trim = RegisteredScript(redis, "trim")
        self._retain = RegisteredScript(redis, "retain")
        self._find_missing = RegisteredScript(redis, "missing")

    async def add(
        self,
        item_id: str,
        created_ms: int,
        fields: Mapping[str, str],
        *,
        most: int = 0,
        is_large: bool = False,
        size_bytes: int = 0,
        run_at_ms: int | None = None,
        use: IdempotencyRecord | None = None,
        counted: Sequence[Demand] = (),
    ) -> Added:
        """Adds a new item and queues it, both or neither, unless `most` items have not ended yet (0: no limit).

        It is due at `run_at_ms`, or at once. An `is_large` one is known to be large. The `size_bytes` count in the
        totals of its tenant. With `use`, also stores that idempotency record. Adding an item again changes nothing.
        With `counted`, counts it against these quotas; raises QuotaExceeded if one has too little room.
        """
        async with translated():
            added = await self._add(
                self._keys.places(self.kind, item_id),
                idempotency=self._keys.idempotency(use.key) if use else None,
                id=item_id,
                created_ms=created_ms,
                entry=entry_for(self.kind, item_id, created_ms),
                waiting_seconds=self.kind.waiting_seconds,
                index_seconds=self._index_seconds(fields, run_at_ms),
                wake_seconds=WAKE_SECONDS,
                most=most,
                is_large=int(is_large),
                used_for=use.written() if use else "",
                used_seconds=IDEMPOTENCY_SECONDS,
                counted_for=" ".join(demand.policy.counted for demand in counted),
                room=dump([_room(demand) for demand in counted]) if counted else "",
                names=fields.get(LISTS, ""),
                size_bytes=size_bytes,
                run_at_ms=_or_empty(run_at_ms),
                fields=flat(fields),
            )
        if added < Added.FULL:
            raise QuotaExceeded([refused(counted[Added.FULL - added - 1].policy)])
        return Added(added)

    async def fields(self, item_id: str) -> dict[bytes, bytes]:
        """The record of an item; empty if there is none."""
        async with translated():
            found: list[bytes] = await ask(self._redis, "HGETALL", self._keys.record(self.kind, item_id))
        return dict(zip(found[::2], found[1::2], strict=True))

    async def restore(self, items: Sequence[Lost]) -> list[bool]:
        """Restores items, and queues those that have not ended. Returns for each whether it was restored: False when
        Redis knows it, or when its retention time is over.

        Redis does nothing else meanwhile, for about 20 µs an item.
        """
        async with translated():
            restored = await self._restore(
                self._keys.places(self.kind, ""),
                record_prefix=self._keys.record(self.kind, ""),
                call_prefix=self._keys.call(""),
                waiting_seconds=self.kind.waiting_seconds,
                wake_seconds=WAKE_SECONDS,
                items=dump([self._written(item) for item in items]),
            )
        return list(map(bool, restored))

    def _written(self, item: Lost) -> list[str | list[str]]:
        """The item as `restore.lua` reads it: all numbers as text, which Lua would round."""
        entry = "" if item.status.ended else entry_for(self.kind, item.id, item.created_ms).decode()
        created_ms = str(item.created_ms)
        fields = flat({**item.fields, "status": item.status, "created_ms": created_ms})
        names = item.fields.get(LISTS, "")
        kept_seconds, source_seconds = self._kept_seconds(item.fields), self.kind.kept_source_seconds(tenant_in(names))
        times = [str(kept_seconds), str(source_seconds), _or_empty(item.run_at_ms)]
        return [
            item.id,
            created_ms,
            item.status,
            str(item.finished_ms),
            entry,
            *times,
            names,
            fields,
            item.counted_for,
        ]

    def _index_seconds(self, fields: Mapping[str, str], run_at_ms: int | None) -> int:
        """The longest time that an item with these fields can live."""
        ahead_seconds = 0 if run_at_ms is None else self.kind.ahead_seconds
        return ahead_seconds + self.kind.waiting_seconds + self._kept_seconds(fields)

    def _kept_seconds(self, fields: Mapping[str, str]) -> int:
        """How long an item with these fields lives after its end."""
        return int(fields.get(KEPT_SECONDS, 0)) or self.kind.kept_seconds(tenant_in(fields.get(LISTS, "")))

    async def requeue(self, item_id: str, created_ms: int) -> bool:
        """Queues an item that has not ended and is missing in arq's queue. Returns False when it has ended, is unknown
        or is not missing."""
        async with translated():
            return bool(
                await self._requeue(
                    self._keys.places(self.kind, item_id),
                    created_ms=created_ms,
                    **self._queueing(item_id, created_ms),
                )
            )

    async def reopen(self, item_id: str, created_ms: int) -> bool:
        """Queues a FAILED item again, without its strikes. Returns False when the item is not FAILED.

        An item that had more than one strike keeps one: since it went to the sandbox before, it goes there again.
        """
        async with translated():
            return bool(
                await self._reopen(
                    self._keys.places(self.kind, item_id),
                    retention_seconds=self.kind.longest_kept_seconds,
                    **self._queueing(item_id, created_ms),
                )
            )

    async def amend(
        self, item_id: str, number: int, priority: Priority, *, reschedules: bool, run_at_ms: int | None
    ) -> bool:
        """Changes the priority of a WAITING item and, if it `reschedules`, when it is due: None means at once. Of
        several changes, the one with the highest `number` stands. Returns False when the item is not WAITING."""
        async with translated():
            return bool(
                await self._amend(
                    self._keys.places(self.kind, item_id),
                    id=item_id,
                    kind=self.kind.name,
                    number=number,
                    priority=priority,
                    reschedules=int(reschedules),
                    run_at_ms=_or_empty(run_at_ms),
                    waiting_seconds=self.kind.waiting_seconds,
                    wake_seconds=WAKE_SECONDS,
                    retention_seconds=self.kind.longest_kept_seconds,
                )
            )

    async def cancel(self, item_id: str, finished_ms: int, *, tenant: str | None = None) -> bool:
        """Cancels an item that has not ended, and takes it out of the queue. It then lives for the retention time of
        `tenant`, unless its record says how long it is to be kept. Returns False when it has ended or is unknown."""
        async with translated():
            return bool(
                await self._cancel(
                    self._keys.places(self.kind, item_id),
                    id=item_id,
                    finished_ms=finished_ms,
                    retention_seconds=self.kind.kept_seconds(tenant),
                    source_seconds=self.kind.kept_source_seconds(tenant),
                )
            )

    async def remove(self, item_id: str) -> bool:
        """Forgets an item, whatever its status, and takes it out of the queue. Returns False if there was none."""
        async with translated():
            return bool(await self._remove(self._keys.places(self.kind, item_id), id=item_id))

    async def statuses(self, item_ids: Sequence[str]) -> list[Status | None]:
        """The status of each item; None for an item that Redis does not know."""
        async with translated():
            found = await self._statuses(record_prefix=self._keys.record(self.kind, ""), ids=dump(list(item_ids)))
        return [Status(status.decode()) if status else None for status in found]

    async def adopt(self) -> int:
        """Moves the items of this kind that an older release queued, in arq's default queue, to the present queue.
        Returns how many. Entries of other applications stay there.

        Two round trips for each batch of that queue, which is usually empty.
        """
        moved = passed = 0
        while self._keys.queue != OLD_QUEUE and passed < OLD_QUEUE_MOST:
            async with translated():
                found = await self._redis.zrange(OLD_QUEUE, passed, passed + BATCH - 1)
            if not found:
                break
            item_ids = [entry.decode(errors="replace") for entry in found]
            async with translated():
                adopted = await self._adopt(
                    old_queue=OLD_QUEUE,
                    queue=self._keys.queue,
                    wake=self._keys.wake,
                    records=[self._keys.record(self.kind, item_id) for item_id in item_ids],
                    wake_seconds=WAKE_SECONDS,
                    ids=item_ids,
                )
            moved += adopted
            passed += len(found) - adopted
        return moved

    async def not_queued(
        self, status: Status, last: bytes, *, most: int
    ) -> AsyncIterator[tuple[bytes, list[tuple[str, int]]]]:
        """Looks at up to `most` items that are listed with this status, from the entry after `last` on (b"": from the
        oldest one on), for items missing in arq's queue.

        One round trip for each batch, in which Redis looks through it. For each batch: its last entry, or b"" at the
        end of the list; and the id and, in ms, the creation time of each missing item.
        """
        for _ in range(0, most, BATCH):
            async with translated():
                last, *entries = await self._find_missing(
                    index=self._keys.index(self.kind, status),
                    queue=self._keys.queue,
                    call_prefix=self._keys.call(""),
                    last=last,
                    most=BATCH,
                )
            yield last, [_named(entry) for entry in entries]
            if not last:
                break

    async def lists(self, after: str, *, most: int) -> list[str]:
        """Up to `most` names of lists of tenants and of tags, those that follow `after` ("": from the first one on).
        Only jobs have any."""
        if self.kind.name != JOB.name:
            return []
        first = f"({after}" if after else "-"
        async with translated():
            found: list[bytes] = await ask(
                self._redis, "ZRANGE", self._keys.lists, first, "+", "BYLEX", "LIMIT", 0, most
            )
        return [name.decode() for name in found]

    async def trim(self, name: str, last: bytes, *, most: int) -> bytes:
        """Looks at up to `most` items in the indexes of a list ("": in those of all), from the entry after `last` on
        (b"": from the oldest one on), for entries of items that have expired, and drops them.

        One round trip for each batch. Returns the last entry that it looked at, or b"" at the end: at the first item
        that is too young to have expired by itself.
        """
        for _ in range(0, most, BATCH):
            async with translated():
                last, _ = await self._trim(
                    index=self._keys.list_index(self.kind, name),
                    lists=self._keys.lists,
                    record_prefix=self._keys.record(self.kind, ""),
                    last=last,
                    most=BATCH,
                    oldest_seconds=self.kind.surely_alive_seconds,
                    name=name,
                )
            if not last:
                break
        return last

    async def retain(self, between: Callable[[], Awaitable[object]]) -> None:
        """Has the records of all items that have ended expire by the retention times of the kind, which may not be
        those that counted when they ended, and the indexes live for as long as all items can.

        One round trip for each batch, after which it calls `between`.
        """
        # The default tenant's items do not name it.
        times = {"": self.kind.kept_seconds(), **{of: in_redis(seconds) for of, seconds in self.kind.tenants_seconds}}
        for status in Status:
            last = b""
            while True:
                async with translated():
                    last = await self._retain(
                        index=self._keys.index(self.kind),
                        record_prefix=self._keys.record(self.kind, ""),
                        status=status,
                        last=last,
                        most=BATCH,
                        waiting_seconds=self.kind.waiting_seconds,
                        retention_seconds=in_redis(self.kind.retention_seconds),
                        tenants_seconds=dump(times),
                    )
                if not last:
                    break
                await between()

    def _queueing(self, item_id: str, created_ms: int) -> dict[str, str | int | bytes]:
        return {
            "id": item_id,
            "entry": entry_for(self.kind, item_id, created_ms),
            "waiting_seconds": self.kind.waiting_seconds,
            "wake_seconds": WAKE_SECONDS,
        }


def _room(demand: Demand) -> tuple[str, int, int]:
    return demand.policy.counted, demand.policy.most, demand.amount


def _or_empty(moment_ms: int | None) -> str:
    return "" if moment_ms is None else str(moment_ms)


def _named(entry: bytes) -> tuple[str, int]:
    """The id and, in ms, the creation time that an entry of an index consists of."""
    created_ms, _, item_id = entry.decode().partition(":")
    return item_id, int(created_ms)
