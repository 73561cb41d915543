"""Results and originals as downloads."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.files import MEDIA_TYPES, media_of, serve
from quickthumb.http.requests import caller_of, service_of


async def result(request: Request) -> Response:
    """One result of a job, under a name made of the source's and its own."""
    wanted = request.path_params
    job, made, download = await service_of(request).result(caller_of(request), wanted["job_id"], wanted["name"])
    media_type, extension = MEDIA_TYPES[made.format]
    name = f"{_stem(job.source.filename)}-{made.name}.{extension}"
    return serve(request, download, media_type, "inline", name)


async def original(request: Request) -> Response:
    """The source, under the name that the client gave it; always as a download."""
    job, download = await service_of(request).original(caller_of(request), request.path_params["job_id"])
    media_type, extension = media_of(job.source.format)
    return serve(request, download, media_type, "attachment", f"{_stem(job.source.filename)}.{extension}")


def _stem(filename: str | None) -> str:
    return Path(filename or "").stem or "image"
