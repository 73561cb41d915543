"""Snapshots of the counters: one for each slot, and no more slots than a span has."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import cast

import pytest
from redis.asyncio import Redis

from quickthumb.queue import history
from quickthumb.queue.history import SPANS, History, Snapshot, Span
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS


async def test_each_slot_keeps_its_first_snapshot(client: Redis, store: JobStore) -> None:
    kept, tally = History(client), await store.tally()
    assert await kept.keep(replace(tally, totals={"attempts:DONE": 1})) == len(SPANS)
    # The week's slot is the same, unless it has just ended.
    assert await kept.keep(replace(tally, totals={"attempts:DONE": 2})) < len(SPANS)
    found = await kept.read()
    assert set(found) == {"hour", "day", "week"}
    for snapshots in found.values():
        assert snapshots[0] == Snapshot(tally.at, {"attempts:DONE": 1})


async def test_old_slots_go(client: Redis, store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SPANS", (Span("hour", 60, 3),))
    place, tally = KEYS.history("hour"), await store.tally()
    slot = int(tally.at) // 60 * 60
    for minutes in range(1, 6):
        await cast("Awaitable[int]", client.hset(place, str(slot - 60 * minutes), '{"at": 0, "totals": {}}'))
    assert await History(client).keep(tally) == 1
    slots = sorted(map(int, await cast("Awaitable[list[bytes]]", client.hkeys(place))))
    assert slots[-1] - slots[0] < 3 * 60
    assert 0 < await client.ttl(place) <= 2 * 3 * 60
