"""The errors that verbs raise."""

from quickthumb.intake.errors import TooManyBytes, UnsupportedMediaType, UploadTimedOut
from quickthumb.model.caller import Scope
from quickthumb.model.errors import (
    BrokenImage,
    MalformedRequest,
    OrderTooLarge,
    QuickThumbError,
    TooManyFrames,
    TooManyParts,
    TooManyPixels,
    UnsupportedImage,
)
from quickthumb.model.job import Failure
from quickthumb.outbound.allowed import UrlNotAllowed
from quickthumb.queue.errors import QueueUnavailable, QuotaExceeded
from quickthumb.storage.errors import DiskFull, StorageUnavailable, WrongStorage


class UnknownJob(QuickThumbError):
    """No job has this id, or the job was removed: by a client, or some time after its end."""

    code, status, title = "unknown_job", 404, "There is no such job"


class UnknownBatch(QuickThumbError):
    """No batch has this id, or none of its jobs is kept any more."""

    code, status, title = "unknown_batch", 404, "There is no such batch"


class BatchCutOff(QuickThumbError):
    """The request of the batch broke off. The batch has the images that had arrived by then; send the others in another
    batch."""

    code, status, title = "batch_cut_off", 400, "The request of the batch broke off"


class UnknownResult(QuickThumbError):
    """The job makes no result of this name, or the result was not made or is no longer kept."""

    code, status, title = "unknown_result", 404, "The job has no such result"


class JobFailed(QuickThumbError):
    """A result was asked for, but its job FAILED. `failure` says why."""

    code, status, title = "job_failed", 404, "The job has failed, so it has no results"

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"The job FAILED with {failure.code}: {failure.detail}")
        self.failure = failure


class NotReady(QuickThumbError):
    """The results exist once the job is DONE. Ask for the job with `?wait=` to learn when it has ended."""

    code, status, title = "not_ready", 409, "The job has not finished"
    retry_after_seconds = 1


class UnknownWebhook(QuickThumbError):
    """The tenant has no webhook with this id, or the webhook was deleted, or its server answered 410 Gone."""

    code, status, title = "unknown_webhook", 404, "There is no such webhook"


class UnknownDelivery(QuickThumbError):
    """The tenant has no delivery with this id, or the delivery is too old to be kept."""

    code, status, title = "unknown_delivery", 404, "There is no such delivery"


class TooManyWebhooks(QuickThumbError):
    """The tenant has as many webhooks as it may have. Delete one that you do not need."""

    code, status, title = "too_many_webhooks", 409, "The tenant has too many webhooks"


class WebhookNotAllowed(QuickThumbError):
    """The setting `WEBHOOK_ALLOWED` does not admit the URL in `webhook`. Webhooks made with `POST /webhooks` need no
    entry there."""

    code, status, title = "webhook_not_allowed", 403, "Events may not be sent to this URL"


class WrongState(QuickThumbError):
    """Only a job that has not ended can be cancelled, and only a FAILED job with a source, or with the URL of
    one, can be retried."""

    code, status, title = "wrong_state", 409, "The job's status does not allow this"


class NotWaiting(QuickThumbError):
    """The priority and the schedule of a job can be changed only while it is WAITING, and only 100 times."""

    code, status, title = "not_waiting", 409, "The job is no longer WAITING"


class KeyReused(QuickThumbError):
    """The key came with another image, file name or parameters before. Use a new key for a new request."""

    code, status, title = "idempotency_key_reused", 422, "The Idempotency-Key was used for a different request"


class QueueFull(QuickThumbError):
    """As many jobs or emails as allowed are waiting. Try again later."""

    code, status, title, permanent = "queue_full", 503, "The queue is full", False
    retry_after_seconds = 10


class OriginalWithheld(QuickThumbError):
    """Originals are served without the place where the picture was taken, and the file has so many parts that searching
    all of them would take too long. The setting `ORIGINAL_METADATA=keep` serves originals as they were uploaded."""

    code, status, title = "original_withheld", 403, "The original cannot be served without its location"


