"""How many emails were accepted lately, in all and for each recipient. Workers and web processes share the counts."""

from dataclasses import dataclass

from redis.asyncio import Redis

from quickthumb.queue.connection import translated
from quickthumb.queue.keys import KEYS, RATE_SECONDS, Keys
from quickthumb.queue.script import RegisteredScript


@dataclass(frozen=True, slots=True)
class UsedUp:
    """A rate that is used up: that of the recipient or the one in all, and the seconds until there is room again."""

    for_recipient: bool
    seconds: float


class EmailRates:
    """Admits `most` emails within any hour, and `most_per_mailbox` to each mailbox. By Redis' clock.

    Every method is one round trip, and raises QueueUnavailable when Redis is unreachable or answers with an error.
    """

    def __init__(self, redis: Redis, *, most: int, most_per_mailbox: int, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._most = (most, most_per_mailbox)
        self._keys = keys
        self._count = RegisteredScript(redis, "count")

    async def count(self, email_id: str, mailbox: str) -> UsedUp | None:
        """Counts an email, unless a rate is used up: then returns the one that stays so for longer."""
        async with translated():
            left_ms, *which = await self._count(
                rates=self._rates(mailbox), id=email_id, window_ms=RATE_SECONDS * 1000, most=self._most
            )
        return UsedUp(for_recipient=which == [2], seconds=left_ms / 1000) if which else None

    async def forget(self, email_id: str, mailbox: str) -> None:
        """Takes back the count of an email that was not accepted after all."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for rate in self._rates(mailbox):
                pipeline.zrem(rate, email_id)
            await pipeline.execute()

    def _rates(self, mailbox: str) -> list[str]:
        return [self._keys.email_rate(), self._keys.email_rate(mailbox)]
