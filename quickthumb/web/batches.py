"""`/batches`: accepts many images in one request, shows what has become of them, and downloads all results."""

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import Parameter, json_answer
from quickthumb.http.files import UNKNOWN_MEDIA, DownloadResponse, content_disposition, media_of
from quickthumb.http.problems import Problem
from quickthumb.http.requests import batches_of, caller_of, metrics_of, service_of, upload_from
from quickthumb.http.urls import Urls
from quickthumb.model.batch import BatchItem, Refusal
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.order import Order, order_fields
from quickthumb.service.batch_records import Batch
from quickthumb.service.batches import BatchFile, BatchRequest
from quickthumb.service.errors import UnknownJob
from quickthumb.web.images import idempotency_key_of, upload_body, upload_parameters
from quickthumb.web.jobs import urls_asked, wait_asked
from quickthumb.web.middleware.tenants import TENANT
from quickthumb.web.presentation import JobView, Moment, present
from quickthumb.web.results_zip import name_in_zip, zipped
from quickthumb.web.schemas import BINARY, REFERENCE

DEFAULT_PAGE, LARGEST_PAGE = 100, 1000
ZIP = "application/zip"
# The second is for generators of clients, which know only that.
ARCHIVES = (ZIP, UNKNOWN_MEDIA[0])
LARGEST_CURSOR = 10_000
LIKE_UPLOADS = "All other parameters of an upload may be given, too."
# A batch sends no emails: see `BatchUpload.begin`.
NOT_OF_BATCHES = frozenset({"notify_email"})
_DIGITS = re.compile(r"[0-9]{1,6}")


class BatchLinks(BaseModel):
    """URLs of the batch itself, of its events and of all its results as a ZIP."""

    self: str = Field(examples=["/batches/5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e"])
    events: str
    results: str


class BatchItemView(BaseModel):
    """One image of a batch: its job if it was accepted, or else the problem."""

    number: int = Field(description="The image's place in the batch, from 1 on.")
    filename: str | None
    status: int = Field(description="202 if the image was accepted, else the HTTP status of the problem.")
    job: JobView | None
    error: Problem | None


class BatchView(BaseModel):
    """A batch: how many of its images have which status, and the images, each with its job or its problem."""

    id: str
    created_at: Moment
    complete: bool = Field(description="Whether all images have arrived. Until then, there may be more.")
    ended: bool = Field(description="Whether all images have arrived and all jobs have ended.")
    counts: dict[str, int] = Field(
        description="Number of images by the status of their jobs; `REFUSED` and `REMOVED` images have no job.",
        examples=[{"DONE": 4, "REFUSED": 1}],
    )
    error: Problem | None = Field(description="Why the batch has no more images, if the request ended early.")
    jobs: list[BatchItemView]
    next: str | None = Field(description="URL of the next page of images; null if there is none.")
    links: BatchLinks


async def submit(request: Request) -> Response:
    """Accepts many images. Each is accepted or refused by itself, in the order in which they arrive: 202 if all were
    accepted, else 207. If the request ends early, the batch has the images so far, and an `error`."""
    urls = urls_asked(request)
    upload = upload_from(request)
    given = [(name, value) for name, value in request.query_params.multi_items() if name not in ("sign", TENANT)]
    asked = BatchRequest(upload.body, upload.content_type, upload.content_length, given, idempotency_key_of(request))
    batch = await batches_of(request).submit(caller_of(request), asked)
    for job in batch.jobs.values():
        metrics_of(request).accepted(job.source.bytes or 0)
    is_whole = batch.error is None and all(item.refusal is None for item in batch.items)
    status = HTTPStatus.ACCEPTED if is_whole else HTTPStatus.MULTI_STATUS
    headers = {"Location": urls.batch(batch.record.id), "Cache-Control": "no-store"}
    return json_answer(_present(batch, batch.items, urls), status, headers)


async def show(request: Request) -> Response:
    """Returns the batch at once or, with `?wait=` or `Prefer: wait=`, when it has ended or the time is up."""
    urls = urls_asked(request)
    query = request.query_params
    limit = _number(query.get("limit", str(DEFAULT_PAGE)), "limit", 1, LARGEST_PAGE)
    after = _number(query.get("cursor", "0"), "cursor", 0, LARGEST_CURSOR)
    seconds, preferred = wait_asked(request)
    batch, held = await _waited(request, seconds)
    rest = [item for item in batch.items if item.number > after]
    following = urls.batch_page(batch.record.id, str(rest[limit - 1].number), limit) if len(rest) > limit else None
    headers = {"Cache-Control": "no-store"}
    if not batch.has_ended:
        headers["Retry-After"] = "1"
    if preferred and held:
        headers["Preference-Applied"] = f"wait={seconds:g}"
    return json_answer(_present(batch, rest[:limit], urls, following), headers=headers)


