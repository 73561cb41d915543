"""Attempts at items of any kind, which `claims` makes: workers renew and settle them, each in one round trip."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis

from quickthumb.model.job import PastAttempt, Status
from quickthumb.queue.codec import LISTS, flat, tenant_in
from quickthumb.queue.connection import translated
from quickthumb.queue.keys import JOB, KEYS, WAKE_SECONDS, Keys, Kind
from quickthumb.queue.past import HISTORY, with_past
from quickthumb.queue.script import RegisteredScript

NO_FIELDS: Mapping[str, str] = {}


@dataclass(slots=True)
class Attempt:
    """One attempt at an item. Only the holder of its token can renew or settle it, while the attempt runs.

    `number` counts all attempts at the item, `strike` only those for which the item itself may be to blame; both
    include this attempt. `fields` is the item's record at the time of the claim. `confirmed_at` is the moment of the
    monotonic clock at which the claim, or the latest renewal, was sent: the lease lasts at least from then on.
    """

    kind: Kind
    id: str
    token: str
    number: int
    strike: int
    fields: Mapping[bytes, bytes]
    confirmed_at: float = field(default=-math.inf, compare=False)

    def was_confirmed_within(self, seconds: float) -> bool:
        """Whether Redis granted or renewed the lease within the last `seconds`. No round trip: a process that was
        stopped meanwhile sees that it is late."""
        return time.monotonic() - self.confirmed_at < seconds

    @property
    def tenant(self) -> str | None:
        """The tenant of the item, if it is another than the default one."""
        return tenant_in(self.fields.get(LISTS.encode(), b"").decode())

    @property
    def troubles(self) -> int:
        """How many earlier attempts at the item were settled as `troubled`."""
        return int(self.fields.get(b"troubles", 0))

    @property
    def troubled_seconds(self) -> float:
        """How long before this attempt began the first of them was settled; 0 if there was none."""
        if b"troubled_ms" not in self.fields:
            return 0.0
        return (int(self.fields[b"started_ms"]) - int(self.fields[b"troubled_ms"])) / 1000


class Attempts:
    """The attempts that workers make. Every method raises QueueUnavailable when Redis is unreachable or answers with an
    error.

    `worker` is the id by which the worker's heartbeats know it: jobs remember who made an attempt.
    """

    def __init__(self, redis: Redis, keys: Keys = KEYS, *, worker: str | None = None) -> None:
        self._keys = keys
        self._worker = worker
        self._renew = RegisteredScript(redis, "renew")
        self._settle = RegisteredScript(redis, "settle")

    async def renew(self, attempts: Sequence[Attempt], *, lease_seconds: float) -> frozenset[str]:
        """Renews the leases of attempts, to `lease_seconds` from now. Returns the tokens whose lease is lost."""
        if not attempts:
            return frozenset()
        asked_at = time.monotonic()
        async with translated():
            lost = await self._renew(
                places=[place for attempt in attempts for place in self._held(attempt)],
                lease_ms=int(lease_seconds * 1000),
                tokens=[attempt.token for attempt in attempts],
            )
        lost_tokens = frozenset(token.decode() for token in lost)
        for attempt in attempts:
            if attempt.token not in lost_tokens:
                attempt.confirmed_at = asked_at
        return lost_tokens

    async def settle(
        self,
        attempt: Attempt,
        status: Status,
        *,
        fields: Mapping[str, str] = NO_FIELDS,
        busy_seconds: float,
        blameless: bool = False,
        troubled: bool = False,
        found_large: bool = False,
        delay_seconds: float = 0,
        error_code: str | None = None,
    ) -> bool:
        """Settles an attempt. Returns False, and changes nothing, when the lease is lost.

        Gives the item the status and the fields. An item that has ended leaves the queue; a WAITING item is due again
        after `delay_seconds`. A `blameless` attempt is not a strike against the item; a `troubled` one counts towards
        the time and the number of attempts after which the item is given up. With `found_large`, workers know from now
        on that a WAITING item is large. `error_code` is the code of the error with which the attempt ended, if any.
        """
        busy_ms = round(busy_seconds * 1000)
        if attempt.kind.name == JOB.name:
            fields = {**fields, HISTORY: self._history(attempt, busy_ms, status, error_code)}
        async with translated():
            settled = await self._settle(
                self._keys.places(attempt.kind, attempt.id),
                id=attempt.id,
                token=attempt.token,
                target=status,
                delay_ms=round(delay_seconds * 1000),
                retention_seconds=attempt.kind.kept_seconds(attempt.tenant),
                wake_seconds=WAKE_SECONDS,
                forgiven=int(blameless),
                troubled=int(troubled),
                found_large=int(found_large),
                busy_ms=busy_ms,
                totals_prefix=attempt.kind.totals,
                failed_with=(error_code or "") if status is Status.FAILED else "",
                source_seconds=attempt.kind.kept_source_seconds(attempt.tenant),
                fields=flat(fields),
            )
        return bool(settled)

    def _history(self, attempt: Attempt, busy_ms: int, status: Status, error_code: str | None) -> str:
        started_ms = int(attempt.fields.get(b"started_ms", 0))
        latest = PastAttempt(attempt.number, self._worker, started_ms, busy_ms, status, error_code)
        return with_past(attempt.fields, latest)

    def _held(self, attempt: Attempt) -> tuple[str, str]:
        return self._keys.record(attempt.kind, attempt.id), self._keys.lease(attempt.id)
