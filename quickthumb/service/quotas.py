"""Applies quotas: to each client, which is an API key or else an address, and to all keys of a tenant together.

A caller without any quota costs no round trip, and next to no time.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace

from quickthumb.model.allowance import NO_QUOTAS, Quotas
from quickthumb.model.api_key import ApiKey
from quickthumb.model.caller import ADDRESS_CLIENT, KEY_CLIENT, Caller
from quickthumb.model.quota import (
    OUTPUT_PIXELS,
    REQUESTS,
    STORED,
    STREAMS,
    TENANT_SUBJECT,
    UNENDED,
    UPLOAD_BYTES,
    UPLOADS,
    Policy,
    Standing,
    policies,
    subject_of,
)
from quickthumb.queue.errors import QueueUnavailable, QuotaExceeded
from quickthumb.queue.keys import SEAT_SECONDS
from quickthumb.queue.quotas import Demand, QuotaStore, refused
from quickthumb.service.portions import Portions

NO_TENANTS: Mapping[str, Quotas] = {}
# How many callers' policies a process remembers.
MOST_REMEMBERED = 10_000
# The quotas of which Redis alone knows how much is left.
TOLD = frozenset({UPLOADS, UPLOAD_BYTES, OUTPUT_PIXELS, UNENDED, STORED})
# What the answer to this context's request must report of quotas. None: nothing.
told_of: ContextVar[list[Standing] | None] = ContextVar("told_of", default=None)


class Limiter:
    """The quotas of this deployment: `default` for each client, which its own override, and those of `tenants`.

    Without a store, there are none.
    """

    def __init__(
        self, store: QuotaStore | None = None, default: Quotas = NO_QUOTAS, tenants: Mapping[str, Quotas] = NO_TENANTS
    ) -> None:
        self._store = store
        self._portions = None if store is None else Portions(store)
        self._default = default
        self._limits_all = default.limit_anything
        self._tenants = {tenant: quotas for tenant, quotas in tenants.items() if quotas.limit_anything}
        self._known: dict[tuple[str | None, str], tuple[Quotas, tuple[Policy, ...]]] = {}

    def limits(self, tenant: str, own: Quotas) -> bool:
        """Whether a caller of this tenant, with these quotas of its own, may have any. Every request asks."""
        return self._store is not None and (self._limits_all or own is not NO_QUOTAS or tenant in self._tenants)

    async def standings(self, keys: Sequence[ApiKey]) -> dict[str, list[Standing]]:
        """How the quotas of each key stand, by the key's id; counts nothing. One round trip for all of them.

        Requests, which processes take in portions, and open streams are not told. Raises QueueUnavailable.
        """
        found = {key.id: list(policies(key.quotas.or_else(self._default), f"{KEY_CLIENT}{key.id}")) for key in keys}
        demands = [Demand(policy, 0) for each in found.values() for policy in each if policy.quota in TOLD]
        if not demands or self._store is None:
            return {}
        told = {standing.policy: standing for standing in await self._store.take(demands, commit=False)}
        return {key_id: [told[policy] for policy in each if policy in told] for key_id, each in found.items()}

    def quotas_of(self, key: ApiKey) -> Quotas:
        """What a key may demand over time: its own quotas, and otherwise those for each client."""
        return key.quotas.or_else(self._default)

    async def count_request(self, caller: Caller) -> None:
        """Counts a request. Raises QuotaExceeded."""
        asked = tuple(policy for policy in self._policies(caller) if policy.quota == REQUESTS)
        if asked and self._portions is not None:
            _tell(await self._portions.take(asked))

    async def foresee_upload(self, caller: Caller, least_bytes: Callable[[], int]) -> None:
        """Raises QuotaExceeded if an image of so many bytes or more would be refused. Counts nothing. Asks for the size
        only of callers who have quotas.

        Also raises QueueUnavailable.
        """
        if self._store is None or not self.limits(caller.counted_tenant, caller.quotas):
            return
        demands = self._demands(caller, least_bytes(), 1)
        if demands:
            _check(await self._store.take(demands, commit=False))

    @asynccontextmanager
    async def upload(self, caller: Caller, size_bytes: int, output_pixels: int) -> AsyncIterator[None]:
        """Counts an upload, unless the block ends with an error. Raises QuotaExceeded and QueueUnavailable."""
        demands = self._demands(caller, size_bytes, output_pixels)
        if not demands or self._store is None:
            yield
            return
        standings = await self._store.take(demands)
        _check(standings)
        try:
            yield
        except BaseException:
            returned = [Demand(demand.policy, -demand.amount) for demand in demands if demand.policy.window_seconds]
            if returned:
                with contextlib.suppress(QueueUnavailable):
                    await asyncio.shield(self._store.take(returned))
            raise
        _tell([_after(standing, demand) for standing, demand in zip(standings, demands, strict=True)])

    def kept(self, caller: Caller, size_bytes: int) -> list[Demand]:
        """What a job whose source has so many bytes counts for as long as it is kept."""
        return [demand for demand in self._demands(caller, size_bytes, 0) if demand.policy.window_seconds is None]

    @asynccontextmanager
    async def stream(self, caller: Caller) -> AsyncIterator[None]:
        """Counts a stream of events as open while the block lasts. Raises QuotaExceeded and QueueUnavailable."""
        asked = [policy for policy in self._policies(caller) if policy.quota == STREAMS]
        if not asked or self._store is None:
            yield
            return
        holder = secrets.token_hex(16)
        full = await self._store.occupy(asked, holder)
        if full is not None:
            raise QuotaExceeded([refused(full)])
        renewing = asyncio.create_task(_renew(self._store, asked, holder), name="renew a stream's seat")
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(QueueUnavailable):
                await self._store.vacate(asked, holder)

    def _policies(self, caller: Caller) -> tuple[Policy, ...]:
        if not self.limits(caller.counted_tenant, caller.quotas):
            return ()
        # All who come through a Unix socket, without a proxy that is trusted, are one client.
        client = caller.client or ADDRESS_CLIENT
        # A signed URL stands for a tenant that nobody has looked up.
        tenant = None if caller.is_bearer_of_url else caller.counted_tenant
        known = self._known.get((tenant, client))
        if known is not None and known[0] is caller.quotas:
            return known[1]
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        own = policies(caller.quotas.or_else(self._default), subject_of(client))
        of_tenant = policies(self._tenants.get(tenant or "", NO_QUOTAS), f"{TENANT_SUBJECT}{tenant}")
        found = (*own, *of_tenant)
        self._known[tenant, client] = caller.quotas, found
        return found

    def _demands(self, caller: Caller, size_bytes: int, output_pixels: int) -> list[Demand]:
        asked = self._policies(caller)
        if not asked:
            return []
        amounts = {
            UPLOADS: 1,
            UPLOAD_BYTES: size_bytes,
            OUTPUT_PIXELS: output_pixels,
            UNENDED: 1,
            STORED: size_bytes,
        }
        return [Demand(policy, amounts[policy.quota]) for policy in asked if policy.quota in amounts]


def _after(standing: Standing, demand: Demand) -> Standing:
    """The standing with the demand; what has no window was only looked at."""
    if demand.policy.window_seconds is not None:
        return standing
    return replace(standing, remaining=max(0, standing.remaining - demand.amount))


def _check(standings: Sequence[Standing]) -> None:
    if not all(standing.admitted for standing in standings):
        raise QuotaExceeded(standings)


def _tell(standings: Sequence[Standing]) -> None:
    told = told_of.get()
    if told is not None:
        told += standings


async def _renew(store: QuotaStore, held: Sequence[Policy], holder: str) -> None:
    while True:
        await asyncio.sleep(SEAT_SECONDS / 3)
        with contextlib.suppress(QueueUnavailable):
            await store.occupy(held, holder)
