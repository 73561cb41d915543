"""The caller: on whose behalf a request acts."""

from dataclasses import dataclass
from enum import StrEnum

from quickthumb.model.allowance import NO_BOUNDS, NO_QUOTAS, Bounds, Quotas

DEFAULT_TENANT = "default"
# In place of a tenant's name, where the operator asks for what all tenants have.
EVERY_TENANT = "*"
# What the name of a client begins with.
KEY_CLIENT, ADDRESS_CLIENT = "key:", "address:"


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
    address that the request came with, the caller's permissions, the id of the request, and how much it may demand.

    The service's verbs take a caller as their first argument, and show only the jobs of the caller's tenant.
    """

    tenant: str = DEFAULT_TENANT
    key_id: str | None = None
    address: str | None = None
    scopes: frozenset[Scope] = frozenset(Scope)
    request_id: str | None = None
    # Whether it has a signed URL for what it asks for, whoever owns that.
    is_bearer_of_url: bool = False
    bounds: Bounds = NO_BOUNDS
    # Those of the key; the settings may have others.
    quotas: Quotas = NO_QUOTAS
    # The tenant whose key it has, if the operator acts for another one.
    own_tenant: str | None = None

    @property
    def runs_deployment(self) -> bool:
        """Whether the caller may see what concerns all tenants, if it has the scope for it: the default tenant is the
        operator's."""
        return self.tenant == DEFAULT_TENANT

    @property
    def may_see_workers(self) -> bool:
        """Whether the operator asks, also for another tenant: the names of workers are those of the operator's
        machines."""
        return Scope.ADMIN in self.scopes and self.counted_tenant == DEFAULT_TENANT

    @property
    def counted_tenant(self) -> str:
        """The tenant whose quotas count what the caller does."""
        return self.own_tenant or self.tenant

    @property
    def client(self) -> str | None:
        """Who is asking, as far as that can be told: the key or else the address. None for a Unix socket."""
        if self.key_id is not None:
            return f"{KEY_CLIENT}{self.key_id}"
        return None if self.address is None else f"{ADDRESS_CLIENT}{self.address}"


# Without API keys, every request acts for this one caller, which may do everything.
ANONYMOUS = Caller()
