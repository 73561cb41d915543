"""Items of one kind in Redis: each item's record, its places in the indexes, and its entry in arq's queue.

Each change is one script, which keeps the three consistent.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from redis.asyncio import Redis

from quickthumb.model.job import Status
from quickthumb.model.priority import Priority
from quickthumb.queue.codec import dump, entry_for, flat
from quickthumb.queue.connection import ask, translated
from quickthumb.queue.idempotency import IdempotencyRecord
from quickthumb.queue.keys import IDEMPOTENCY_SECONDS, KEYS, OLD_QUEUE, WAKE_SECONDS, Keys, Kind
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
        self._find_missing = RegisteredScript(redis, "missing")

    async def add(
        self,
        item_id: str,
        created_ms: int,
        fields: Mapping[str, str],
        *,
        most: int = 0,
        is_large: bool = False,
        run_at_ms: int | None = None,
        use: IdempotencyRecord | None = None,
    ) -> Added:
        """Adds a new item and queues it, both or neither, unless `most` items have not ended yet (0: no limit).

        It is due at `run_at_ms`, or at once. An `is_large` one is known to be large. With `use`, also stores that
        idempotency record. Adding an item again changes nothing.
        """
        async with translated():
            added = await self._add(
                self._keys.places(self.kind, item_id),
                idempotency=self._keys.idempotency(use.key) if use else None,
                id=item_id,
                created_ms=created_ms,
                entry=entry_for(self.kind, item_id, created_ms),
                waiting_seconds=self.kind.waiting_seconds,
                index_seconds=self.kind.index_seconds,
                wake_seconds=WAKE_SECONDS,
                most=most,
                is_large=int(is_large),
                used_for=use.written() if use else "",
                used_seconds=IDEMPOTENCY_SECONDS,
                run_at_ms=_or_empty(run_at_ms),
                fields=flat(fields),
            )
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
                retention_seconds=self.kind.retention_seconds,
                index_seconds=self.kind.index_seconds,
                wake_seconds=WAKE_SECONDS,
                items=dump([self._written(item) for item in items]),
            )
        return list(map(bool, restored))

    def _written(self, item: Lost) -> list[str | list[str]]:
        """The item as `restore.lua` reads it: all numbers as text, which Lua would round."""
        entry = "" if item.status.ended else entry_for(self.kind, item.id, item.created_ms).decode()
        created_ms = str(item.created_ms)
        fields = flat({**item.fields, "status": item.status, "created_ms": created_ms})
        return [item.id, created_ms, item.status, str(item.finished_ms), entry, fields, _or_empty(item.run_at_ms)]

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
                )
            )

    async def cancel(self, item_id: str, finished_ms: int) -> bool:
        """Cancels an item that has not ended, and takes it out of the queue. Returns False when it has ended or is
        unknown."""
        async with translated():
            return bool(
                await self._cancel(
                    self._keys.places(self.kind, item_id),
                    id=item_id,
                    finished_ms=finished_ms,
                    retention_seconds=self.kind.retention_seconds,
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

    def _queueing(self, item_id: str, created_ms: int) -> dict[str, str | int | bytes]:
        return {
            "id": item_id,
            "entry": entry_for(self.kind, item_id, created_ms),
            "waiting_seconds": self.kind.waiting_seconds,
            "wake_seconds": WAKE_SECONDS,
        }


def _or_empty(moment_ms: int | None) -> str:
    return "" if moment_ms is None else str(moment_ms)


def _named(entry: bytes) -> tuple[str, int]:
    """The id and, in ms, the creation time that an entry of an index consists of."""
    created_ms, _, item_id = entry.decode().partition(":")
    return item_id, int(created_ms)
