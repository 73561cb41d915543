"""How a job is written in Redis: the fields of its hash, and the job that a hash holds."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Failure, Job, Outcome, Result, Status, from_milliseconds, to_milliseconds
from quickthumb.model.priority import NORMAL
from quickthumb.model.retention import seconds_in
from quickthumb.model.source import Source
from quickthumb.queue.codec import KEPT_SECONDS, LISTS, REQUEST_ID, failure_text, lists_of, request_id_of
from quickthumb.queue.keys import FOREVER_SECONDS, Kind, in_redis
from quickthumb.queue.past import past_in

_RESULTS = TypeAdapter(tuple[Result, ...])


def fields_of(job: Job) -> dict[str, str]:
    """The hash of a new job."""
    return {"source": job.source.model_dump_json(), **fields_but_source(job)}


def fields_but_source(job: Job) -> dict[str, str]:
    """The hash of a new job, except for its source."""
    return {
        "status": job.status,
        "created_ms": str(to_milliseconds(job.created_at)),
        "attempts": str(job.attempts),
        "outputs": json.dumps(job.order["outputs"]),
        **_beyond_outputs(job),
    }


def _beyond_outputs(job: Job) -> dict[str, str]:
    """The fields that only some jobs have."""
    others = {name: value for name, value in job.order.items() if name != "outputs"}
    lists = lists_of(job.tenant, job.order.get("tag", ()))
    tenant = ({} if job.tenant == DEFAULT_TENANT else {"tenant": job.tenant}) | ({LISTS: lists} if lists else {})
    kept = {} if job.keep is None else {KEPT_SECONDS: str(in_redis(seconds_in(job.keep)))}
    client = {} if job.client is None else {"client": job.client}
    counted = {"counted_for": " ".join(job.counted_for)} if job.counted_for else {}
    batch = {} if job.batch is None else {"batch": job.batch}
    request = {} if job.request_id is None else {REQUEST_ID: job.request_id}
    own_order = {"order": json.dumps(others)} if others else {}
    derived = {} if job.derived_from is None else {"derived_from": job.derived_from}
    return {**tenant, **client, **counted, **request, **batch, **kept, **own_order, **derived, **_place_of(job)}


def _place_of(job: Job) -> dict[str, str]:
    """What decides when it is the job's turn."""
    group = {"group": job.group.replace("|", "_")} if job.group else {}
    priority = {} if job.priority == NORMAL else {"priority": job.priority}
    run_at = {} if job.run_at is None else {"run_at_ms": str(run_at_ms(job))}
    return {**group, **priority, **run_at, **({"changes": str(job.changes)} if job.changes else {})}


def run_at_ms(job: Job) -> int | None:
    """When the job may begin, as Redis has times; None if it may begin at once."""
    return None if job.run_at is None else to_milliseconds(job.run_at)


def _expiry(finished_ms: int, kept_seconds: int) -> datetime | None:
    """When a job that ended then is no longer kept; None if it is kept forever."""
    if kept_seconds >= FOREVER_SECONDS:
        return None
    return from_milliseconds(finished_ms) + timedelta(seconds=kept_seconds)


def ending_of(outcome: Outcome) -> dict[str, str]:
    """The fields that a job gets when it ends."""
    return {
        "finished_ms": str(to_milliseconds(outcome.finished_at)),
        "source": outcome.source.model_dump_json(),
        "results": json.dumps([result.model_dump() for result in outcome.results]),
        "error": failure_text(outcome.error),
        **({"deduplicated": "1"} if outcome.deduplicated else {}),
    }


def job_from(job_id: str, fields: Mapping[bytes, bytes], kind: Kind) -> Job:
    """The job that a hash holds. `kind` says how long this deployment keeps jobs, on which `expires_at` depends."""
    started_ms, finished_ms = fields.get(b"started_ms"), fields.get(b"finished_ms")
    results, error = fields.get(b"results"), fields.get(b"error")
    order: dict[str, Any] = {"outputs": from_json(fields[b"outputs"])}
    if others := fields.get(b"order"):
        order |= from_json(others)
    tenant, kept_seconds = fields.get(b"tenant", DEFAULT_TENANT.encode()).decode(), fields.get(KEPT_SECONDS.encode())
    return Job(
        id=job_id,
        tenant=tenant,
        client=fields[b"client"].decode() if b"client" in fields else None,
        counted_for=tuple(fields[b"counted_for"].decode().split()) if b"counted_for" in fields else (),
        request_id=request_id_of(fields),
        batch=fields[b"batch"].decode() if b"batch" in fields else None,
        status=Status(fields[b"status"].decode()),
        created_at=from_milliseconds(int(fields[b"created_ms"])),
        started_at=from_milliseconds(int(started_ms)) if started_ms else None,
        finished_at=from_milliseconds(int(finished_ms)) if finished_ms else None,
        expires_at=_expiry(int(finished_ms), int(kept_seconds or kind.kept_seconds(tenant))) if finished_ms else None,
        attempts=int(fields[b"attempts"]),
        history=past_in(fields),
        source=Source.model_validate_json(fields[b"source"]),
        order=order,
        priority=fields[b"priority"].decode() if b"priority" in fields else NORMAL,
        run_at=from_milliseconds(int(fields[b"run_at_ms"])) if b"run_at_ms" in fields else None,
        changes=int(fields.get(b"changes", 0)),
        results=_RESULTS.validate_json(results) if results else (),
        deduplicated=b"deduplicated" in fields,
        derived_from=fields[b"derived_from"].decode() if b"derived_from" in fields else None,
        error=Failure.model_validate_json(error) if error else None,
    )
