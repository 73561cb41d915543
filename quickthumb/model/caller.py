"""The caller: on whose behalf a request acts."""

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_TENANT = "default"


class Scope(StrEnum):
    """A permission that a caller can have."""

    IMAGES_WRITE = "images:write"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    RESULTS_READ = "results:read"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a request acts: the tenant that owns what the request creates, the API key and the network
    address that the request came with, the caller's permissions, and the id of the request.

    The service's verbs take a caller as their first argument, and show only the jobs of the caller's tenant.
    """

    tenant: str = DEFAULT_TENANT
    key_id: str | None = None
    address: str | None = None
    scopes: frozenset[Scope] = frozenset(Scope)
    request_id: str | None = None
    # Whether it has a signed URL for what it asks for, whoever owns that.
    is_bearer_of_url: bool = False


# Without API keys, every request acts for this one caller, which may do everything.
ANONYMOUS = Caller()
