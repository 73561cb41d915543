"""`PATCH /jobs/{id}`: changes the priority and the schedule of a job that waits."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import caller_of, service_of
from quickthumb.http.small_bodies import json_object
from quickthumb.http.urls import urls_of
from quickthumb.model.schedule import ScheduleChange
from quickthumb.web.presentation import present_one

# RFC 7396. `application/json` means the same.
MERGE_PATCH = "application/merge-patch+json"


async def reschedule(request: Request) -> Response:
    """Changes the priority of a WAITING job, or when it may begin, or both. What the body leaves out stays as it is; a
    `run_at` of null has the job begin as soon as it is its turn."""
    caller, job_id = caller_of(request), request.path_params["job_id"]
    await service_of(request).find(caller, job_id)  # an unknown job is 404, whatever the body
    change = ScheduleChange.parse(await json_object(request, MERGE_PATCH))
    job = await service_of(request).reschedule(caller, job_id, change)
    return json_answer(present_one(job, urls_of(request), caller_of(request)), headers={"Cache-Control": "no-store"})


def change_body() -> dict[str, Any]:
    """The body of a change, for OpenAPI."""
    properties: dict[str, Any] = {}
    for name, schema in ScheduleChange.model_json_schema()["properties"].items():
        kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"} or name == "run_at"]
        kind = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        properties[name] = {**kind, "description": schema["description"]}
    schema = {"type": "object", "properties": properties, "minProperties": 1, "additionalProperties": False}
    # Client generators make a model for each media type, under one name: so only one of the two is described.
    return {"required": True, "content": {"application/json": {"schema": schema, "example": {"priority": "high"}}}}
