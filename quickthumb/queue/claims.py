"""Claims what is due, several items in one round trip."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from quickthumb.model.priority import OVERTAKING, Overtaking
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.keys import EMAIL, JOB, KEYS, Keys, Kind
from quickthumb.queue.script import RegisteredScript

# How far into the queue to look for items that no worker is running.
SCAN_MOST = 10_000
# How many new items to put into their lines at a time: Redis does nothing else meanwhile, for some ten milliseconds.
SORT_MOST = 500
NO_LIMITS: Mapping[Kind, int] = {JOB: SCAN_MOST, EMAIL: SCAN_MOST}


@dataclass(frozen=True, slots=True)
class Due:
    """What was due: the attempts that were claimed, the id of the large one among them, and the milliseconds until
    something else is due: -1 if nothing else is queued, 0 if more may be due now."""

    attempts: Sequence[Attempt]
    large: str | None
    in_ms: int


class Claims:
    """Claims items of every kind for one worker, with leases of `lease_seconds`: the items are IN_PROGRESS, and other
    workers leave them alone for that time.

    When Redis' answer is lost, the next call claims the same items again, as the same attempts.
    """

    def __init__(
        self, redis: Redis, keys: Keys = KEYS, *, lease_seconds: float, overtaking: Overtaking = OVERTAKING
    ) -> None:
        self._keys = keys
        self._inputs = {
            "queue": keys.queue,
            "wake": keys.wake,
            "large": keys.large,
            "totals": keys.totals,
            "events": keys.events,
            "call_prefix": keys.call(""),
            "lease_prefix": keys.lease(""),
            "tries_prefix": keys.tries(""),
            "lease_ms": int(lease_seconds * 1000),
            "high_ms": round(overtaking.high_overtakes_seconds * 1000),
            "low_ms": round(overtaking.normal_overtakes_seconds * 1000),
            "sort_most": SORT_MOST,
        }
        self._due = RegisteredScript(redis, "due")
        # For the attempts to come. A token is replaced once an answer has shown that it is used.
        self._tokens: list[str] = []

    async def claim(self, most: int, limits: Mapping[Kind, int] = NO_LIMITS, *, takes_large: bool = True) -> Due:
        """Claims up to `most` items that are due, those whose turn it is, and of each kind no more than its limit.
        With 0, claims only what an earlier call did whose answer was lost.

        Raises RedisError or OSError when Redis is unreachable or answers with an error.
        """
        while len(self._tokens) < most:
            self._tokens.append(secrets.token_hex(16))
        kinds = list(limits)
        asked_at = time.monotonic()
        claims, in_ms, large = await self._due(
            **self._inputs,
            kinds=[place for kind in kinds for place in (self._keys.record(kind, ""), self._keys.index(kind))],
            most=most,
            # What was lost stands behind all that other workers run. Without a token, nothing was.
            scan_most=SCAN_MOST if self._tokens else 1,
            takes_large=int(takes_large),
            terms=[*(term for kind in kinds for term in (kind.name, kind.totals, limits[kind])), *self._tokens],
        )
        attempts = [_attempt(kinds, asked_at, *claim) for claim in claims]
        used = {attempt.token for attempt in attempts}
        self._tokens = [token for token in self._tokens if token not in used]
        return Due(attempts, large.decode() or None, in_ms)


def _attempt(
    kinds: Sequence[Kind],
    asked_at: float,
    item_id: bytes,
    kind: int,
    token: bytes,
    number: int,
    strike: int,
    fields: Any,
) -> Attempt:
    record = dict(zip(fields[::2], fields[1::2], strict=True))
    return Attempt(kinds[kind - 1], item_id.decode(), token.decode(), number, strike, record, asked_at)
