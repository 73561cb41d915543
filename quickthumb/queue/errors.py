"""The errors that the queue raises."""

from quickthumb.model.errors import QuickThumbError


class QueueUnavailable(QuickThumbError):
    """The service cannot reach Redis, or Redis takes no writes. Nothing was accepted; try again."""

    code, status, title, permanent = "queue_unavailable", 503, "The queue cannot be reached", False
    retry_after_seconds = 2


class RequestInProgress(QuickThumbError):
    """Another request with the same `Idempotency-Key` has not ended. Try again for its answer."""

    code, status, title = "request_in_progress", 409, "The same request is still being received"
    retry_after_seconds = 1


class PolicyInUse(QuickThumbError):
    """Uploads with this policy are under way, as many as it allows. If one of them fails, its use is free again."""

    code, status, title, permanent = "policy_in_use", 409, "The upload policy is being used", False
    retry_after_seconds = 1
