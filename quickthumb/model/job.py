"""A job: its status, source, order and results, and the allowed moves from one status to another."""

import json
import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from quickthumb.model.address import client_network
from quickthumb.model.caller import ADDRESS_CLIENT, DEFAULT_TENANT, KEY_CLIENT
from quickthumb.model.priority import NORMAL, Priority
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


class PastAttempt(NamedTuple):
    """An attempt that is over. Redis alone remembers it.

    `worker` is the id of who made it, `status` what the job became, `error` the code of the error that ended the
    attempt, if one did. Of an attempt whose worker died, only the number and the start are known.
    """

    number: int
    worker: str | None
    started_ms: int
    busy_ms: int | None
    status: Status | None
    error: str | None


class Job(BaseModel):
    """One source and one order, with a status.

    `tenant` owns the job. `client` is who submitted it (`Caller.client`); of an address, only Redis knows.
    `counted_for` has the quotas that count what it keeps (`Policy.counted`); of those of addresses, too, only Redis
    knows. `request_id` is the id of the request that it came with, `batch` that of its batch. `fetch` says where the
    source is to be fetched from; only the record knows. `order` is the order in its stored form, which `Order.written`
    makes and `Order.read` reads: it always has `outputs`, and other fields only where they differ from their defaults.
    `expires_at` is when the job's retention time is over: None while the job has not ended, and if it is kept forever.
    A WAITING job with `run_at` is not due before that moment. `changes` counts how often priority and schedule were
    changed since the job was accepted. The results of a `deduplicated` job were made for another one. `derived_from` is
    the job whose source it shares. `history` has the latest attempts that are over, as far as Redis remembers them.
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
    expires_at: datetime | None = None
    attempts: int = 0
    history: tuple[PastAttempt, ...] = ()
    source: Source
    fetch: Fetch | None = None
    order: dict[str, Any]
    priority: Priority = NORMAL
    run_at: datetime | None = None
    changes: int = 0
    results: tuple[Result, ...] = ()
    deduplicated: bool = False
    derived_from: str | None = None
    error: Failure | None = None

    @property
    def outputs(self) -> tuple[dict[str, Any], ...]:
        """The requested outputs, each as its name and the parameters that differ from their defaults."""
        return tuple(self.order["outputs"])

    @property
    def keep(self) -> str | None:
        """How long the client wants the job to be kept: `forever` or a length of time. None: as the settings say."""
        keep: str | None = self.order.get("keep")
        return keep

    @property
    def group(self) -> str:
        """Who takes turns with others when jobs wait: the tenant, else the client, else all the rest together."""
        if self.tenant != DEFAULT_TENANT:
            return f"tenant:{self.tenant}"
        if self.client is None or not self.client.startswith(ADDRESS_CLIENT):
            return self.client or ""
        return ADDRESS_CLIENT + client_network(self.client.removeprefix(ADDRESS_CLIENT))

    def record(self) -> bytes:
        """The JSON that the storage keeps from the job's acceptance on: only the request, no status or results.

        `outputs` is at the top level, next to `order` with the order's other fields, because the first release looks
        for it there.
        """
        kept = self.model_dump(mode="json", include={"id", "created_at", "source"})
        kept["outputs"] = self.order["outputs"]
        kept |= {name: value for name, value in self._beyond_outputs().items() if value}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()

    def _beyond_outputs(self) -> dict[str, Any]:
        """What only some records have; an empty value stands for what this one has not."""
        return {
            "tenant": None if self.tenant == DEFAULT_TENANT else self.tenant,
            "client": self.client if self.client is not None and self.client.startswith(KEY_CLIENT) else None,
            "counted_for": [counted for counted in self.counted_for if not is_of_address(counted)],
            "request_id": self.request_id,
            "batch": self.batch,
            "fetch": None if self.fetch is None else self.fetch.model_dump(mode="json", exclude_defaults=True),
            "order": {name: value for name, value in self.order.items() if name != "outputs"},
            "priority": None if self.priority == NORMAL else self.priority,
            "derived_from": self.derived_from,
            "run_at": None if self.run_at is None else self.run_at.isoformat(),
        }

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
            priority=kept.get("priority", NORMAL),
            run_at=kept.get("run_at"),
            derived_from=kept.get("derived_from"),
        )

    def amended(self, change: bytes) -> "Job":
        """The job after a change that the storage keeps beside its record."""
        return self.model_copy(update=dict(Change.model_validate_json(change)))


class Change(BaseModel):
    """The priority and the schedule of a job from its change number `changes` on."""

    model_config = ConfigDict(frozen=True)

    changes: int
    priority: Priority
    run_at: datetime | None


def tenant_in(record: bytes) -> str | None:
    """The tenant of the job with this record; None if the record cannot be read. Reads nothing else of it."""
    try:
        kept = json.loads(record)
        return str(kept.get("tenant", DEFAULT_TENANT))
    except (ValueError, AttributeError):
        return None


class Outcome(BaseModel):
    """How a job ended. The storage keeps it next to the results, and Redis gets the same facts.

    The results of a `deduplicated` job were made for another one.
    """

    model_config = ConfigDict(frozen=True)

    status: Status
    finished_at: datetime
    source: Source
    results: tuple[Result, ...] = ()
    error: Failure | None = None
    deduplicated: bool = False


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
