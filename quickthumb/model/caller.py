"""Who asks."""

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_TENANT = "default"


class Scope(StrEnum):
    """What a caller may be allowed to do."""

    IMAGES_WRITE = "images:write"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    RESULTS_READ = "results:read"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the tenant that owns what they make, the API key and the network address that they came with, and what
    they may do. The service's verbs take one as their first argument, and show each caller their tenant's jobs only.
    """

    tenant: str = DEFAULT_TENANT
    key_id: str | None = None
    address: str | None = None
    scopes: frozenset[Scope] = frozenset(Scope)


# Without API keys, every request comes from the same caller, who may do everything.
ANONYMOUS = Caller()
