"""Counting the uses of policies, whatever happens to the upload, to Redis and to the process."""

import asyncio
import json
import secrets
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.model.job import new_id
from quickthumb.model.policy import Terms, UploadPolicy
from quickthumb.queue.errors import PolicyInUse
from quickthumb.queue.policies import PolicyClaims
from quickthumb.service.errors import PolicyUsed
from quickthumb.service.policies import CLOCKS_DIFFER_SECONDS, PolicyUses
from quickthumb.storage import FileStorage
from quickthumb.storage.errors import DiskFull
from quickthumb.wiring import repairer
from tests.storage import jobs


def policy(*, max_uses: int = 1, expires: float = 60) -> UploadPolicy:
    return UploadPolicy(Terms(expires=int(time.time() + expires), max_uses=max_uses), secrets.token_hex(32))


@pytest.fixture
def uses(client: Redis, storage: FileStorage) -> PolicyUses:
    return PolicyUses(PolicyClaims(client), storage)


async def keep(record: bytes) -> None:
    """Stores a job somewhere."""


async def use(uses: PolicyUses, one: UploadPolicy) -> None:
    async with uses.begun(one) as counted:
        await counted(new_id(), keep)(b"")


def marks(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "policies").rglob("*") if path.is_file())


async def test_it_may_be_used_as_often_as_it_says(uses: PolicyUses, folder: Path) -> None:
    one = policy(max_uses=2)
    await use(uses, one)
    await use(uses, one)
    with pytest.raises(PolicyUsed, match="2 times"):
        await use(uses, one)
    assert [json.loads(mark.read_bytes())["expires"] for mark in marks(folder)] == [one.terms.expires] * 2


async def test_a_wiped_redis_gives_no_use_back(uses: PolicyUses, redis: Redis) -> None:
    one = policy()
    await use(uses, one)
    await redis.flushdb()
    with pytest.raises(PolicyUsed):
        await use(uses, one)


async def test_while_one_is_uploading_others_are_told_to_wait(uses: PolicyUses) -> None:
    one = policy()
    async with uses.begun(one):
        with pytest.raises(PolicyInUse):
            await use(uses, one)
    await use(uses, one)


async def test_if_redis_forgets_who_is_uploading_still_only_one_counts(uses: PolicyUses, redis: Redis) -> None:
    one, kept = policy(), 0

    async def count(_: bytes) -> None:
        nonlocal kept
        kept += 1

    async with AsyncExitStack() as stack:
        begun = []
        for _ in range(8):
            begun.append(await stack.enter_async_context(uses.begun(one)))
            await redis.flushdb()
        ends = await asyncio.gather(*(counted(new_id(), count)(b"") for counted in begun), return_exceptions=True)
    assert kept == 1
    assert sorted(type(end).__name__ for end in ends) == ["NoneType"] + ["PolicyUsed"] * 7


async def test_an_upload_that_fails_gives_its_use_back(uses: PolicyUses, folder: Path) -> None:
    async def no_room(_: bytes) -> None:
        raise DiskFull("The server's disk is full.")

    one = policy()
    async with uses.begun(one) as counted:
        pass  # as a body that is refused before there is a job
    with pytest.raises(DiskFull):
        async with uses.begun(one) as counted:
            await counted(new_id(), no_room)(b"")
    assert marks(folder) == []
    await use(uses, one)


async def test_a_use_whose_job_was_kept_counts_even_if_the_upload_fails_afterwards(
    uses: PolicyUses, storage: FileStorage
) -> None:
    one, job_id = policy(), new_id()

    async def kept(record: bytes) -> None:
        await jobs.keep(storage, record=record, job_id=job_id)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        async with uses.begun(one) as counted:
            await counted(job_id, kept)(b"{}")
    with pytest.raises(PolicyUsed):
        await use(uses, one)


async def test_a_repeated_request_uses_nothing(uses: PolicyUses) -> None:
    one = policy()
    await use(uses, one)
    async with uses.begun(one, is_repeat=True):
        pass


async def test_the_sweep_forgets_the_uses_of_policies_that_have_expired(uses: PolicyUses, folder: Path) -> None:
    await use(uses, policy(expires=-3 * 3600 - CLOCKS_DIFFER_SECONDS))
    await use(uses, policy(expires=-60))
    await use(uses, policy())
    assert len(marks(folder)) == 3
    await uses.sweep()
    assert len(marks(folder)) == 2
    assert len([*(folder / "policies").iterdir()]) <= 2


async def test_the_sweep_of_a_worker_needs_no_policies_and_forgets_their_uses(
    uses: PolicyUses, storage: FileStorage, folder: Path, client: Redis
) -> None:
    sweeper = repairer(Config.of(data_dir=folder), client, storage)
    await sweeper.sweep()
    await use(uses, policy(expires=-3 * 3600 - CLOCKS_DIFFER_SECONDS))
    await sweeper.sweep()
    assert marks(folder) == []
    assert not [*(folder / "policies").iterdir()]
