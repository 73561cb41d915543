"""Receiving an upload: what is received, and what is refused before a sink is opened."""

import asyncio
import base64
import contextlib
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quickthumb.intake import Field
from quickthumb.intake.errors import TooManyBytes, UnsupportedMediaType
from quickthumb.model.errors import BrokenImage, MalformedRequest, QuickThumbError, TooManyPixels, UnsupportedImage
from tests.intake.uploads import (
    END,
    FILE,
    FORM,
    IMAGE,
    LIMITS,
    expect,
    field,
    refuse,
    take,
)

BODIES = {
    "form": (
        FORM,
        field("width", "5") + FILE + IMAGE + b"\r\n" + field("fit", "cover") + b"--frontier--",
        expect(IMAGE, Field("width", "5"), Field("fit", "cover"), filename="cat.jpg"),
    ),
    "raw": ("image/jpeg", IMAGE, expect(IMAGE)),
    "json": (
        "application/json",
        b'{"outputs": [{"width": 5}], "data": "' + base64.b64encode(IMAGE) + b'", "filename": "cat.jpg"}',
        expect(IMAGE, Field("outputs", [{"width": 5}]), filename="cat.jpg"),
    ),
}


@pytest.mark.parametrize("name", BODIES)
@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.integers(0, 3000), max_size=20))
def test_what_is_received_does_not_depend_on_how_the_body_is_cut(name: str, places: list[int]) -> None:
    content_type, body, expected = BODIES[name]
    ends = [*sorted(place % len(body) for place in places), len(body)]
    chunks = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert asyncio.run(take(content_type, [*chunks, b""])) == (expected, IMAGE)


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "named"),
    [
        (FORM, FILE + b"%PDF-1.7" + END, UnsupportedImage, None),
        (FORM, FILE + b"BIG" * 9 + END, TooManyPixels, None),
        (FORM, FILE + b"BIG" + END, BrokenImage, None),
        (FORM, FILE + END, BrokenImage, "image"),
        (FORM, FILE + IMAGE, MalformedRequest, None),
        (FORM, b"--frontier--\r\n", MalformedRequest, "image"),
        (FORM, field("width", "5") + b"--frontier--", MalformedRequest, "image"),
        (FORM, FILE + IMAGE + b"\r\n" + FILE + IMAGE + END, MalformedRequest, "image"),
        (FORM, FILE + IMAGE + b"\r\n" + field("a", "1") * 9 + b"--frontier--", MalformedRequest, None),
        (FORM, FILE + IMAGE + b"\r\n" + field("a", "1" * 4096) + b"--frontier--", TooManyBytes, None),
        ("image/png", b"", BrokenImage, "image"),
        ("image/png", b"GIF", UnsupportedImage, None),
        ("application/json", b'{"width": 5}', MalformedRequest, "image"),
        ("application/json", b'{"data": ""}', BrokenImage, "image"),
        ("application/json", b'{"data": "SU1H!"}', MalformedRequest, "data"),
        ("application/json", b'{"data": "JVBERi0xLjc="}', UnsupportedImage, None),
        ("application/json", b'{"data": "SU1H", "data": "SU1H"}', MalformedRequest, "data"),
        ("text/plain", IMAGE, UnsupportedMediaType, None),
        (None, IMAGE, UnsupportedMediaType, None),
        ("multipart/form-data", FILE + IMAGE + END, MalformedRequest, None),
    ],
)
async def test_a_refusal_is_typed_and_opens_no_sink(
    content_type: str | None, body: bytes, kind: type[QuickThumbError], named: str | None
) -> None:
    for chunks in ([body], [body[start : start + 1] for start in range(len(body))]):
        error = await refuse(content_type, chunks)
        assert (type(error), error.code, error.field) == (kind, kind.code, named)


@pytest.mark.parametrize(
    ("content_type", "head"),
    [(FORM, FILE + b"%PDF"), ("image/png", b"%PDF"), ("application/json", b'{"data": "JVBERi0x')],
)
async def test_what_is_no_image_is_refused_with_its_first_bytes(content_type: str, head: bytes) -> None:
    def chunks() -> Iterable[bytes]:
        yield head
        pytest.fail("more was read than the bytes that decide")

    assert isinstance(await refuse(content_type, chunks()), UnsupportedImage)


@pytest.mark.parametrize(
    ("content_type", "head", "more"),
    [
        (FORM, FILE + b"IMG", b"x" * 9999),
        ("image/png", b"IMG", b"x" * 9999),
        ("application/json", b'{"data": "SU1H', b"eHh4" * 2500),
        ("application/json", b'{"data": "SU1H', b"\\n" * 5000),
    ],
)
async def test_an_endless_image_is_refused_at_the_limit(content_type: str, head: bytes, more: bytes) -> None:
    read = 0

    def chunks() -> Iterable[bytes]:
        nonlocal read
        yield head
        while True:
            read += len(more)
            yield more

    error = await refuse(content_type, chunks(), replace(LIMITS, max_upload_bytes=50_000))
    assert (error.code, error.detail) == ("too_many_bytes", "The image is too large; at most 50000 bytes are accepted.")
    assert read < 130_000


async def test_an_image_of_just_the_limit_is_accepted() -> None:
    for content_type, body, expected in BODIES.values():
        assert (await take(content_type, [body], limits=replace(LIMITS, max_upload_bytes=len(IMAGE))))[0] == expected
        error = await refuse(content_type, [body], replace(LIMITS, max_upload_bytes=len(IMAGE) - 1))
        assert isinstance(error, TooManyBytes)


@pytest.mark.parametrize(
    "more", [b"\r\n" * 5000, b"--frontier\r\nX: " + b"y" * 9999, b"--frontier" + b" " * 9999], ids=str
)
async def test_endless_framing_is_refused_long_before_the_limit(more: bytes) -> None:
    def chunks() -> Iterable[bytes]:
        yield more
        for _ in range(20):
            yield more[-5000:]
        pytest.fail("too much was read")

    assert isinstance(await refuse(FORM, chunks()), MalformedRequest)


@settings(max_examples=100, deadline=None)
@given(
    content_type=st.sampled_from([FORM, "image/png", "application/json"]),
    start=st.sampled_from([b"", FILE, FILE + IMAGE, b'{"data": "SU1H', b'{"a": ']),
    rest=st.binary(max_size=300),
)
def test_any_body_is_received_or_refused_with_a_typed_error(content_type: str, start: bytes, rest: bytes) -> None:
    with contextlib.suppress(QuickThumbError):
        asyncio.run(take(content_type, [start, rest]))
