"""The one engine of attempts: it claims an item, runs its handler, keeps the lease, and settles what came of it."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import new_id
from quickthumb.queue.attempts import Attempt, Attempts, NoAttempt
from quickthumb.work.errors import Busy, LeaseLost, TooManyAttempts
from quickthumb.work.handler import Done, Failed, Handler, Snooze, Verdict

log = logging.getLogger("quickthumb.job")

# What is cancelled once may swallow it, as `wait_for` of Python 3.11 does.
CANCEL_AGAIN_SECONDS = 0.5


@dataclass(slots=True)
class _Running:
    attempt: Attempt
    task: "asyncio.Task[Verdict]"
    lost: bool = False


class Runner:
    """Runs attempts at items of every kind, each left to this worker for `lease_seconds` at a time."""

    def __init__(self, attempts: Attempts, *, lease_seconds: float) -> None:
        self._attempts = attempts
        self._lease_seconds = lease_seconds
        self._running: dict[str, _Running] = {}
        self._at_work: Counter[str] = Counter()

    async def run(self, handler: Handler, item_id: str) -> Verdict | None:
        """Makes one attempt at an item, and settles it. The verdict; None when there is nothing to run (any more).

        Raises Busy when the worker makes enough attempts of this kind already, and LeaseLost when the item is no longer
        this worker's. When it is cancelled it puts the item back, without blame.
        """
        kind = handler.kind
        if handler.at_once is not None and self._at_work[kind.name] >= handler.at_once:
            raise Busy
        self._at_work[kind.name] += 1
        try:
            attempt = await self._attempts.claim(kind, item_id, new_id(), lease_seconds=self._lease_seconds)
            if isinstance(attempt, NoAttempt):
                log.info("%s %s is not run: %s", kind.name, item_id, attempt.value)
                return None
            return await self._attempt(handler, attempt)
        finally:
            self._at_work[kind.name] -= 1

    async def renew_leases(self) -> None:
        """Renews the leases of all that runs here, and cancels what is lost. Call it well within a lease's time."""
        running = list(self._running.values())
        held = [each for each in running if not each.lost]
        lost = await self._attempts.renew([each.attempt for each in held], lease_seconds=self._lease_seconds)
        for each in running:
            each.lost |= each.attempt.token in lost
            if each.lost:
                # At each renewal again, as below.
                each.task.cancel()

    async def _attempt(self, handler: Handler, attempt: Attempt) -> Verdict:
        started = time.monotonic()
        task = asyncio.create_task(self._verdict(handler, attempt), name=f"{attempt.kind.name} {attempt.id}")
        running = self._running[attempt.token] = _Running(attempt, task)
        try:
            verdict = await self._ended(running)
            return await self._settle(handler, attempt, verdict, started)
        except LeaseLost:
            log.warning("%s %s: lease lost; abandoning the attempt", attempt.kind.name, attempt.id)
            with contextlib.suppress(QuickThumbError):
                await handler.abandoned(attempt)
            raise
        except asyncio.CancelledError:
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=CANCEL_AGAIN_SECONDS)
            # Where the lease is lost there is nothing to put back.
            with contextlib.suppress(LeaseLost):
                released = Snooze(blameless=True, seconds=0)
                await asyncio.shield(self._settle(handler, attempt, released, started))
            raise
        finally:
            del self._running[attempt.token]

    @staticmethod
    async def _ended(running: _Running) -> Verdict:
        """What the handler's task has answered or raised. Raises LeaseLost when it was cancelled for that."""
        await asyncio.wait([running.task])
        if running.lost:
            if not running.task.cancelled():
                running.task.exception()  # looked at, so that nobody warns of it
            raise LeaseLost
        return running.task.result()

    async def _verdict(self, handler: Handler, attempt: Attempt) -> Verdict:
        """What is to become of the item, whatever the handler raises."""
        try:
            verdict = await self._first_verdict(handler, attempt)
            is_last = isinstance(verdict, Snooze) and not verdict.blameless and attempt.strike >= handler.max_attempts
            if is_last and isinstance(verdict, Snooze) and verdict.error is not None:
                return await handler.fail(attempt, verdict.error)
            return verdict
        except LeaseLost:
            raise
        except QuickThumbError as error:
            return Snooze(blameless=not error.permanent, error=error)
        except Exception:
            log.exception("%s %s: attempt %d failed unexpectedly", attempt.kind.name, attempt.id, attempt.number)
            return Snooze(blameless=False, error=handler.unexpected)

    @staticmethod
    async def _first_verdict(handler: Handler, attempt: Attempt) -> Verdict:
        if attempt.strike > handler.max_attempts:
            error = TooManyAttempts(f"Gave up after {handler.max_attempts} failed attempts.")
            return await handler.fail(attempt, error)
        try:
            return await handler.run(attempt)
        except LeaseLost:
            raise
        except QuickThumbError as error:
            if not error.permanent:
                raise
            return await handler.fail(attempt, error)
        except Exception:
            log.exception("%s %s: attempt %d failed unexpectedly", attempt.kind.name, attempt.id, attempt.number)
            return Snooze(blameless=False, error=handler.unexpected)

    async def _settle(self, handler: Handler, attempt: Attempt, verdict: Verdict, started: float) -> Verdict:
        """Tells Redis. The verdict, with the time after which the item is due again. Raises LeaseLost."""
        busy_seconds, seconds = time.monotonic() - started, 0.0
        if isinstance(verdict, Snooze):
            seconds = _pause_seconds(handler, attempt) if verdict.seconds is None else verdict.seconds
            verdict = replace(verdict, seconds=seconds)
        settled = await self._attempts.settle(
            attempt,
            verdict.status,
            fields=verdict.fields,
            busy_seconds=busy_seconds,
            blameless=isinstance(verdict, Snooze) and verdict.blameless,
            delay_seconds=seconds,
        )
        if not settled:
            raise LeaseLost
        _tell(attempt, verdict, busy_seconds)
        return verdict


def _pause_seconds(handler: Handler, attempt: Attempt) -> float:
    """Exponential backoff, starting at 1 s."""
    return min(handler.longest_pause_seconds, 2.0 ** min(attempt.number - 1, 30))


def _tell(attempt: Attempt, verdict: Verdict, busy_seconds: float) -> None:
    """One line in the log for each attempt."""
    item = f"{attempt.kind.name} {attempt.id}"
    match verdict:
        case Done(summary=summary):
            log.info("%s: %s in %.0f ms, at attempt %d", item, summary, busy_seconds * 1000, attempt.number)
        case Failed(error=error):
            log.warning("%s FAILED at attempt %d: %s", item, attempt.number, error.detail)
        case Snooze(error=error, seconds=seconds) if error is not None:
            log.warning("%s waits %g s for another attempt: %s", item, seconds, error.detail)
        case _:
            log.info("%s is %s after attempt %d", item, verdict.status, attempt.number)
