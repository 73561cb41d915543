"""A job: its status, source, order and results, and the moves that its status may make."""

import json
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.source import Source


class Status(StrEnum):
    """Where a job stands. The last three are its end: it never leaves them by itself.

    A FAILED job waits again when someone asks for it.
    """

    WAITING = "WAITING"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        return self in ENDED


ENDED = frozenset({Status.DONE, Status.FAILED, Status.CANCELLED})

# Every move there is; the scripts refuse any other. IN_PROGRESS to itself is a new attempt that takes the job over
# from a worker which died: it passes through WAITING without anyone having to be there to write it.
MOVES: dict[Status, frozenset[Status]] = {
    Status.WAITING: frozenset({Status.IN_PROGRESS, Status.FAILED, Status.CANCELLED}),
    Status.IN_PROGRESS: frozenset({Status.IN_PROGRESS, Status.WAITING, Status.DONE, Status.FAILED, Status.CANCELLED}),
    Status.DONE: frozenset(),
    Status.FAILED: frozenset({Status.WAITING}),
    Status.CANCELLED: frozenset(),
}


def origins(target: Status) -> list[Status]:
    """The statuses from which a job may move to `target`."""
    return [status for status, targets in MOVES.items() if target in targets]


class Result(BaseModel):
    """The file made for one output. What else is known of its making stands beside these.

    `filename` is its name in the storage; sizes are in pixels and bytes.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    filename: str
    format: str
    width: int
    height: int
    bytes: int


class Failure(BaseModel):
    """Why a job FAILED, in the words of the catalogue of errors."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="A stable code from the catalogue of errors.", examples=["broken_image"])
    title: str = Field(description="What the code means, in a few words.")
    detail: str = Field(description="What went wrong, in one sentence.")


class Job(BaseModel):
    """One source and one order, with a status.

    `tenant` is whose job it is. `order` is the order as it is kept: `Order.written` makes it, `Order.read` reads it.
    Its `outputs` are always there, its other fields where they differ from their defaults.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str = DEFAULT_TENANT
    status: Status = Status.WAITING
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    source: Source
    order: dict[str, Any]
    results: tuple[Result, ...] = ()
    error: Failure | None = None

    @property
    def outputs(self) -> tuple[dict[str, Any], ...]:
        """The wanted outputs, each as its name and the parameters that differ from their defaults."""
        return tuple(self.order["outputs"])

    def record(self) -> bytes:
        """What the storage keeps of the job from its acceptance on: what was asked for, nothing of what became of it.

        `outputs` stand beside the other fields of the order, where the first release looks for them.
        """
        others = {name: value for name, value in self.order.items() if name != "outputs"}
        kept = self.model_dump(mode="json", include={"id", "created_at", "source"})
        kept["outputs"] = self.order["outputs"]
        if self.tenant != DEFAULT_TENANT:
            kept["tenant"] = self.tenant
        if others:
            kept["order"] = others
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_record(cls, record: bytes) -> "Job":
        """The job as it was accepted. Reads the records of every release."""
        kept = json.loads(record)
        return cls(
            id=kept["id"],
            tenant=kept.get("tenant", DEFAULT_TENANT),
            created_at=kept["created_at"],
            source=kept["source"],
            order={"outputs": kept["outputs"], **kept.get("order", {})},
        )


class Outcome(BaseModel):
    """How a job ended: what the storage keeps beside the results, and what Redis is told."""

    model_config = ConfigDict(frozen=True)

    status: Status
    finished_at: datetime
    source: Source
    results: tuple[Result, ...] = ()
    error: Failure | None = None


def new_id() -> str:
    """128 random bits, in hexadecimal: neither to be guessed nor to be counted."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Whether `text` could be a job's id; nothing else may become part of a key or a path."""
    return len(text) == 32 and all(character in "0123456789abcdef" for character in text)


def now() -> datetime:
    """The time, in whole milliseconds, as it is kept and shown."""
    return from_milliseconds(int(datetime.now(UTC).timestamp() * 1000))


def from_milliseconds(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
