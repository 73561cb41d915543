"""Why an attempt may end without a verdict from its handler's `run`."""

from typing import ClassVar

from quickthumb.model.errors import QuickThumbError


class TooManyAttempts(QuickThumbError):
    """Each of `MAX_ATTEMPTS` attempts ended unexpectedly. The workers' logs say why."""

    code, status, title = "too_many_attempts", 500, "Too many failed attempts"
    retry_may_help: ClassVar[bool] = True


class GaveUp(QuickThumbError):
    """Trouble that was not the fault of the job or the email, such as a full disk, did not pass within
    `GIVE_UP_SECONDS`. The detail names the last trouble. Once it is over, retry the job."""

    code, status, title = "gave_up", 500, "Gave up waiting for trouble to pass"
    retry_may_help: ClassVar[bool] = True


class RecordMissing(QuickThumbError):
    """The storage has no record of the item, and nothing says that the item was removed."""

    code, status, title = "record_missing", 500, "The record is missing"


class FetchFailed(QuickThumbError):
    """The image could not be fetched from its URL; `detail` says why. Temporary failures were retried, up to
    `URL_ATTEMPTS` attempts in all. Retry the job once the image is available."""

    code, status, title = "fetch_failed", 502, "The image could not be fetched"


class FetchRefused(QuickThumbError):
    """The URL, or one that it redirects to, leads to an address that the service sends no requests to: inside its own
    network, or on an unusual port. The setting `OUTBOUND_ALLOWED` can open it."""

    code, status, title = "fetch_refused", 422, "The service makes no requests to the image's URL"


class LeaseLost(Exception):
    """The item no longer belongs to this worker: it was cancelled, removed or taken over by another worker. This worker
    must not touch it any more."""
