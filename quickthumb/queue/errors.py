"""The errors that the queue raises."""

import math
from collections.abc import Sequence

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.quota import Standing


class QueueUnavailable(QuickThumbError):
    """The service cannot reach Redis, or Redis takes no writes. Nothing was accepted; try again."""

    code, status, title, permanent = "queue_unavailable", 503, "The queue cannot be reached", False
    retry_after_seconds = 2


class RequestInProgress(QuickThumbError):
    """Another request with the same `Idempotency-Key` has not ended. Try again to get its answer."""

    code, status, title = "request_in_progress", 409, "The same request is still being received"
    retry_after_seconds = 1


class PolicyInUse(QuickThumbError):
    """As many uploads as the policy allows are under way. If one of them fails, the policy can be used again."""

    code, status, title, permanent = "policy_in_use", 409, "The upload policy is being used", False
    retry_after_seconds = 1


class QuotaExceeded(QuickThumbError):
    """A quota is used up: of the API key, of its tenant or, without keys, of the address. `detail` and
    `violated-policies` name it. Try again after the time in `Retry-After`; without one, the request alone is larger
    than the whole quota. The settings `QUOTAS` and `TENANTS` and each key say how much is allowed."""

    code, status, title, permanent = "quota_exceeded", 429, "A quota is used up", False

    def __init__(self, standings: Sequence[Standing]) -> None:
        self.standings = tuple(standings)
        self.violated = tuple(standing for standing in standings if not standing.admitted)
        super().__init__(" ".join(_told(standing) for standing in self.violated))
        waits = [standing.wait_seconds for standing in self.violated]
        # Rounded up, so that whoever waits for so long does not come too early.
        self.retry_after_seconds = None if None in waits else max(1, *(math.ceil(wait or 0) for wait in waits))


def _told(standing: Standing) -> str:
    policy = standing.policy
    said = f"The quota {policy.name} is {policy.most}"
    if standing.wait_seconds is None:
        return f"{said}, and this request alone needs more."
    left = f"; {standing.remaining} are left" if standing.remaining else ", and it is used up"
    return f"{said}{left}."
