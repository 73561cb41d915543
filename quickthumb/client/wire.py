"""Requests and answers in the terms of httpx, for both clients."""

import ssl
from collections.abc import Mapping, Sequence
from typing import IO, Any

import httpx

from quickthumb.client.exchange import Answer, Broken, Request

# The service closes a connection that was idle for 5 s: ours must be closed earlier.
KEEP_ALIVE_SECONDS = 4.0
UPLOADED_TYPE = "application/octet-stream"  # the service looks at the bytes


def checked_url(server: str) -> str:
    """The service's URL without a slash at its end. Raises ValueError if it is no URL of HTTP."""
    try:
        url = httpx.URL(server)
    except httpx.InvalidURL as error:
        raise ValueError(f"{server!r} is not a URL: {error}.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{server!r} is not a URL that begins with http:// or https:// and a host.")
    return server.rstrip("/")


def settings(timeout_seconds: float, key: str | None, headers: Mapping[str, str] | None) -> dict[str, Any]:
    """How either client of httpx is made, which sends the API key and the headers. The pool lets requests wait for a
    connection: how many are sent at once is the caller's choice."""
    return {
        "headers": {**({"Authorization": f"Bearer {key}"} if key else {}), **(headers or {})},
        "timeout": httpx.Timeout(timeout_seconds, pool=None),
        "limits": httpx.Limits(max_connections=None, keepalive_expiry=KEEP_ALIVE_SECONDS),
    }


def built(
    http: httpx.Client | httpx.AsyncClient, server: str, request: Request, images: Sequence[bytes | IO[bytes]]
) -> httpx.Request:
    """The request for httpx. Images are streamed from their first byte, whatever was read of them before."""
    body: dict[str, Any] = {}
    if request.content is not None:
        body = {"json": request.content}
    elif request.pictures:
        data: dict[str, list[str]] = {}
        for name, text in request.fields:
            data.setdefault(name, []).append(text)
        parts = zip(request.pictures, images, strict=True)
        files = [("image", (picture.filename, image, UPLOADED_TYPE)) for picture, image in parts]
        body = {"data": data, "files": files}
    made = http.build_request(
        request.method,
        f"{server}{request.path}",
        params=request.query or None,
        headers=dict(request.headers),
        **body,
    )
    # The time to wait for each piece of the answer, beyond what the service was asked to hold it.
    read_seconds = made.extensions.get("timeout", {}).get("read")
    if request.hold_seconds and read_seconds is not None:
        made.extensions["timeout"]["read"] = read_seconds + request.hold_seconds
    return made


def answer_of(response: httpx.Response, body: bytes = b"") -> Answer:
    """The answer, whose body may still be on its way."""
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def broken_by(error: httpx.TransportError) -> Broken:
    """What an error of the connection means."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return Broken(error, final=cause is not None or isinstance(error, httpx.UnsupportedProtocol))
