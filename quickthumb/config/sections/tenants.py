"""What is different for one tenant."""

from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from quickthumb.config.declaring import STRICT
from quickthumb.model.allowance import NO_QUOTAS, Quotas


@dataclass(frozen=True, config=STRICT)
class TenantSettings:
    """One entry of the setting TENANTS.

    The presets are those of this tenant alone, beside those for all. The quotas count for all of the tenant's keys
    together, beside those of each key. A retention time that is None is the one for all.
    """

    presets: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    retention_seconds: int | None = Field(default=None, ge=1)
    source_retention_seconds: int | None = Field(default=None, ge=0)
    quotas: Quotas = NO_QUOTAS
