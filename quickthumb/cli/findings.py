"""What the checks of `quickthumb doctor` find."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warn"
    FAILURE = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: in one sentence, what is there or what is wrong, and what to do about it."""

    level: Level
    subject: str
    sentence: str
