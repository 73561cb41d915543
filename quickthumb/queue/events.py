"""The stream of events: every change of every job, in a Redis stream that keeps the last of them.

The scripts add an event with each change of a status; workers add the results that a job has ready before its end.
`feed` passes new events on to the listeners of this process; `EventLog` reads older ones, and what they lead to.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Job, Result, Status
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.connection import ask, translated
from quickthumb.queue.job_fields import job_from
from quickthumb.queue.keys import JOB, KEYS, MOST_EVENTS, Keys, Kind
from quickthumb.queue.script import RegisteredScript

# A reader that has missed more events than this begins anew: to read them all again would keep Redis and this process
# from their other work.
MOST_REPLAYED = 2_000
PAGE = 500
LARGEST_NUMBER = 2**64 - 1

# The kind of what happens to batches. That of jobs is the name of their index.
BATCH = "batches"

# An id in the stream: Redis' time in milliseconds, and a number that tells apart what happened in the same one.
Cursor = tuple[int, int]
BEGINNING: Cursor = (0, 0)
# An entry as Redis sends it: its id, and its fields and values in turn.
Entry = tuple[bytes, Sequence[bytes]]

_CURSOR = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a job: its new `status`, None when it was removed, or else a `result` that is ready. `attempt` is
    the number of the attempt that has made the change, if one has and it is known. With `is_batch`, a batch has ended,
    and `job_id` is its id."""

    cursor: Cursor
    job_id: str
    tenant: str
    status: Status | None = None
    attempt: int | None = None
    result: Result | None = None
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """Jobs as they all were when the event at `cursor` was the last one; those that Redis does not know are missing."""

    cursor: Cursor
    jobs: Mapping[str, Job]


class EventLog:
    """Reads the stream, and adds results to it. `kind` says how long this deployment keeps the jobs that it reads.

    Every method raises QueueUnavailable when Redis is unreachable or answers with an error.
    """

    def __init__(self, redis: Redis, keys: Keys = KEYS, kind: Kind = JOB) -> None:
        self._redis = redis
        self._keys = keys
        self._kind = kind
        self._snapshot = RegisteredScript(redis, "snapshot")

    async def moment(self, job_ids: Sequence[str]) -> Moment:
        """The jobs as they are now, and where the stream is now."""
        records = [self._keys.record(JOB, job_id) for job_id in job_ids]
        async with translated():
            last, *found = await self._snapshot(events=self._keys.events, records=records)
        jobs = {
            job_id: job_from(job_id, dict(zip(fields[::2], fields[1::2], strict=True)), self._kind)
            for job_id, fields in zip(job_ids, found, strict=True)
            if fields
        }
        return Moment(cursor_in(last), jobs)

    async def since(self, cursor: Cursor) -> list[Event] | None:
        """The events after the one at `cursor`, of all jobs. None if that one is not in the stream: it was trimmed, or
        Redis has lost it, or more than MOST_REPLAYED came after it."""
        events: list[Event] = []
        first = text_of(cursor)
        async with translated():
            found: list[Entry] = await ask(self._redis, "XRANGE", self._keys.events, first, "+", "COUNT", PAGE)
            if not found or cursor_in(found[0][0]) != cursor:
                return None
            del found[0]
            while found:
                events += events_in(found)
                if len(events) > MOST_REPLAYED:
                    return None
                after = f"({found[-1][0].decode()}"
                found = await ask(self._redis, "XRANGE", self._keys.events, after, "+", "COUNT", PAGE)
        return events

    async def tell_results(self, attempt: Attempt, results: Iterable[Result]) -> None:
        """Adds results of a running attempt at a job, which are ready while others are not."""
        about = ("kind", JOB.index, "id", attempt.id, "status", "", "tenant", attempt.fields.get(b"tenant", b""))
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for result in results:
                words = (*about, "attempt", attempt.number, "result", result.model_dump_json())
                pipeline.execute_command("XADD", self._keys.events, "MAXLEN", "~", MOST_EVENTS, "*", *words)
            await pipeline.execute()

    async def tell_batch(self, batch_id: str, tenant: str) -> None:
        """Adds that a batch has ended."""
        about = ("kind", BATCH, "id", batch_id, "status", "", "tenant", tenant, "attempt", "")
        async with translated():
            await ask(self._redis, "XADD", self._keys.events, "MAXLEN", "~", MOST_EVENTS, "*", *about)


def cursor_in(entry_id: bytes) -> Cursor:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)


def text_of(cursor: Cursor) -> str:
    return f"{cursor[0]}-{cursor[1]}"


def read_cursor(text: str) -> Cursor | None:
    """The cursor that a client sent back; None if the text is none that this service has given out."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        return None
    milliseconds, number = int(found[1]), int(found[2])
    return None if max(milliseconds, number) > LARGEST_NUMBER else (milliseconds, number)


def events_in(entries: Iterable[Entry]) -> list[Event]:
    """The events of jobs and batches among the entries; emails have entries, too."""
    events = (_event(cursor_in(entry_id), fields) for entry_id, fields in entries if fields)
    return [event for event in events if event is not None]


def _event(cursor: Cursor, words: Sequence[bytes]) -> Event | None:
    fields = dict(zip(words[::2], words[1::2], strict=True))
    kind = fields.get(b"kind", b"").decode()
    if kind not in (JOB.index, BATCH):
        return None
    status, attempt, result = fields[b"status"].decode(), fields[b"attempt"], fields.get(b"result")
    return Event(
        cursor,
        fields[b"id"].decode(),
        fields[b"tenant"].decode() or DEFAULT_TENANT,
        Status(status) if status else None,
        int(attempt) if attempt else None,
        Result.model_validate_json(result) if result else None,
        is_batch=kind == BATCH,
    )
