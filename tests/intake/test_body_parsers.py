"""The body parsers: a body yields the same parts, or the same refusal, however it is cut."""

import base64
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quickthumb.intake.body_parsers import (
    BODY_PARSERS,
    choose_body_parser,
    least_image_bytes,
    refuse_declared_length,
)
from quickthumb.intake.errors import TooManyBytes, UnsupportedMediaType
from quickthumb.intake.parts import BodyPart, Field, ImageFilename, ImageStart
from quickthumb.model.errors import MalformedRequest
from tests.intake.bodies import (
    FORM,
    IMAGE,
    JSON,
    LIMITS,
    cut,
    field_part,
    file_part,
    form,
    json_body,
    parse,
    refusal,
)

BASE64 = base64.b64encode(IMAGE).decode()


NESTED = [{"width": 5, "data": "inner"}, 'a"b\\', {"x": [1, {"data": None}]}]


BODIES: dict[str, tuple[str, bytes, list[BodyPart | bytes]]] = {
    "form": (
        FORM,
        form(field_part("width", "7"), file_part(IMAGE), field_part("note", "ä\r\n--a b"), field_part("width", "")),
        [
            Field("width", "7"),
            ImageStart(),
            ImageFilename("cat.jpg"),
            IMAGE,
            Field("note", "ä\r\n--a b"),
            Field("width", ""),
        ],
    ),
    "form-empty": (FORM, form(file_part(b"", 'filename=""')), [ImageStart()]),
    "raw": ("image/jpeg", IMAGE, [ImageStart(), IMAGE]),
    "raw-empty": ("application/octet-stream", b"", [ImageStart()]),
    "json": (
        JSON,
        json_body(width=5, outputs=NESTED, data=BASE64, filename="C:\\pictures\\cat.jpg", fit=None),
        [
            ImageStart(),
            IMAGE,
            ImageFilename("cat.jpg"),
            Field("width", 5),
            Field("outputs", NESTED),
            Field("fit", None),
        ],
    ),
    "json-php": (
        JSON,
        b'\xef\xbb\xbf { "d\\u0061ta" : "' + BASE64.replace("/", "\\/").encode() + b'" , "data2" : "data" } \n',
        [ImageStart(), IMAGE, Field("data2", "data")],
    ),
    "json-net": (
        JSON,
        b'{"data":"' + BASE64.replace("+", "\\u002B").replace("=", "\\u003d").replace("/", "\\u002f").encode() + b'"}',
        [ImageStart(), IMAGE],
    ),
    "json-mime": (
        JSON,
        json_body(data=base64.encodebytes(IMAGE).decode().replace("\n", "\r\n")),
        [ImageStart(), IMAGE],
    ),
    "json-shell": (JSON, b'{"data": "' + base64.encodebytes(IMAGE) + b'"}', [ImageStart(), IMAGE]),
    "json-url": (JSON, b'{"data":" data:image\\/png;base64,' + BASE64.encode() + b'"}', [ImageStart(), IMAGE]),
    "json-unpadded": (JSON, json_body(data=BASE64.rstrip("=")), [ImageStart(), IMAGE]),
    "json-url-alphabet": (
        JSON,
        json_body(data=base64.urlsafe_b64encode(b"\xfb\xef\xbe\xff\xff" * 100).decode().rstrip("=")),
        [ImageStart(), b"\xfb\xef\xbe\xff\xff" * 100],
    ),
    "json-data-url-in-lines": (
        JSON,
        json_body(data="\nDATA:image/png;charset=utf-8;base64,\n" + base64.encodebytes(IMAGE).decode().rstrip("=\n")),
        [ImageStart(), IMAGE],
    ),
    "json-empty": (JSON, json_body(data=""), [ImageStart()]),
    "json-none": (JSON, json_body(width=5), [Field("width", 5)]),
}


@pytest.mark.parametrize("name", BODIES)
@settings(max_examples=40)
@given(places=st.lists(st.integers(0, 10**6), max_size=30))
def test_the_parts_do_not_depend_on_how_the_body_is_cut(name: str, places: list[int]) -> None:
    content_type, body, expected = BODIES[name]
    assert parse(content_type, cut(body, places)) == expected


