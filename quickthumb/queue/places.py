"""The places of an arq worker for what it runs at the same time, and what answers arq for them in place of Redis."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any, Self

from arq.constants import in_progress_key_prefix, job_key_prefix

from quickthumb.queue import codec
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.keys import Kind


@dataclass(slots=True)
class Place:
    """A place of the worker, and the attempt that has it: from the claim until arq's run of it ends. arq has started
    the run if `is_started`; the handler has the attempt if it `has_begun`."""

    attempt: Attempt
    is_started: bool = False
    has_begun: bool = False


class Places:
    """The places for what a worker runs at the same time, by the ids of the items: `most` in all, beside items of kinds
    that take no place."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, Place] = {}
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        return self._most - sum(place.attempt.kind.takes_place for place in self._taken.values())

    def get(self, item_id: str) -> Place | None:
        return self._taken.get(item_id)

    def take(self, attempt: Attempt) -> bool:
        """Gives the attempt a place. Returns False if an earlier attempt at the same item has one."""
        if attempt.id in self._taken:
            return False
        self._taken[attempt.id] = Place(attempt)
        return True

    def leave(self, item_id: str) -> None:
        self._taken.pop(item_id, None)
        self._changed.set()

    def of_kind(self, kind: Kind) -> int:
        """How many places items of a kind have."""
        return sum(place.attempt.kind.name == kind.name for place in self._taken.values())

    def left_over(self) -> list[Attempt]:
        """The attempts that arq was given and did not start."""
        return [place.attempt for place in self._taken.values() if not place.is_started]

    def idle(self) -> list[Attempt]:
        """The attempts that no handler has got."""
        return [place.attempt for place in self._taken.values() if not place.has_begun]

    async def wait(self, seconds: float) -> None:
        """Waits until one becomes free, or for so long."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()


class StandIn:
    """Answers arq in place of Redis while arq starts and ends a job. The job is claimed already, and the queue entry is
    not arq's to change; so all that arq says is whether the job's place is still taken."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._answers: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def watch(self, *_: Any) -> None:
        """Nothing changes between arq's checks."""

    async def exists(self, *_: Any) -> int:
        """Nobody else runs the job: it is claimed."""
        return 0

    async def zscore(self, _: Any, item_id: Any) -> float | None:
        """A due time that has passed, whatever arq's own clock says; None if the job is no longer to be started."""
        place = self._places.get(str(item_id))
        # One millisecond less than now, because arq rounds.
        return None if place is None or place.is_started else time.time() * 1000 - 1

    def multi(self) -> None:
        pass

    def psetex(self, name: Any, *_: Any) -> None:
        """arq's mark that it has started the job."""
        place = self._places.get(str(name).removeprefix(in_progress_key_prefix))
        if place is not None:
            place.is_started = True

    def get(self, name: Any) -> None:
        """arq's entry for the job, which says what to call."""
        place = self._places.get(str(name).removeprefix(job_key_prefix))
        entry = None
        if place is not None:
            attempt = place.attempt
            entry = codec.entry_for(attempt.kind, attempt.id, int(attempt.fields.get(b"created_ms", 0)))
        self._answers.append(entry)

    def incr(self, *_: Any) -> None:
        """arq's count of tries. QuickThumb counts attempts itself."""
        self._answers.append(1)

    def expire(self, *_: Any) -> None:
        self._answers.append(1)

    def delete(self, *names: Any) -> None:
        """arq's end of a run."""
        for name in names:
            if str(name).startswith(in_progress_key_prefix):
                self._places.leave(str(name).removeprefix(in_progress_key_prefix))

    def zrem(self, *_: Any) -> None:
        """The script that settled the attempt has updated the queue."""

    zincrby = set = zrem

    async def execute(self) -> list[Any]:
        answers, self._answers = self._answers, []
        return answers
