"""The settings of one tenant, where they differ from the general ones."""

from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from quickthumb.config.declaring import STRICT
from quickthumb.model.allowance import NO_QUOTAS, Quotas
from quickthumb.model.retention import Retention, Seconds


@dataclass(frozen=True, config=STRICT)
class TenantSettings:
    """One entry of the setting TENANTS.

    The presets are those of this tenant alone, beside those for all. The quotas count for all of the tenant's keys
    together, beside those of each key. A retention time that is None is the one for all.
    """

    presets: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    retention_seconds: Annotated[Seconds, Field(ge=1)] | None = None
    source_retention_seconds: Annotated[Seconds, Field(ge=0)] | None = None
    quotas: Quotas = NO_QUOTAS

    def retention(self, general: Retention) -> Retention:
        """The tenant's retention; values that it leaves open come from the general one."""
        job, source = self.retention_seconds, self.source_retention_seconds
        return Retention(
            general.job_seconds if job is None else job, general.source_seconds if source is None else source
        )
