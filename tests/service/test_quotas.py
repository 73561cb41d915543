"""The quotas of callers: who counts against which, what is counted ahead, and what is given back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from quickthumb.model.allowance import NO_QUOTAS, Quotas
from quickthumb.model.caller import ANONYMOUS, Caller
from quickthumb.model.quota import REQUESTS, STREAMS, Policy, Standing, subject_of
from quickthumb.queue.connection import connect
from quickthumb.queue.errors import QueueUnavailable, QuotaExceeded
from quickthumb.queue.keys import KEYS
from quickthumb.queue.quotas import QuotaStore
from quickthumb.service.portions import AWAY_SECONDS, PORTION_SECONDS, Portions
from quickthumb.service.quotas import Limiter, told_of

MINE = Caller(key_id="abcdefghijkl", tenant="shop", quotas=Quotas(requests_per_minute=4))
THEIRS = Caller(key_id="other0000000", tenant="shop")


@pytest.fixture
def quotas(client: Redis) -> QuotaStore:
    return QuotaStore(client)


@pytest.fixture
async def nowhere() -> AsyncIterator[Redis]:
    """A connection to a port on which nothing listens."""
    async with connect("redis://127.0.0.1:1/0", Redis, attempts=1, answer_seconds=1.0) as redis:
        yield redis


async def counted(limiter: Limiter, caller: Caller, most: int) -> int:
    """How many of so many requests are admitted."""
    admitted = 0
    for _ in range(most):
        try:
            await limiter.count_request(caller)
            admitted += 1
        except QuotaExceeded:
            pass
    return admitted


async def calls(redis: Redis) -> int:
    """How many scripts Redis has run."""
    return int((await redis.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"])


async def test_own_quotas_come_before_those_for_all_item_by_item(quotas: QuotaStore) -> None:
    limiter = Limiter(quotas, Quotas(requests_per_minute=2, uploads_per_hour=1))
    assert (await counted(limiter, MINE, 9), await counted(limiter, THEIRS, 9)) == (4, 2)
    async with limiter.upload(MINE, 1, 1):
        pass
    with pytest.raises(QuotaExceeded):
        async with limiter.upload(MINE, 1, 1):
            raise AssertionError


async def test_a_tenant_has_its_quota_for_all_its_keys(quotas: QuotaStore) -> None:
    limiter = Limiter(quotas, tenants={"shop": Quotas(requests_per_minute=5)})
    assert (await counted(limiter, MINE, 9), await counted(limiter, THEIRS, 9)) == (4, 1)
    assert await counted(limiter, Caller(key_id="third0000000", tenant="other"), 9) == 9
    # A signed URL stands for whichever tenant the file belongs to.
    assert await counted(limiter, Caller(tenant="shop", address="192.0.2.1", is_bearer_of_url=True), 9) == 9


async def test_without_quotas_redis_is_not_asked(nowhere: Redis) -> None:
    for limiter in (Limiter(QuotaStore(nowhere)), Limiter()):
        assert not limiter.limits("shop", NO_QUOTAS)
        await limiter.count_request(THEIRS)
        await limiter.foresee_upload(THEIRS, lambda: 1 / 0)  # type: ignore[arg-type, return-value]
        async with limiter.upload(THEIRS, 1, 1), limiter.stream(THEIRS):
            assert limiter.kept(THEIRS, 1) == []


async def test_whoever_comes_through_a_unix_socket_is_one_client(quotas: QuotaStore) -> None:
    limiter = Limiter(quotas, Quotas(requests_per_minute=3))
    assert await counted(limiter, ANONYMOUS, 9) == 3
    assert await counted(limiter, Caller(address="192.0.2.1"), 9) == 3


async def test_two_processes_never_admit_more_than_the_quota(redis_url: str) -> None:
    async with (
        connect(redis_url, Redis, attempts=1, answer_seconds=3.0) as one,
        connect(redis_url, Redis, attempts=1, answer_seconds=3.0) as two,
    ):
        limiters = [Limiter(QuotaStore(each), Quotas(requests_per_minute=200)) for each in (one, two)]
        admitted = await asyncio.gather(*(counted(limiters[number % 2], THEIRS, 20) for number in range(20)))
    # What comes back while the test runs is admitted, too.
    assert 200 <= sum(admitted) <= 230


async def test_a_flood_costs_redis_nothing(quotas: QuotaStore, redis: Redis) -> None:
    limiter = Limiter(quotas, Quotas(requests_per_minute=1))
    assert await counted(limiter, THEIRS, 2) == 1
    before = await calls(redis)
    assert await counted(limiter, THEIRS, 500) == 0
    assert await calls(redis) == before


async def test_a_portion_is_a_fiftieth_and_lasts_for_a_minute(quotas: QuotaStore, redis: Redis) -> None:
    clock = [0.0]
    portions, policy = Portions(quotas, lambda: clock[0]), Policy(REQUESTS, "key:abcdefghijkl", 1000)
    (first,) = await portions.take((policy,))
    before = await calls(redis)
    told = [(await portions.take((policy,)))[0].remaining for _ in range(19)]
    assert (first.remaining, told) == (999, list(range(998, 979, -1)))
    assert await calls(redis) == before
    await portions.take((policy,))
    assert await calls(redis) == before + 1
    clock[0] = PORTION_SECONDS
    await portions.take((policy,))
    assert await calls(redis) == before + 2


async def test_the_last_requests_of_a_quota_are_admitted_one_by_one(quotas: QuotaStore) -> None:
    other_process, policy = Portions(quotas), Policy(REQUESTS, "key:abcdefghijkl", 102)
    for _ in range(50):
        await other_process.take((policy,))  # 25 portions of two
    mine = Portions(quotas)
    for _ in range(52):
        await mine.take((policy,))
    ends = [await outcome(mine, policy) for _ in range(3)]  # one may have come back meanwhile
    assert ends[-1] == 1


async def outcome(portions: Portions, policy: Policy) -> int | None:
    """The time to wait if a request is refused."""
    try:
        await portions.take((policy,))
    except QuotaExceeded as error:
        return error.retry_after_seconds
    return None


async def test_while_redis_is_away_requests_are_let_through(nowhere: Redis) -> None:
    asked = []

    class Away(QuotaStore):
        async def take(self, *demands: object, **named: object) -> list[Standing]:
            asked.append(demands)
            raise QueueUnavailable("Away.")

    clock = [0.0]
    portions, policy = Portions(Away(nowhere), lambda: clock[0]), Policy(REQUESTS, "key:abcdefghijkl", 1)
    clock[0] = 100.0
    assert [await portions.take((policy,)) for _ in range(3)] == [[], [], []]
    assert len(asked) == 1
    clock[0] += AWAY_SECONDS
    await portions.take((policy,))
    assert len(asked) == 2


async def test_what_an_upload_took_is_given_back_if_it_fails(quotas: QuotaStore, redis: Redis) -> None:
    limiter = Limiter(quotas, Quotas(uploads_per_hour=1, upload_bytes_per_day=10, output_pixels_per_hour=10))
    with pytest.raises(OSError, match="full"):
        async with limiter.upload(THEIRS, 10, 10):
            raise OSError("full")
    assert not await redis.keys("*")
    told = [Standing(Policy(REQUESTS, "key:x", 1), True, 0, None)]
    told_of.set(told)
    async with limiter.upload(THEIRS, 4, 3):
        pass
    assert [(standing.policy.quota, standing.remaining) for standing in told[1:]] == [
        ("uploads_per_hour", 0),
        ("upload_bytes_per_day", 6),
        ("output_pixels_per_hour", 7),
    ]


async def test_a_larger_image_than_the_quota_is_never_admitted(quotas: QuotaStore) -> None:
    limiter = Limiter(quotas, Quotas(upload_bytes_per_day=10))
    with pytest.raises(QuotaExceeded, match="this request alone needs more") as refused:
        await limiter.foresee_upload(THEIRS, lambda: 11)
    assert refused.value.retry_after_seconds is None
    await limiter.foresee_upload(THEIRS, lambda: 10)


async def test_streams_that_are_open_at_the_same_time(quotas: QuotaStore, redis: Redis) -> None:
    limiter = Limiter(quotas, Quotas(event_streams=2), {"shop": Quotas(event_streams=3)})
    mine = Caller(key_id="abcdefghijkl", tenant="shop")
    async with limiter.stream(mine), limiter.stream(mine):
        with pytest.raises(QuotaExceeded) as refused:
            async with limiter.stream(mine):
                raise AssertionError
        assert [standing.policy.name for standing in refused.value.violated] == ["event_streams"]
        assert refused.value.retry_after_seconds == 5
        async with limiter.stream(THEIRS):
            with pytest.raises(QuotaExceeded, match="tenant_event_streams"):
                async with limiter.stream(THEIRS):
                    raise AssertionError
    async with limiter.stream(mine):
        place = KEYS.quota(Policy(STREAMS, subject_of("key:abcdefghijkl"), 2))
        assert 0 < await redis.ttl(place) <= 60
    assert not await redis.keys("*")


async def test_what_the_operator_does_for_a_tenant_counts_as_the_operator_s(quotas: QuotaStore) -> None:
    limiter = Limiter(quotas, tenants={"shop": Quotas(requests_per_minute=2), "default": Quotas(requests_per_minute=3)})
    operator = Caller(key_id="operator0000", tenant="shop", own_tenant="default")
    assert await counted(limiter, operator, 9) == 3
    assert await counted(limiter, THEIRS, 9) == 2
