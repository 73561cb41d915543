"""A job: its status, source, order and results, and the allowed moves from one status to another."""

import json
import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from quickthumb.model.caller import DEFAULT_TENANT, KEY_CLIENT
from quickthumb.model.quota import is_of_address
from quickthumb.model.source import Fetch, Source


class Status(StrEnum):
    """The status of a job or an email. The last three are final, except that a user can retry a FAILED job, which moves
    it back to WAITING.
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

# Every allowed move; the scripts refuse all others. IN_PROGRESS to IN_PROGRESS is a new attempt that takes the job over
# from a worker that died and so could not move the job back to WAITING.
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
    """The file made for one output. Extra fields hold further facts about how it was made.

    `filename` is the file's name in the storage. `width` and `height` are in pixels, `bytes` is the file's size.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    filename: str
    format: str
    width: int
    height: int
    bytes: int


class Failure(BaseModel):
    """Why a job FAILED, in the terms of the catalogue of errors."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="A stable code from the catalogue of errors.", examples=["broken_image"])
    title: str = Field(description="What the code means, in a few words.")
    detail: str = Field(description="What went wrong, in one sentence.")
    retryable: bool = Field(False, description="Whether the job may succeed when it is retried.")


class Job(BaseModel):
    """One source and one order, with a status.

    `tenant` owns the job. `client` is who submitted it (`Caller.client`); of an address, only Redis knows.
    `counted_for` has the quotas that count what it keeps (`Policy.counted`); of those of addresses, too, only Redis
    knows. `request_id` is the id of the request that it came with, `batch` that of its batch. `fetch` says where the
    source is to be fetched from; only the record knows. `order` is the order in its stored form, which `Order.written`
    makes and `Order.read` reads: it always has `outputs`, and other fields only where they differ from their defaults.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str = DEFAULT_TENANT
    client: str | None = None
    counted_for: tuple[str, ...] = ()
    request_id: str | None = None
    batch: str | None = None
    status: Status = Status.WAITING
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    source: Source
    fetch: Fetch | None = None
    order: dict[str, Any]
    results: tuple[Result, ...] = ()
    error: Failure | None = None

    @property
    def outputs(self) -> tuple[dict[str, Any], ...]:
        """The requested outputs, each as its name and the parameters that differ from their defaults."""
        return tuple(self.order["outputs"])

    def record(self) -> bytes:
        """The JSON that the storage keeps from the job's acceptance on: only the request, no status or results.

        `outputs` is at the top level, next to `order` with the order's other fields, because the first release looks
        for it there.
        """
        others = {name: value for name, value in self.order.items() if name != "outputs"}
        kept = self.model_dump(mode="json", include={"id", "created_at", "source"})
        kept["outputs"] = self.order["outputs"]
        if self.tenant != DEFAULT_TENANT:
            kept["tenant"] = self.tenant
        if self.client is not None and self.client.startswith(KEY_CLIENT):
            kept["client"] = self.client
        if counted_for := [counted for counted in self.counted_for if not is_of_address(counted)]:
            kept["counted_for"] = counted_for
        if self.request_id is not None:
            kept["request_id"] = self.request_id
        if self.batch is not None:
            kept["batch"] = self.batch
        if self.fetch is not None:
            kept["fetch"] = self.fetch.model_dump(mode="json", exclude_defaults=True)
        if others:
            kept["order"] = others
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_record(cls, record: bytes) -> "Job":
        """The job as it was accepted, from a record that any release wrote."""
        kept = json.loads(record)
        return cls(
            id=kept["id"],
            tenant=kept.get("tenant", DEFAULT_TENANT),
            client=kept.get("client"),
            counted_for=kept.get("counted_for", ()),
            request_id=kept.get("request_id"),
            batch=kept.get("batch"),
            created_at=kept["created_at"],
            source=kept["source"],
            fetch=kept.get("fetch"),
            order={"outputs": kept["outputs"], **kept.get("order", {})},
        )


class Outcome(BaseModel):
    """How a job ended. The storage keeps it next to the results, and Redis gets the same facts."""

    model_config = ConfigDict(frozen=True)

    status: Status
    finished_at: datetime
    source: Source
    results: tuple[Result, ...] = ()
    error: Failure | None = None


def new_id() -> str:
    """A new id: 128 random bits in hexadecimal, so that nobody can guess ids or count them."""
    return secrets.token_hex(16)


_ID = re.compile(r"[0-9a-f]{32}")


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id. Nothing else may become part of a key or a path."""
    return _ID.fullmatch(text) is not None


def now() -> datetime:
    """The current time in UTC, in whole milliseconds: the precision in which times are stored and shown."""
    return from_milliseconds(int(datetime.now(UTC).timestamp() * 1000))


def from_milliseconds(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
