"""A URL in place of an image, in forms and in JSON, however the body is cut into chunks."""

import json
from collections.abc import AsyncIterator

import pytest

from quickthumb import intake
from quickthumb.imaging.header import Header
from quickthumb.intake.errors import UnsupportedMediaType
from quickthumb.model.errors import MalformedRequest

URL = "https://images.example.org/cat.jpg"
FORM = "multipart/form-data; boundary=b"


def a_form(*parts: tuple[str, str]) -> bytes:
    heads = (f"--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n" for name, value in parts)
    return ("".join(heads) + "--b--\r\n").encode()


async def received(body: bytes, content_type: str, size: int) -> "intake.Received[Header]":
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async def no_sink() -> intake.Sink:
        raise AssertionError("there is no image")

    return await intake.receive(
        chunks(), content_type, inspect=lambda prefix, complete: None, open_sink=no_sink, limits=intake.IntakeLimits()
    )


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_url_in_json(size: int) -> None:
    body = json.dumps({"width": 5, "url": URL, "filename": "a.jpg"}).encode()
    got = await received(body, "application/json", size)
    assert (got.url, got.filename, got.header) == (URL, "a.jpg", None)
    assert got.fields == (intake.Field("width", 5),)


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_url_in_a_form(size: int) -> None:
    got = await received(a_form(("width", "5"), ("url", URL)), FORM, size)
    assert (got.url, got.filename) == (URL, None)
    assert got.fields == (intake.Field("width", "5"),)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps({"url": URL, "data": ""}).encode(), "application/json"),
        (json.dumps({"url": 1}).encode(), "application/json"),
        (json.dumps({"url": None}).encode(), "application/json"),
        (b'{"url": "a", "url": "b"}', "application/json"),
        (a_form(("url", URL), ("url", URL)), FORM),
        (a_form(("url", URL), ("image", "x")), FORM),
        (a_form(("image", "x"), ("url", URL)), FORM),
        (a_form(("url", "")), FORM),
        (URL.encode(), "text/uri-list"),
    ],
)
async def test_what_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises((MalformedRequest, UnsupportedMediaType)):
        await received(body, content_type, 10_000)
