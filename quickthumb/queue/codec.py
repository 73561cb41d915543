"""How a job is written in Redis: as the fields of a hash, and as the JSON by which arq calls for it."""

import json
from collections.abc import Mapping
from typing import Any

from arq.jobs import serialize_job

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.ids import from_milliseconds, to_milliseconds
from quickthumb.model.job import Failure, Job, Outcome, Result, Status
from quickthumb.model.source import Source

# The name under which workers offer to run a job.
PROCESS_FUNCTION = "process"
# The one under which they offer to send an email.
MAIL_FUNCTION = "send_email"


def dump(value: Any) -> bytes:
    """What arq keeps in Redis: JSON, since a pickle would let whoever writes to Redis run code."""
    return json.dumps(value, default=repr, separators=(",", ":")).encode()


def load(data: bytes) -> Any:
    return json.loads(data)


def call_for(job: Job) -> bytes:
    """arq's entry for the job: the function's name and the job's id, nothing more."""
    return call_of(PROCESS_FUNCTION, job.id, to_milliseconds(job.created_at))


def call_of(function: str, job_id: str, created_ms: int) -> bytes:
    """arq's entry for a call of the function with an id."""
    call = serialize_job(function, (job_id,), {}, None, created_ms, serializer=dump)
    if call is None:  # pragma: no cover - a name and an id are always JSON
        raise TypeError("arq could not write the call as JSON")
    return call


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
        "error": outcome.error.model_dump_json() if outcome.error else "",
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