@pytest.mark.parametrize("name", BODIES)
def test_a_body_may_come_byte_by_byte(name: str) -> None:
    content_type, body, expected = BODIES[name]
    assert parse(content_type, cut(body, range(len(body)))) == expected


@settings(max_examples=300)
@given(content_type=st.sampled_from([FORM, JSON]), pieces=st.lists(st.sampled_from(
    [b"--a b=c", b"\r\n", b"--", b"Content-Disposition: form-data; name=", b'"', b"image", b"{", b"}", b"[", b":", b",",
     b'"data"', b'"x"', b"\\", b"QUJD", b"\xff", b"1e999", b"9" * 5000, b" "]), max_size=25))  # fmt: skip
def test_anything_else_is_refused_by_name(content_type: str, pieces: list[bytes]) -> None:
    with contextlib.suppress(MalformedRequest, TooManyBytes):
        parse(content_type, pieces)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, form(field_part("note", "x" * 2001))),
        (FORM, form(field_part("note", "x" * 999), field_part("note", "x" * 999))),
        (FORM, b"--a b=c\r\nContent-Disposition: form-data; name=note\r\n\r\n" + b"x" * 100_000),
        (JSON, json_body(note="x" * 2001)),
        (JSON, b'{"note": "' + b"x" * 100_000),
        (JSON, b" " * 100_000),
    ],
)
def test_fields_that_are_too_long_are_too_many_bytes(content_type: str, body: bytes) -> None:
    assert type(refusal(content_type, *cut(body, range(0, len(body), 997)))) is TooManyBytes


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/html",
        "application/x-www-form-urlencoded",
        "image",
        "image/",
        "multipart/mixed; boundary=x",
        "a;b",
    ],
)
def test_another_content_type_is_unsupported(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        choose_body_parser(content_type)


def test_the_content_type_is_read_without_regard_to_case() -> None:
    assert choose_body_parser('Multipart/Form-Data; Boundary="x;y"; charset=utf-8')[1]["boundary"] == "x;y"
    assert choose_body_parser(" IMAGE/PNG ")[0] is BODY_PARSERS[1][1]


def test_a_declared_length_is_refused_only_if_nothing_of_it_could_be_accepted() -> None:
    most = LIMITS.max_upload_bytes
    refuse_declared_length(None, "image/png", LIMITS)
    refuse_declared_length(most, "image/png", LIMITS)
    encoded = base64.encodebytes(bytes(most)).replace(b"\n", b"\\r\\n")
    refuse_declared_length(len(encoded) + 50, JSON, LIMITS)
    refuse_declared_length(most + 5000, FORM, LIMITS)
    for length, content_type in ((most + 1, "image/png"), (3 * most, JSON), (2 * most, FORM)):
        with pytest.raises(TooManyBytes):
            refuse_declared_length(length, content_type, LIMITS)
    with pytest.raises(UnsupportedMediaType):
        refuse_declared_length(5, "text/html", LIMITS)


@pytest.mark.parametrize("content_type", [FORM, "image/jpeg", JSON])
@given(st.integers(1, 5000))
def test_the_head_tells_the_least_size_of_the_image(content_type: str, size: int) -> None:
    image = b"x" * size
    as_json = json_body(width=5, data=base64.b64encode(image).decode())
    body = {FORM: form(field_part("width", "7"), file_part(image)), "image/jpeg": image, JSON: as_json}[content_type]
    least = least_image_bytes(len(body), content_type, LIMITS)
    assert 1 <= least <= size
    assert least == size or content_type != "image/jpeg"
    assert least_image_bytes(None, content_type, LIMITS) == 1


def test_a_long_body_tells_of_a_large_image() -> None:
    for content_type, share in ((FORM, 0.9), ("image/png", 1), (JSON, 0.4)):
        assert least_image_bytes(10**8, content_type, LIMITS) >= share * 10**8
