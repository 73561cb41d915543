"""The one engine of attempts: it runs the handler of what was claimed, keeps the lease, and settles the attempt."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace

from quickthumb import logs
from quickthumb.config import TroubleLimits
from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.codec import request_id_of
from quickthumb.work.errors import LeaseLost, TooManyAttempts
from quickthumb.work.handler import Done, Failed, Handler, Snooze, Verdict, failed_in_redis
from quickthumb.work.trouble import gave_up, is_too_much, pause_seconds, trouble_of

log = logging.getLogger("quickthumb.job")

# How long to wait before cancelling a task again: it may swallow one cancellation, as `wait_for` of Python 3.11 does.
CANCEL_AGAIN_SECONDS = 0.5


@dataclass(slots=True)
class _Running:
    attempt: Attempt
    task: "asyncio.Task[Verdict]"
    lost: bool = False


class Runner:
    """Runs attempts at items of every kind, each under a lease of `lease_seconds`, which `renew_leases` renews.

    An item fails once it had more trouble that it is not to blame for than the `limits` allow.
    """

    def __init__(self, attempts: Attempts, *, lease_seconds: float, limits: TroubleLimits | None = None) -> None:
        self._attempts = attempts
        self._lease_seconds = lease_seconds
        self._limits = limits or TroubleLimits()
        self._running: dict[str, _Running] = {}
        # How many items of each kind it has brought to DONE.
        self.done: Counter[str] = Counter()

    @property
    def running(self) -> list[Attempt]:
        """The attempts that are being made, the oldest first."""
        return [each.attempt for each in self._running.values()]

    async def run(self, handler: Handler, attempt: Attempt) -> Verdict:
        """Runs an attempt that was claimed, and settles it. Returns the verdict.

        Raises LeaseLost when the item no longer belongs to this worker. When cancelled, releases the item: it goes back
        into the queue, without a strike.
        """
        logs.mark(request_id=request_id_of(attempt.fields))
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
            # If the lease is lost, there is nothing to release.
            with contextlib.suppress(LeaseLost):
                released = Snooze(blameless=True, seconds=0)
                await asyncio.shield(self._settle(handler, attempt, released, started))
            raise
        finally:
            del self._running[attempt.token]

    async def renew_leases(self) -> None:
        """Renews the leases of all running attempts, and cancels the attempts whose lease is lost.

        Call it well before `lease_seconds` have passed since the last call.
        """
        running = list(self._running.values())
        held = [each for each in running if not each.lost]
        lost = await self._attempts.renew([each.attempt for each in held], lease_seconds=self._lease_seconds)
        for each in running:
            each.lost |= each.attempt.token in lost
            if each.lost:
                # Cancel again at each renewal, since the task may swallow a single cancellation.
                each.task.cancel()

    @staticmethod
    async def _ended(running: _Running) -> Verdict:
        """The verdict that the handler's task returns. Raises what the task raises; LeaseLost if the lease was lost."""
        # As `asyncio.wait` does it, but at a fraction of its cost: whoever cancels this leaves the task alone.
        ended = asyncio.Event()
        running.task.add_done_callback(lambda _: ended.set())
        await ended.wait()
        if running.lost:
            if not running.task.cancelled():
                running.task.exception()  # retrieve it, so that asyncio does not warn about it
            raise LeaseLost
        return running.task.result()

    async def _verdict(self, handler: Handler, attempt: Attempt) -> Verdict:
        """The verdict on the item, also when the handler raises an error. Raises LeaseLost, and no other error."""
        verdict = await self._patient_verdict(handler, attempt)
        trouble = trouble_of(verdict)
        if trouble is None or not is_too_much(attempt, self._limits):
            return verdict
        error = gave_up(attempt, trouble)
        try:
            return await handler.fail(attempt, error)
        except LeaseLost:
            raise
        except Exception:
            # The same trouble may keep the outcome from the storage. Once a repair finds the record without an outcome,
            # the item is queued again.
            log.warning("%s %s: its end could not be stored", attempt.kind.name, attempt.id, exc_info=True)
            return failed_in_redis(error)

    async def _patient_verdict(self, handler: Handler, attempt: Attempt) -> Verdict:
        """The verdict on the item, which waits as long as there is trouble. Raises LeaseLost, and no other error."""
        try:
            verdict = await self._first_verdict(handler, attempt)
            is_last = isinstance(verdict, Snooze) and not verdict.blameless and attempt.strike >= handler.max_attempts
            if is_last and isinstance(verdict, Snooze) and verdict.error is not None:
                return await handler.fail(attempt, verdict.error)
            return verdict
        except LeaseLost:
            raise
        except QuickThumbError as error:
            return _unended(handler, attempt, error, blameless=not error.permanent)
        except Exception:
            log.exception("%s %s: attempt %d failed unexpectedly", attempt.kind.name, attempt.id, attempt.number)
            return _unended(handler, attempt, handler.unexpected, blameless=False)

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
        """Settles the attempt in Redis. Returns the verdict, a Snooze with its actual delay. Raises LeaseLost."""
        busy_seconds, seconds = time.monotonic() - started, 0.0
        is_trouble = trouble_of(verdict) is not None
        if isinstance(verdict, Snooze):
            seconds = _pause_seconds(handler, attempt, verdict)
            if is_trouble and not verdict.is_cheap_again:
                seconds = max(seconds, pause_seconds(busy_seconds))
            verdict = replace(verdict, seconds=seconds)
        settled = await self._attempts.settle(
            attempt,
            verdict.status,
            fields=verdict.fields,
            busy_seconds=busy_seconds,
            blameless=isinstance(verdict, Snooze) and verdict.blameless,
            troubled=is_trouble,
            found_large=_waits_its_turn(verdict),
            delay_seconds=seconds,
            error_code=_error_code(verdict),
        )
        if not settled:
            raise LeaseLost
        if isinstance(verdict, Done):
            self.done[attempt.kind.name] += 1
        _log_verdict(attempt, verdict, busy_seconds)
        return verdict


