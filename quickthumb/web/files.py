"""Results and originals as downloads."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.files import MEDIA_TYPES, serve
from quickthumb.http.state import service_of


async def result(request: Request) -> Response:
    """One result of a job, under a name made of the source's and its own."""
    job, made, download = await service_of(request).result(request.path_params["job_id"], request.path_params["name"])
    media_type, extension = MEDIA_TYPES[made.format]
    name = f"{_stem(job.source.filename)}-{made.name}.{extension}"
    return serve(request, download, media_type, "inline", name)


async def original(request: Request) -> Response:
    """The source, under the name that the client gave it; always as a download."""
    job, download = await service_of(request).original(request.path_params["job_id"])
    media_type, extension = MEDIA_TYPES[job.source.format]
    return serve(request, download, media_type, "attachment", f"{_stem(job.source.filename)}.{extension}")


def _stem(filename: str | None) -> str:
    return Path(filename or "").stem or "image"
