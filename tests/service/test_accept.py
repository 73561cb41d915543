"""Accepting an order for a source, wherever the source comes from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from quickthumb.config import BUILT_IN_PRESETS
from quickthumb.model.caller import ANONYMOUS
from quickthumb.model.errors import SourceMissing
from quickthumb.model.job import Job, new_id
from quickthumb.model.order import Order
from quickthumb.model.source import Source, SourceState
from quickthumb.queue.idempotency import Idempotency
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS
from quickthumb.service.accept import Acceptance, Admission
from quickthumb.service.errors import KeyReused
from quickthumb.service.presets import read_presets
from quickthumb.storage import FileStorage
from tests.model.test_order import Extended

ORDER = Order.parse([], read_presets(BUILT_IN_PRESETS))
# The source of a picture that has yet to be fetched.
EXPECTED = Source(filename="cat.jpg")


@pytest.fixture
def acceptance(client: Redis, store: JobStore, storage: FileStorage) -> Acceptance:
    return Acceptance(store, storage, Idempotency(client), max_queued=3)


class Records:
    """Stores the records of jobs whose sources are stored elsewhere."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    async def keep(self, record: bytes) -> None:
        self.kept.append(record)


@asynccontextmanager
async def admitted(acceptance: Acceptance) -> AsyncIterator[Admission]:
    async with acceptance.admit(ANONYMOUS, "one") as admission:
        yield admission


async def test_an_order_is_accepted_for_a_source_of_which_nothing_is_known_yet(
    acceptance: Acceptance, store: JobStore
) -> None:
    records = Records()
    async with acceptance.admit(ANONYMOUS) as admission:
        job = await admission.accept(new_id(), EXPECTED, ORDER, records.keep)
    assert job.source.state is SourceState.EXPECTED
    assert await store.get(job.id) == job
    assert [Job.from_record(record) for record in records.kept] == [job]


async def test_when_it_cannot_be_kept_nothing_is_queued_and_the_key_is_free(
    acceptance: Acceptance, redis: Redis
) -> None:
    async def keep(record: bytes) -> None:
        raise SourceMissing("The other job's source has just been removed.")

    with pytest.raises(SourceMissing):
        async with admitted(acceptance) as admission:
            await admission.accept(new_id(), EXPECTED, ORDER, keep)
    assert not await redis.exists(KEYS.queue)
    async with admitted(acceptance) as admission:
        await admission.accept(new_id(), EXPECTED, ORDER, Records().keep)


async def test_the_same_request_is_one_job_and_another_order_is_another_request(acceptance: Acceptance) -> None:
    records = Records()
    async with admitted(acceptance) as admission:
        first = await admission.accept(new_id(), EXPECTED, ORDER, records.keep)
    async with admitted(acceptance) as admission:
        assert await admission.accept(new_id(), EXPECTED, ORDER, records.keep) == first
    assert len(records.kept) == 1
    with pytest.raises(KeyReused):
        async with admitted(acceptance) as admission:
            await admission.accept(new_id(), EXPECTED, Extended(outputs=ORDER.outputs, urgency="high"), records.keep)
