"""Which of the jobs that wait is next: their priorities, and how long one may overtake another."""

from typing import Literal, get_args

from pydantic import Field
from pydantic.dataclasses import dataclass

Priority = Literal["high", "normal", "low"]

# How far ahead a job may be scheduled.
LONGEST_AHEAD_SECONDS = 30 * 86_400
# From the first to the last.
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
NORMAL: Priority = "normal"


@dataclass(frozen=True)
class Overtaking:
    """How long jobs of a higher priority overtake one that waits; a section of the configuration.

    A high job counts as if it had been due `high_overtakes_seconds` earlier than it was, and a low one as if it had
    been due `normal_overtakes_seconds` later. So nothing waits for ever, however many jobs of a higher priority come.
    """

    high_overtakes_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="High jobs overtake a normal one that has waited for less than this time, in seconds.",
    )
    normal_overtakes_seconds: float = Field(
        default=600.0,
        ge=0,
        description="Normal jobs overtake a low one that has waited for less than this time, in seconds; after that, "
        "it counts as a normal one.",
    )


OVERTAKING = Overtaking()
