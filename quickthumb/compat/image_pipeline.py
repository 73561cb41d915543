"""The image pipeline: turns an upload gray and blurs it, at its full size."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import Answer, Endpoint, Parameter, json_answer
from quickthumb.http.errors import RangeNotSatisfiable
from quickthumb.http.files import MEDIA_TYPES, PARTS, PICTURES, media_of, serve
from quickthumb.http.requests import caller_of, metrics_of, service_of, upload_from
from quickthumb.http.urls import urls_of
from quickthumb.intake.errors import UnsupportedMediaType
from quickthumb.model.caller import Scope
from quickthumb.model.job import Status
from quickthumb.model.source import Source
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.service.errors import UPLOAD, JobFailed, NotReady, UnknownJob, UnknownResult

TAG = "Older API: image pipeline"
PRESET = "gray-blur"
RESULT = "gray-blur"
UPLOADED = "Image uploaded successfully. Background processing initiated."
APPLIED = "Filters applied successfully."
STATUSES = {
    Status.WAITING: "PROCESSING",
    Status.IN_PROGRESS: "PROCESSING",
    Status.DONE: "COMPLETED",
    Status.FAILED: "FAILED",
    Status.CANCELLED: "FAILED",
}


class PipelineUploadView(BaseModel):
    """The response to an upload."""

    message: str = Field(UPLOADED, examples=[UPLOADED])
    task_id: str = Field(examples=["5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e"])
    filename: str = Field(examples=["cat.jpg"])


class PipelineResultView(BaseModel):
    """The result of a COMPLETED task. Its file is at `/processed/{task_id}`."""

    status: str = Field("success", examples=["success"])
    file: str = Field(examples=["processed_cat.jpg"])
    message: str = Field(APPLIED, examples=[APPLIED])


class PipelineStatusView(BaseModel):
    """The status of a task. It has a `result` once the task is COMPLETED."""

    task_id: str
    status: str = Field(json_schema_extra={"enum": ["PROCESSING", "COMPLETED", "FAILED"]})
    result: PipelineResultView | None = None


async def submit_to_pipeline(request: Request) -> Response:
    """Accepts an image in the form field `file`."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise UnsupportedMediaType("Send the image as multipart/form-data, in a part named file.")
    job = await service_of(request).submit(caller_of(request), upload_from(request, preset=PRESET))
    metrics_of(request).accepted(job.source.bytes or 0)
    view = PipelineUploadView(task_id=job.id, filename=_filename(job.source))
    return json_answer(view, headers={"Cache-Control": "no-store"})


async def show_pipeline_status(request: Request) -> Response:
    """Returns the status of a task. Once the task is COMPLETED, the `Link` header points to the file."""
    job = await service_of(request).find(caller_of(request), request.path_params["task_id"])
    headers = {"Cache-Control": "no-store"}
    result = None
    if job.status is Status.DONE:
        result = PipelineResultView(file=f"processed_{_filename(job.source)}")
        headers["Link"] = f'<{urls_of(request).processed(job.id)}>; rel="item"'
    view = PipelineStatusView(task_id=job.id, status=STATUSES[job.status], result=result)
    return json_answer(view, headers=headers, omit_none=True)


async def download_processed(request: Request) -> Response:
    """Downloads the processed file, under the name in the status but with the extension of its real format."""
    job, made, download = await service_of(request).result(caller_of(request), request.path_params["task_id"], RESULT)
    media_type, extension = MEDIA_TYPES[made.format]
    name = _filename(job.source)
    if made.format != job.source.format:
        name = f"{Path(name).stem}.{extension}"
    return serve(request, download, media_type, "attachment", f"processed_{name}")


def _filename(source: Source) -> str:
    return source.filename or f"image.{media_of(source.format)[1]}"


_TASK = Parameter("task_id", "path", "The task's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
_FILE = {"type": "string", "format": "binary", "description": "The image."}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]}}
    },
}
_LOOKUP_ERRORS = (UnknownJob, QueueUnavailable)

# fmt: off
ENDPOINTS = (
    Endpoint("POST", "/upload", submit_to_pipeline, TAG, "Upload an image to turn gray and blur", "uploadToPipeline",
             (Answer(200, "The task.", PipelineUploadView),), UPLOAD, (), _BODY, scope=Scope.IMAGES_WRITE),
    Endpoint("GET", "/status/{task_id}", show_pipeline_status, TAG, "Get the status of a task", "getPipelineStatus",
             (Answer(200, "The task.", PipelineStatusView),), _LOOKUP_ERRORS, (_TASK,), scope=Scope.JOBS_READ),
    Endpoint("GET", "/processed/{task_id}", download_processed, TAG, "Download the processed file", "downloadProcessed",
             (Answer(200, "The file.", media_types=PICTURES),
              Answer(206, "The requested part of the file.", media_types=PARTS),
              Answer(304, "The client's copy is current.")),
             (*_LOOKUP_ERRORS, NotReady, UnknownResult, JobFailed, RangeNotSatisfiable), (_TASK,),
             scope=Scope.RESULTS_READ),
)
# fmt: on
