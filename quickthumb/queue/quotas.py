"""Quotas in Redis. By Redis' clock, and shared by all processes.

What counts within a window follows the generic cell rate algorithm (GCRA), one number for each quota and subject. What
counts while it is there is noted by id (`scripts/lib/counted.lua`), by the scripts that add, settle, cancel, remove and
restore jobs, so no count can drift from the jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from quickthumb.model.quota import TRY_AGAIN_SECONDS, Policy, Standing
from quickthumb.queue.connection import translated
from quickthumb.queue.keys import KEYS, SEAT_SECONDS, Keys
from quickthumb.queue.script import RegisteredScript

MICROSECONDS = 1_000_000
DEFAULT_WAIT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Demand:
    """An amount of what a policy counts; a negative one gives back."""

    policy: Policy
    amount: int


class QuotaStore:
    """The quotas that all processes share. Every method is one round trip, and raises QueueUnavailable when Redis is
    unreachable or answers with an error."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys
        self._take = RegisteredScript(redis, "take")
        self._seat = RegisteredScript(redis, "seat")

    async def take(self, demands: Sequence[Demand], *, commit: bool = True) -> list[Standing]:
        """Takes all of the demands, or nothing if one of their quotas has too little left. Returns how each stands.

        Without `commit`, and from quotas without a window, takes nothing, and only says what would happen.
        """
        async with translated():
            told = await self._take(
                places=[self._keys.quota(demand.policy) for demand in demands],
                commits=int(commit),
                demands=[number for demand in demands for number in _numbers(demand)],
            )
        answers = zip(told[::3], told[1::3], told[2::3], strict=True)
        return [_standing(demand, *answer) for demand, answer in zip(demands, answers, strict=True)]

    async def occupy(self, policies: Sequence[Policy], holder: str) -> Policy | None:
        """Gives `holder` a seat under each of the policies for SEAT_SECONDS from now, or none: then returns a policy
        that has no seat left. A holder that has its seats keeps them for so long from now."""
        async with translated():
            full = await self._seat(
                places=[self._keys.quota(policy) for policy in policies],
                id=holder,
                seat_ms=SEAT_SECONDS * 1000,
                most=[policy.most for policy in policies],
            )
        return policies[full - 1] if full else None

    async def vacate(self, policies: Sequence[Policy], holder: str) -> None:
        """Gives up the seats."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for policy in policies:
                pipeline.zrem(self._keys.quota(policy), holder)
            await pipeline.execute()


def refused(policy: Policy, remaining: int = 0) -> Standing:
    """The standing of a quota without a window that has too little left."""
    wait_seconds = TRY_AGAIN_SECONDS.get(policy.quota, DEFAULT_WAIT_SECONDS)
    return Standing(policy, admitted=False, remaining=remaining, wait_seconds=wait_seconds)


def _numbers(demand: Demand) -> tuple[int, int, int]:
    return demand.policy.most, (demand.policy.window_seconds or 0) * MICROSECONDS, demand.amount


def _standing(demand: Demand, admitted: int, remaining: int, wait_ms: int) -> Standing:
    if demand.amount > demand.policy.most:
        return Standing(demand.policy, admitted=False, remaining=remaining, wait_seconds=None)
    if demand.policy.window_seconds is None:
        return (
            Standing(demand.policy, admitted=True, remaining=remaining, wait_seconds=0)
            if admitted
            else refused(demand.policy, remaining)
        )
    return Standing(demand.policy, bool(admitted), remaining, wait_ms / 1000)
