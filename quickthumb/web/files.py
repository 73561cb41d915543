"""Downloads of results and originals."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.files import MEDIA_TYPES, SHOWN_HERE, media_of, serve
from quickthumb.http.requests import caller_of, service_of


async def result(request: Request) -> Response:
    """Downloads one result of a job. Its file name combines the names of the source and of the result."""
    wanted = request.path_params
    job, made, download = await service_of(request).result(caller_of(request), wanted["job_id"], wanted["name"])
    media_type, extension = MEDIA_TYPES[made.format]
    name = f"{_stem(job.source.filename)}-{made.name}.{extension}"
    return serve(request, download, media_type, "inline", name)


async def original(request: Request) -> Response:
    """Downloads the source under the client's file name, with the extension of its real format. Browsers save it, and
    show it neither as a page nor on pages of other sites."""
    job, download = await service_of(request).original(caller_of(request), request.path_params["job_id"])
    media_type, extension = media_of(job.source.format)
    name = f"{_stem(job.source.filename)}.{extension}"
    return serve(request, download, media_type, "attachment", name, SHOWN_HERE)


def _stem(filename: str | None) -> str:
    return Path(filename or "").stem or "image"
