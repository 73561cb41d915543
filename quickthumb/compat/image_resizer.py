"""The Image Resizer: takes square images as base64 in JSON, and resizes them to 32 and 64 pixels."""

from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import Answer, Endpoint, Parameter, json_answer
from quickthumb.http.errors import RangeNotSatisfiable
from quickthumb.http.files import MEDIA_TYPES, PARTS, PICTURES, base64_answer, media_of, serve
from quickthumb.http.requests import caller_of, metrics_of, prefers, service_of, upload_from
from quickthumb.http.urls import urls_of
from quickthumb.imaging.header import Header
from quickthumb.intake.errors import UnsupportedMediaType
from quickthumb.model.caller import Scope
from quickthumb.model.errors import InvalidParameter, QuickThumbError, SourceMissing
from quickthumb.model.job import Job, Status
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.service.errors import UPLOAD, JobFailed, NotReady, OriginalWithheld, UnknownJob, UnknownResult
from quickthumb.storage.errors import StorageUnavailable

TAG = "Older API: Image Resizer"
PRESET = "square-32-64"
# The sizes that a client may ask for, each with the result of the preset that has this size.
RESULTS = {"32": "square-32", "64": "square-64"}
ORIGINAL = "original"
SIZES = (*RESULTS, ORIGINAL)
JSON = "application/json"


class NotSquare(QuickThumbError):
    """The Image Resizer takes square images only. `POST /images/` takes images of any shape."""

    code, status, title = "not_square", 422, "The image is not square"


class TaskView(BaseModel):
    """A task, which is the older API's word for a job."""

    id: str = Field(examples=["5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e"])
    status: str = Field(examples=["DONE"], json_schema_extra={"enum": ["WAITING", "IN_PROGRESS", "DONE", "FAILED"]})


class TaskImageView(BaseModel):
    """An image of a task."""

    id: str
    size: str = Field(json_schema_extra={"enum": list(SIZES)})
    data: str = Field(description="The file in base64.")


async def submit_task(request: Request) -> Response:
    """Accepts a square image, to be resized to 32 and 64 pixels."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType('Send the image as application/json, with its base64 in "data".')
    upload = upload_from(request, preset=PRESET)
    job = await service_of(request).submit(caller_of(request), upload, check=_require_square)
    metrics_of(request).accepted(job.source.bytes or 0)
    headers = {"Location": urls_of(request).task(job.id), "Cache-Control": "no-store"}
    return json_answer(_presented(job), HTTPStatus.CREATED, headers)


async def show_task(request: Request) -> Response:
    """Returns the status of a task. A cancelled job is shown as FAILED, because this API has no other status for it."""
    job = await service_of(request).find(caller_of(request), request.path_params["task_id"])
    return json_answer(_presented(job), headers={"Cache-Control": "no-store"})


async def show_task_image(request: Request) -> Response:
    """Returns an image of a finished task: in JSON, or as a file if the `Accept` header prefers `image/*`."""
    task_id, size = request.path_params["task_id"], request.query_params.get("size")
    service, caller = service_of(request), caller_of(request)
    if size == ORIGINAL:
        job, download = await service.original(caller, task_id)
        if not job.status.ended:
            raise NotReady(f"The task is {job.status}.")
        media_type, extension = media_of(job.source.format)
    elif size in RESULTS:
        job, made, download = await service.result(caller, task_id, RESULTS[size])
        media_type, extension = MEDIA_TYPES[made.format]
    else:
        raise InvalidParameter(f"size must be one of {', '.join(SIZES)}.", field="size")
    if prefers(request.headers.get("accept"), media_type, over=JSON):
        answer = serve(request, download, media_type, "attachment", f"{task_id}-{size}.{extension}")
        answer.headers["Vary"] = "Accept"
        return answer
    headers = {"Vary": "Accept", "Cache-Control": "no-store"}
    return base64_answer(download, {"id": task_id, "size": size}, "data", headers)


def _require_square(header: Header) -> None:
    width, height = header.upright
    if width != height:
        raise NotSquare(f"The image has {width} × {height} pixels.", field="data")


def _presented(job: Job) -> TaskView:
    return TaskView(id=job.id, status=Status.FAILED if job.status is Status.CANCELLED else job.status)


_TASK = Parameter("task_id", "path", "The task's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
_SIZE = Parameter("size", "query", "Which image to return. Required.", {"type": "string", "enum": list(SIZES)})
_ACCEPT = Parameter("Accept", "header", "Send `image/*` to get the file itself.", {"type": "string"})
_DATA = {"type": "string", "contentEncoding": "base64", "description": "The image in base64."}
# A whole image of one gray pixel, so the example works without changes.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
_BODY = {
    "required": True,
    "content": {
        JSON: {
            "schema": {"type": "object", "properties": {"data": _DATA}, "required": ["data"]},
            "example": {"data": _PIXEL},
        }
    },
}
_LOOKUP_ERRORS = (UnknownJob, QueueUnavailable)

# fmt: off
ENDPOINTS = (
    Endpoint("POST", "/tasks", submit_task, TAG, "Upload a square image", "createTask",
             (Answer(201, "The task.", TaskView, headers=(("Location", "The task's URL."),)),),
             (NotSquare, *UPLOAD), (), _BODY, scope=Scope.IMAGES_WRITE),
    Endpoint("GET", "/tasks/{task_id}", show_task, TAG, "Get the status of a task", "getTask",
             (Answer(200, "The task.", TaskView),), _LOOKUP_ERRORS, (_TASK,), scope=Scope.JOBS_READ),
    Endpoint("GET", "/tasks/{task_id}/image", show_task_image, TAG, "Get an image of a task", "getTaskImage",
             (Answer(200, "The image.", TaskImageView, PICTURES),
              Answer(206, "The requested part of the file.", media_types=PARTS),
              Answer(304, "The client's copy is current.")),
             (*_LOOKUP_ERRORS, InvalidParameter, NotReady, UnknownResult, JobFailed, SourceMissing,
              OriginalWithheld, StorageUnavailable, RangeNotSatisfiable), (_TASK, _SIZE, _ACCEPT),
             scope=Scope.RESULTS_READ),
)
# fmt: on
