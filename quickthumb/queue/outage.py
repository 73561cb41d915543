"""Outages of Redis: told once when they begin and once when they are over, and mistakes that no waiting mends."""

import asyncio
import logging
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions

log = logging.getLogger("quickthumb.redis")

# How Redis refuses what it otherwise does: as a replica, without memory, disk or replicas, for want of a right …
REFUSALS = re.compile("READONLY|OOM|MISCONF|NOREPLICAS|NOPERM|ACL failure|MASTERDOWN|CLUSTERDOWN|MOVED|CROSSSLOT")
REFUSAL_ERRORS = (exceptions.ReadOnlyError, exceptions.OutOfMemoryError, exceptions.NoPermissionError)
CLUSTER = re.compile("MOVED|CROSSSLOT|cluster mode")
# What stands behind an error without being its reason: the cancellation behind a timeout, and the transaction that
# Redis discards because it refuses a command in it.
NO_REASONS = (asyncio.CancelledError, exceptions.ExecAbortError)
# How redis-py words an error in a pipeline.
IN_PIPELINE = re.compile(r"""of pipeline caused error: \(["'](.*)["'],\)$""", re.DOTALL)
# Redis may refuse one command and serve others, so refusals are over when none came for this long.
QUIET_SECONDS = 6.0


class RedisMistake(Exception):
    """Redis cannot be used, and waiting will not help. The message is one sentence that says why."""


class Outage:
    """The state of one client's Redis, which `place` names in the log: the outage that is going on, and whether the
    Redis has ever answered and has proved usable (see `condition.prove`). Logs nothing if `is_silent` is set."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.has_answered = False
        self.is_usable = False
        self.is_silent = False
        self.going_on = asyncio.Event()
        self._began = 0.0
        self._ended = 0.0
        self._expects_refusals = False
        self._latest_refusal: float | None = None
        self._told: set[str] = set()

    @property
    def is_worth_telling(self) -> bool:
        """Whether an answer is news: the first of all, or one in an outage."""
        return not self.has_answered or self.going_on.is_set()

    def unreachable(self, error: Exception, began: float, attempted: float) -> None:
        """Notes that Redis cannot be reached, since the moment `began` of the monotonic clock. An attempt made before
        the end of the last outage says nothing new."""
        if attempted >= self._ended:
            self._begin(error, max(began, self._ended), "cannot be reached")

    def refused(self, error: Exception) -> None:
        """Notes that Redis refused a command."""
        if self._expects_refusals:
            return
        self._latest_refusal = time.monotonic()
        self._begin(error, self._latest_refusal, "refuses commands")

    def answered(self) -> None:
        """Notes that Redis did as it was told. Ends the outage, unless it refused something only just now."""
        self.has_answered = True
        if not self.going_on.is_set():
            return
        moment = time.monotonic()
        if self._latest_refusal is not None and moment - self._latest_refusal < QUIET_SECONDS:
            return
        seconds = (self._latest_refusal or moment) - self._began
        self._ended = moment
        self.going_on.clear()
        self._latest_refusal = None
        if not self.is_silent:
            log.warning("Redis at %s is back after %.1f s", self.place, seconds)

    @contextmanager
    def refusals_expected(self) -> Iterator[None]:
        """Commands that are refused within the block make no outage."""
        self._expects_refusals = True
        try:
            yield
        finally:
            self._expects_refusals = False

    def mistake(self, error: BaseException) -> RedisMistake | None:
        """The mistake behind an error from a Redis that has not proved usable yet; None if the trouble may pass.

        Once it has, it is waited for whatever it says: its password may be in the middle of a change, for example.
        """
        if self.is_usable:
            return None
        for cause in _causes(error):
            if isinstance(cause, RedisMistake):
                return cause
            why = _lasting_reason(cause)
            if why is not None:
                return RedisMistake(f"Redis at {self.place} {why}")
        return None

    def _begin(self, error: Exception, began: float, what: str) -> None:
        """Notes that an outage begins, or goes on. Logs each of its reasons once."""
        if not self.going_on.is_set():
            self._began = began
            self.going_on.set()
            self._told.clear()
        reason = reason_of(error)
        if reason not in self._told and not self.is_silent:
            log.warning("Redis at %s %s: %s; waiting for it", self.place, what, reason)
        self._told.add(reason)


def is_refusal(error: Exception) -> bool:
    """Whether Redis refused a command for a reason that has nothing to do with the command."""
    return isinstance(error, REFUSAL_ERRORS) or REFUSALS.search(str(error)) is not None


def reason_of(error: BaseException) -> str:
    """Why, in the words of Redis, of the system or of TLS."""
    cause = [cause for cause in _causes(error) if not isinstance(cause, NO_REASONS)][-1]
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message.rstrip('.')})"
    if isinstance(cause, TimeoutError | exceptions.TimeoutError):
        return "no answer in time"
    if isinstance(cause, socket.gaierror):
        return f"{cause.strerror}"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno) if not isinstance(cause, ssl.SSLError) else str(cause)
    in_pipeline = IN_PIPELINE.search(str(cause))
    said = in_pipeline[1] if in_pipeline else str(cause)
    said = said.partition(" script: ")[0]  # Redis adds where in a script it happened
    return said.rstrip(".") or type(cause).__name__


def _lasting_reason(error: BaseException) -> str | None:
    """What is wrong with the Redis, if it is a mistake in the settings of QuickThumb or of Redis."""
    said = str(error).rstrip(".")
    match error:
        case exceptions.AuthenticationError() | exceptions.AuthenticationWrongNumberOfArgsError():
            return f"refuses the user name or the password: {said}."
        case ssl.SSLCertVerificationError():
            why = error.verify_message.rstrip(".")
            return f"has a certificate that is not trusted ({why}); name the file of its CA with ?ssl_ca_certs=FILE."
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return "does not speak TLS: use redis:// instead of rediss://."
        case exceptions.InvalidResponse():
            return f"is not a Redis: {said}."
        case exceptions.ResponseError():
            return _lasting_refusal(error, said)
    return None


def _lasting_refusal(error: exceptions.ResponseError, said: str) -> str | None:
    if isinstance(error, exceptions.NoPermissionError) or "ACL failure" in said:
        return f"does not give its user a right that QuickThumb needs: {said}."
    if CLUSTER.search(said):
        return f"is in cluster mode, which QuickThumb cannot use: {said}."
    if "DB index" in said:
        return f"has no such database: {said}."
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__
