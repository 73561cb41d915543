"""How items are written in Redis: as the fields of a hash, and as the JSON by which arq calls for them."""

import json
from collections.abc import Mapping
from typing import Any

from arq.jobs import serialize_job

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.email import Email, EmailOutcome
from quickthumb.model.ids import from_milliseconds, to_milliseconds
from quickthumb.model.job import Failure, Job, Outcome, Result, Status
from quickthumb.model.source import Source
from quickthumb.queue.keys import Kind


def dump(value: Any) -> bytes:
    """What arq keeps in Redis: JSON, since a pickle would let whoever writes to Redis run code."""
    return json.dumps(value, default=repr, separators=(",", ":")).encode()


def load(data: bytes) -> Any:
    return json.loads(data)


def entry_for(kind: Kind, item_id: str, created_ms: int) -> bytes:
    """arq's entry for an item: the function's name and the item's id, nothing more."""
    entry = serialize_job(kind.function, (item_id,), {}, None, created_ms, serializer=dump)
    if entry is None:  # pragma: no cover - a name and an id are always JSON
        raise TypeError("arq could not write the entry as JSON")
    return entry


def flat(fields: Mapping[str, str]) -> list[str]:
    """A hash's fields as Redis takes them: name, value, name, value …"""
    return [text for pair in fields.items() for text in pair]


def fields_of(job: Job) -> dict[str, str]:
    """The hash of a new job."""
    return {
        "status": job.status,
        "created_ms": str(to_milliseconds(job.created_at)),
        "attempts": str(job.attempts),
        "source": job.source.model_dump_json(),
        "outputs": json.dumps(job.order["outputs"]),
        **_beyond_outputs(job),
    }


def _beyond_outputs(job: Job) -> dict[str, str]:
    """The fields that only some jobs have."""
    others = {name: value for name, value in job.order.items() if name != "outputs"}
    tenant = {} if job.tenant == DEFAULT_TENANT else {"tenant": job.tenant}
    return {**tenant, **({"order": json.dumps(others)} if others else {})}


def ending_of(outcome: Outcome) -> dict[str, str]:
    """The fields that a job gets at its end."""
    return {
        "finished_ms": str(to_milliseconds(outcome.finished_at)),
        "source": outcome.source.model_dump_json(),
        "results": json.dumps([result.model_dump() for result in outcome.results]),
        "error": failure_text(outcome.error),
    }


def job_from(job_id: str, fields: Mapping[bytes, bytes]) -> Job:
    """The job that a hash holds."""

    def moment(name: bytes) -> Any:
        return from_milliseconds(int(fields[name])) if name in fields else None

    error = fields.get(b"error")
    return Job(
        id=job_id,
        tenant=fields.get(b"tenant", DEFAULT_TENANT.encode()).decode(),
        status=Status(fields[b"status"].decode()),
        created_at=moment(b"created_ms"),
        started_at=moment(b"started_ms"),
        finished_at=moment(b"finished_ms"),
        attempts=int(fields[b"attempts"]),
        source=Source.model_validate_json(fields[b"source"]),
        order={"outputs": json.loads(fields[b"outputs"]), **json.loads(fields.get(b"order", b"{}"))},
        results=tuple(Result.model_validate(result) for result in json.loads(fields.get(b"results", b"[]"))),
        error=Failure.model_validate_json(error) if error else None,
    )


def fields_of_email(email: Email) -> dict[str, str]:
    """The hash of a new email. It says that the storage has the record: emails of the first release had none."""
    return {"tenant": email.tenant, "address": email.address, "attempts": "0", "recorded": "1"}


def ending_of_email(outcome: EmailOutcome) -> dict[str, str]:
    """The fields that an email gets at its end."""
    return {"finished_ms": str(to_milliseconds(outcome.finished_at)), "error": failure_text(outcome.error)}


def email_from(email_id: str, fields: Mapping[bytes, bytes]) -> Email:
    """The email that a hash holds, also one of the first release."""
    error = fields.get(b"error")
    return Email(
        id=email_id,
        tenant=fields.get(b"tenant", DEFAULT_TENANT.encode()).decode(),
        address=fields[b"address"].decode(),
        created_at=from_milliseconds(int(fields[b"created_ms"])),
        status=Status(fields[b"status"].decode()),
        attempts=int(fields[b"attempts"]),
        error=Failure.model_validate_json(error) if error else None,
    )


def is_recorded(fields: Mapping[bytes, bytes]) -> bool:
    """Whether the storage has the record of the email that a hash holds."""
    return b"recorded" in fields


def failure_text(error: Failure | None) -> str:
    """An error as a hash holds it."""
    return error.model_dump_json() if error else ""
