"""When a job may begin: after a delay, or at a moment. And what a client may change about a job that waits."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from quickthumb.model.errors import InvalidParameter
from quickthumb.model.output import refusal
from quickthumb.model.priority import LONGEST_AHEAD_SECONDS, Priority

# A time as RFC 3339 writes it, always with its zone.
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})")
_FRACTION = re.compile(r"\.(\d{1,9})")
# The fields of an order that only a queue gives a meaning to.
FIELDS = frozenset({"priority", "delay", "run_at"})
# How far the clocks of a client and of this machine may differ.
TOLERANCE_SECONDS = 60


def _moment(value: object) -> datetime:
    """The moment in UTC, in whole milliseconds."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise ValueError("must be a time with its zone, such as 2026-01-31T12:00:00Z")
    try:
        text = _FRACTION.sub(lambda found: f".{found[1][:3]:0<3}", value.upper())
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such time") from None
    if moment > datetime.now(UTC) + timedelta(seconds=LONGEST_AHEAD_SECONDS + TOLERANCE_SECONDS):
        raise ValueError("must be at most 30 days ahead")
    return moment


Delay = Annotated[int, Field(ge=0, le=LONGEST_AHEAD_SECONDS)]
RunAt = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"]}),
]


def refuse_two_schedules(delay: int | None, run_at: datetime | None) -> None:
    """Refuses what says twice when a job may begin. For validators."""
    if delay is not None and run_at is not None:
        raise PydanticCustomError(
            "combination", "{field} {reason}", {"field": "run_at", "reason": "cannot be combined with delay"}
        )


def due_at(delay: int | None, run_at: datetime | None, moment: datetime) -> datetime | None:
    """When a job may begin that is accepted, or changed, at `moment`; None for at once."""
    return run_at if delay is None else moment + timedelta(seconds=delay)


class ScheduleChange(BaseModel):
    """What to change about a job that waits. A field that is left out changes nothing; a `run_at` of null, or one in
    the past, has the job begin as soon as it is its turn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    priority: Priority | None = Field(None, description="The priority from now on.")
    delay: Annotated[StrictInt, Field(ge=0, le=LONGEST_AHEAD_SECONDS)] | None = Field(
        None, description="How many seconds to wait, from now on, before the job may begin; up to 30 days."
    )
    run_at: RunAt | None = Field(
        None,
        description="When the job may begin, as a time of RFC 3339 with its zone, up to 30 days ahead; null for as "
        "soon as it is its turn.",
    )

    @model_validator(mode="after")
    def _is_scheduled_once(self) -> Self:
        refuse_two_schedules(self.delay, self.run_at)
        return self

    @property
    def reschedules(self) -> bool:
        """Whether it changes when the job is due."""
        return self.delay is not None or "run_at" in self.model_fields_set

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Parses a JSON object. Raises InvalidParameter, naming the field at fault, also if it would change nothing."""
        try:
            change = cls.model_validate(dict(given))
        except ValidationError as error:
            raise refusal(error, cls.model_fields) from None
        if change.priority is None and not change.reschedules:
            raise InvalidParameter("One of priority, delay and run_at must be given.", field="priority")
        return change
