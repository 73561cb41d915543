"""Snapshots of the counters and the queue: one for each slot, and no more slots than a span has."""

import json
from collections.abc import Awaitable
from dataclasses import replace
from typing import cast

import pytest
from redis.asyncio import Redis

from quickthumb.queue import history
from quickthumb.queue.history import SPANS, Gauges, History, Snapshot, Span
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS
from tests.redis_fixtures import a_job

HOUR, DAY, _ = SPANS


async def put(client: Redis, slot: int, snapshot: object) -> None:
    await cast("Awaitable[int]", client.hset(KEYS.history("hour"), str(slot), json.dumps(snapshot)))
    await client.expire(KEYS.history("hour"), 60)


async def test_each_slot_keeps_its_first_snapshot(client: Redis, store: JobStore) -> None:
    await store.add(a_job(age_seconds=30))
    await store.heartbeat("worker")
    kept, tally = History(client), await store.tally()
    assert await kept.keep(replace(tally, totals={"attempts:DONE": 1, "email:busy_ms": 9})) == len(SPANS)
    # The week's slot is the same, unless it has just ended.
    assert await kept.keep(replace(tally, totals={"attempts:DONE": 2})) < len(SPANS)
    found = await kept.read()
    assert set(found) == {"hour", "day", "week"}
    gauges = Gauges(queued=1, waiting=1, oldest_waiting_seconds=tally.oldest_waiting_seconds, workers=1)
    for snapshots in found.values():
        assert snapshots[0] == Snapshot(tally.at, {"attempts:DONE": 1}, gauges)


async def test_snapshots_of_earlier_releases_have_no_gauges_and_counters_of_emails_and_deliveries(
    client: Redis, store: JobStore
) -> None:
    tally = await store.tally()
    totals = {"attempts:DONE": 1, "email:attempts:DONE": 2, "webhook:attempts:DONE": 3}
    await put(client, int(tally.at) // 60 * 60, {"at": tally.at, "totals": totals})
    assert (await History(client).read([HOUR]))["hour"] == (Snapshot(tally.at, {"attempts:DONE": 1}, None),)


async def test_old_slots_go(client: Redis, store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SPANS", (Span("hour", 60, 3),))
    place, tally = KEYS.history("hour"), await store.tally()
    slot = int(tally.at) // 60 * 60
    for minutes in range(1, 6):
        await put(client, slot - 60 * minutes, {"at": 0, "totals": {}})
    assert await History(client).keep(tally) == 1
    slots = sorted(map(int, await cast("Awaitable[list[bytes]]", client.hkeys(place))))
    assert slots[-1] - slots[0] < 3 * 60
    assert 0 < await client.ttl(place) <= 2 * 3 * 60


async def test_what_is_older_than_the_span_is_not_read_though_no_worker_has_removed_it(client: Redis) -> None:
    seconds, _ = await client.time()
    for minutes in (90, 61, 30):
        await put(client, (seconds - 60 * minutes) // 60 * 60, {"at": seconds - 60 * minutes, "totals": {}})
    assert [snapshot.at for snapshot in (await History(client).read([HOUR]))["hour"]] == [seconds - 60 * 30]
    assert (await History(client).read([DAY]))["day"] == ()
