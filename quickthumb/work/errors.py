"""Why an attempt may end without a verdict from its handler's `run`."""

from typing import ClassVar

from quickthumb.model.errors import QuickThumbError


class TooManyAttempts(QuickThumbError):
    """Each of `MAX_ATTEMPTS` attempts ended unexpectedly. The workers' logs say why."""

    code, status, title = "too_many_attempts", 500, "Too many failed attempts"
    retry_may_help: ClassVar[bool] = True


class GaveUp(QuickThumbError):
    """Trouble that nobody could blame on the job or the email, such as a full disk, did not pass within
    `GIVE_UP_SECONDS`. The detail names the last trouble. Once it is over, retry the job."""

    code, status, title = "gave_up", 500, "Gave up waiting for trouble to pass"
    retry_may_help: ClassVar[bool] = True


class RecordMissing(QuickThumbError):
    """The storage has no record of the item, and nothing says that the item was removed."""

    code, status, title = "record_missing", 500, "The record is missing"


class LeaseLost(Exception):
    """The item no longer belongs to this worker: it was cancelled, removed or taken over by another worker. This worker
    must not touch it any more."""
