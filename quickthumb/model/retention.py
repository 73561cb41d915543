"""How long jobs are kept after their end: for all, for a tenant, or for one job."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

FOREVER = "forever"
MINUTE_SECONDS = 60
YEAR_SECONDS = 365 * 86_400
# What a job may ask for itself, and what a setting may say.
SHORTEST_KEEP_SECONDS, LONGEST_KEEP_SECONDS = MINUTE_SECONDS, 10 * YEAR_SECONDS
LONGEST_SECONDS = 100 * YEAR_SECONDS

_UNIT_SECONDS = {"s": 1, "m": MINUTE_SECONDS, "h": 3600, "d": 86_400}
_LENGTH = re.compile(r"([0-9]{1,9})([smhd])")


def seconds_in(text: str) -> float:
    """The seconds in `forever` (infinitely many), or in a length of time such as 90s, 10m, 12h or 30d.

    Raises ValueError for any other text.
    """
    if text == FOREVER:
        return math.inf
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise ValueError("must be `forever`, or a length of time such as 10m, 12h or 30d")
    return float(int(found[1]) * _UNIT_SECONDS[found[2]])


def _setting(value: object) -> object:
    """A setting's value as a number, if it is text with a unit. Plain numbers are seconds."""
    if not isinstance(value, str) or re.fullmatch(r"\s*-?[0-9]+(\.[0-9]+)?\s*", value):
        return value
    try:
        return seconds_in(value.strip())
    except ValueError:
        raise ValueError("must be `forever`, a number of seconds, or a length of time such as 12h or 30d") from None


def _within_a_century(value: float) -> float:
    if math.isnan(value) or LONGEST_SECONDS < value < math.inf:
        raise ValueError("must be at most 100 years (36500d), or `forever`")
    return value


def _keep(value: str) -> str:
    seconds = seconds_in(value)
    if seconds < math.inf and not SHORTEST_KEEP_SECONDS <= seconds <= LONGEST_KEEP_SECONDS:
        raise ValueError("must be from 1m to 3650d, or `forever`")
    return value


# A setting: seconds, infinitely many for `forever`.
Seconds = Annotated[float, BeforeValidator(_setting), AfterValidator(_within_a_century)]
# How long a client wants a job to be kept, as text.
Keep = Annotated[
    str,
    AfterValidator(_keep),
    WithJsonSchema({"type": "string", "pattern": "^(forever|[0-9]{1,9}[smhd])$", "examples": ["forever", "30d", "1h"]}),
]


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many seconds after its end a job and its results are kept, and its source: math.inf for ever."""

    job_seconds: float
    source_seconds: float


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """The retention of everybody's jobs, and that of the tenants for which it is another one."""

    general: Retention
    tenants: Mapping[str, Retention] = field(default_factory=dict)

    def of(self, tenant: str) -> Retention:
        """The retention of the jobs of a tenant that do not say themselves how long they are to be kept."""
        return self.tenants.get(tenant, self.general)
