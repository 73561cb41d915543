"""Reads the small JSON bodies of requests that bring no image."""

from starlette.requests import Request

from quickthumb.intake.errors import TooManyBytes, UnsupportedMediaType
from quickthumb.intake.json_body import parse_object
from quickthumb.intake.limits import read_in_time

MOST_BYTES = 16 * 1024
SECONDS = 30.0


async def json_object(request: Request, *other_types: str, most_bytes: int = MOST_BYTES) -> dict[str, object]:
    """The object in the request's body, of the type `application/json` or one of the others.

    Raises UnsupportedMediaType, TooManyBytes, UploadTimedOut, and MalformedRequest for what is no JSON object.
    """
    types = ("application/json", *other_types)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in types:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(types)}.", field="Content-Type")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("The body must be sent without a Content-Encoding.", field="Content-Encoding")
    body = bytearray()
    async for chunk in read_in_time(request.stream(), idle_seconds=SECONDS, total_seconds=SECONDS):
        body += chunk
        if len(body) > most_bytes:
            raise TooManyBytes(f"The body has more than {most_bytes} bytes.")
    return parse_object(bytes(body))