def _unended(handler: Handler, attempt: Attempt, error: QuickThumbError, *, blameless: bool) -> Verdict:
    """The verdict on an item whose end the handler could not write to the storage.

    After the last attempt, Redis alone is told that the item FAILED: otherwise an item with an unreadable record, for
    example, would be tried for ever.
    """
    if blameless or attempt.strike <= handler.max_attempts:
        return Snooze(blameless=blameless, error=error)
    return failed_in_redis(error)


def _pause_seconds(handler: Handler, attempt: Attempt, verdict: Snooze) -> float:
    """How long the item pauses: exponential backoff, starting at 1 s, unless the verdict says how long. An item that
    only waits for its turn keeps its place in the queue."""
    if verdict.seconds is not None:
        return verdict.seconds
    if _waits_its_turn(verdict):
        return 0.0
    return min(handler.longest_pause_seconds, 2.0 ** min(attempt.number - 1, 30))


def _error_code(verdict: Verdict) -> str | None:
    """The code of the error with which the attempt ended, if any."""
    error = verdict.error if isinstance(verdict, Failed | Snooze) else None
    return None if error is None else error.code


def _waits_its_turn(verdict: Verdict) -> bool:
    """Whether the item is a large one that waits for others of its kind."""
    return isinstance(verdict, Snooze) and verdict.error is not None and verdict.error.waits_its_turn


def _log_verdict(attempt: Attempt, verdict: Verdict, busy_seconds: float) -> None:
    """Logs one line for each attempt."""
    item = f"{attempt.kind.name} {attempt.id}"
    match verdict:
        case Done(summary=summary):
            log.info("%s: %s in %.0f ms (attempt %d)", item, summary, busy_seconds * 1000, attempt.number)
        case Failed(error=error):
            log.warning("%s: FAILED at attempt %d: %s", item, attempt.number, error.detail)
        case Snooze(error=error) if error is not None and error.waits_its_turn:
            log.info("%s: waiting in the queue: %s", item, for_operators(error))
        case Snooze(error=error, seconds=seconds) if error is not None:
            log.warning("%s: retrying in %g s: %s", item, seconds, for_operators(error))
        case _:
            log.info("%s: %s after attempt %d", item, verdict.status, attempt.number)