class TooManyStreams(QuickThumbError):
    """Your network address has `MAX_EVENT_STREAMS_PER_ADDRESS` streams of events open. Close some: one stream can
    follow many jobs (`/events?job=…&job=…`)."""

    code, status, title, permanent = "too_many_streams", 429, "Too many streams of events", False
    retry_after_seconds = 10


class StreamsFull(QuickThumbError):
    """This web process has `MAX_EVENT_STREAMS` streams of events open. Ask for the job with `?wait=` instead, or try
    again later."""

    code, status, title, permanent = "streams_full", 503, "The server has no room for another stream of events", False
    retry_after_seconds = 10


class AddressNotAllowed(QuickThumbError):
    """The setting `EMAIL_ALLOWED` does not admit the address."""

    code, status, title = "address_not_allowed", 403, "Sending to this address is not allowed"


class TooManyEmails(QuickThumbError):
    """Within the last hour, `EMAIL_PER_ADDRESS_PER_HOUR` emails to this address were accepted, or `EMAIL_PER_HOUR` in
    all. Try again after the time in `Retry-After`."""

    code, status, title, permanent = "too_many_emails", 429, "Too many emails", False

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class KeyRequired(QuickThumbError):
    """The request has no API key. Send one as `Authorization: Bearer qt_…`; `quickthumb keys create` makes one. A
    service without keys answers only on its own machine, unless `OPEN_ACCESS` lets in everybody who can reach it."""

    code, status, title = "key_required", 401, "An API key is required"


class PresetNotAllowed(QuickThumbError):
    """The API key or upload policy allows certain presets only, which `detail` names, and no outputs or parameters of
    your own. Name one of them as `preset`, or none to get the first. `GET /presets` shows them."""

    code, status, title = "preset_not_allowed", 403, "This preset is not allowed"


class InvalidKey(QuickThumbError):
    """There is no such API key, or it has expired or was revoked."""

    code, status, title = "invalid_key", 401, "The API key is not valid"


class InsufficientScope(QuickThumbError):
    """The API key does not have the scope that the request needs. `quickthumb keys list` shows which it has."""

    code, status, title = "insufficient_scope", 403, "The API key does not allow this"

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"The API key lacks the scope {scope}.")
        self.scope = scope


class PolicyUsed(QuickThumbError):
    """As many images as the upload policy allows (`max_uses`) were uploaded with it. Ask your backend for a new one."""

    code, status, title = "policy_used", 403, "The upload policy is used up"


class NotForTenants(QuickThumbError):
    """The request concerns the whole service, or a tenant other than that of its key. Only `admin` keys of the
    operator's tenant, `default`, may do that."""

    code, status, title = "not_for_tenants", 403, "This is only for the operator of the service"


class KeysUnknown(QuickThumbError):
    """The service has just started and has not been able to read its API keys from the storage. Try again later."""

    code, status, title, permanent = "keys_unknown", 503, "The service does not know its API keys yet", False
    retry_after_seconds = 2


# The errors that a request may be refused with if it needs a key, or a caller who has quotas.
KEY: tuple[type[QuickThumbError], ...] = (
    KeyRequired,
    InvalidKey,
    InsufficientScope,
    KeysUnknown,
    WrongStorage,
    QuotaExceeded,
)

# The errors that an upload may be refused with, whichever endpoint it comes through.
UPLOAD: tuple[type[QuickThumbError], ...] = (
    MalformedRequest,
    UploadTimedOut,
    TooManyBytes,
    UnsupportedMediaType,
    UnsupportedImage,
    BrokenImage,
    TooManyPixels,
    TooManyFrames,
    TooManyParts,
    OrderTooLarge,
    PresetNotAllowed,
    UrlNotAllowed,
    QueueFull,
    QueueUnavailable,
    StorageUnavailable,
    WrongStorage,
    DiskFull,
)