async def results(request: Request) -> Response:
    """Downloads all results of a batch that has ended, as a ZIP: `1-cat/thumbnail.jpg` and so on."""
    batch_id = request.path_params["batch_id"]
    files = await batches_of(request).results(caller_of(request), batch_id)
    body = zipped((_name_of(file), file.download) for file in files)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": content_disposition("attachment", f"{batch_id}.zip"),
    }
    return DownloadResponse(body, HTTPStatus.OK, headers, ZIP)


async def _waited(request: Request, seconds: float) -> tuple[Batch, bool]:
    """The batch once it has ended, or in its current state after `seconds`, and whether there was room to wait."""
    caller, batch_id = caller_of(request), request.path_params["batch_id"]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        batch = await batches_of(request).find(caller, batch_id)
        unended = next((job for job in batch.jobs.values() if not job.status.ended), None)
        left = deadline - loop.time()
        if unended is None or left <= 0:
            return batch, True
        try:
            job, held = await service_of(request).wait_if_room(caller, unended.id, left)
        except UnknownJob:  # removed in the meantime
            continue
        if not held or not job.status.ended:
            return await batches_of(request).find(caller, batch_id), held


def _present(batch: Batch, items: Sequence[BatchItem], urls: Urls, following: str | None = None) -> dict[str, Any]:
    return {
        "id": batch.record.id,
        "created_at": batch.record.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "complete": batch.is_complete,
        "ended": batch.has_ended,
        "counts": batch.counts,
        "error": None if batch.error is None else _problem(batch.error, urls),
        "jobs": [_present_item(batch, item, urls) for item in items],
        "next": following,
        "links": {
            "self": urls.batch(batch.record.id),
            "events": urls.batch_events(batch.record.id),
            "results": urls.batch_results(batch.record.id),
        },
    }


def _present_item(batch: Batch, item: BatchItem, urls: Urls) -> dict[str, Any]:
    job, refusal = batch.jobs.get(item.number), item.refusal
    if job is None and refusal is None:
        refusal = Refusal.of(UnknownJob("The job was removed."))
    return {
        "number": item.number,
        "filename": item.filename,
        "status": HTTPStatus.ACCEPTED if refusal is None else refusal.status,
        "job": None if job is None else present(job, urls),
        "error": None if refusal is None else _problem(refusal, urls),
    }


def _problem(refusal: Refusal, urls: Urls) -> dict[str, Any]:
    told = Problem(type=urls.error(refusal.code), **refusal.model_dump())
    return told.model_dump(by_alias=True, exclude_none=True)


def _name_of(file: BatchFile) -> str:
    source = name_in_zip(Path(file.job.source.filename or "").stem or "image")
    return f"{file.number}-{source}/{file.name}.{media_of(file.format)[1]}"


def _number(text: str, field: str, least: int, most: int) -> int:
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidParameter(f"{field} must be a whole number from {least} to {most}.", field=field)
    return int(text)


def batch_body(order: type[Order] = Order) -> dict[str, Any]:
    """The request body of a batch, for OpenAPI: that of an upload, but with several images.

    The parameters of a single output, which may be given here as well, are described for uploads only: they are many.
    """
    names = {field.name for field in order_fields(order, REFERENCE)} - NOT_OF_BATCHES
    content = upload_body(order)["content"]
    form, in_json = content["multipart/form-data"], content["application/json"]["schema"]["properties"]
    # Swagger UI cannot show lists of strings with a format, except files.
    urls = {"type": "array", "items": {"type": "string"}, "description": "The URLs of the images."}
    image = {"type": "array", "items": BINARY, "description": "The images, or ZIPs of images, after all other fields."}
    fields = {name: schema for name, schema in form["schema"]["properties"].items() if name in names}
    keys = {name: schema for name, schema in in_json.items() if name in names}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": _object(
                    {**fields, "urls": urls, "image": image}, f"It must have `image` or `urls`. {LIKE_UPLOADS}"
                ),
                "encoding": {**form["encoding"], "urls": {"style": "form", "explode": True}},
            },
            "application/json": {"schema": {**_object({"urls": urls, **keys}, LIKE_UPLOADS), "required": ["urls"]}},
            # As `application/zip` too, but generators of clients do not know that.
            UNKNOWN_MEDIA[0]: {"schema": {**BINARY, "description": "A ZIP of images."}},
        },
    }


def batch_parameters() -> tuple[Parameter, ...]:
    """The query parameters of a batch, for OpenAPI: those of an upload, as in `batch_body`."""
    return tuple(
        parameter
        for parameter in upload_parameters()
        if parameter.schema.get("type") != "object" and parameter.name not in NOT_OF_BATCHES
    )


def _object(properties: dict[str, Any], meaning: str) -> dict[str, Any]:
    return {"type": "object", "description": meaning, "properties": properties}
