"""The parsers of the three ways: the same body brings the same events, or the same refusal, however it is cut."""

import base64
import contextlib
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quickthumb.errors import MalformedRequest, QuickThumbError, TooManyBytes, UnsupportedMediaType
from quickthumb.intake.events import Event, Field, ImageBegins, ImageBytes, ImageNamed
from quickthumb.intake.limits import IntakeLimits
from quickthumb.intake.ways import WAYS, choose_way, refuse_declared_length

LIMITS = IntakeLimits(max_upload_bytes=100_000, max_fields=4, max_fields_bytes=2000, idle_seconds=5, total_seconds=5)
FORM = 'multipart/form-data; boundary="a b=c"'
JSON = "application/json; charset=utf-8"
IMAGE = bytes(range(256)) * 3 + b"\r\n--a b=\r\n--a b=cx\r\n-" + b"\xff" * 41


def part(headers: str, content: bytes, boundary: str = "a b=c") -> bytes:
    return f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n"


def file_part(content: bytes, filename: str = 'filename="cat.jpg"', name: str = "image") -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"; {filename}\r\nContent-Type: image/jpeg', content)


def field_part(name: str, value: str) -> bytes:
    return part(f'content-disposition:form-data; name="{name}"', value.encode())


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--a b=c--\r\n"


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    ends = [*sorted({place % (len(body) + 1) for place in places}), len(body)]
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def parse(content_type: str, chunks: Iterable[bytes]) -> list[Event | bytes]:
    """The events; the image's bytes are put together."""
    kind, parameters = choose_way(content_type)
    way = kind(parameters, LIMITS)
    found: list[Event | bytes] = []

    def take(events: Iterable[Event]) -> None:
        for event in events:
            if not isinstance(event, ImageBytes):
                found.append(event)
            elif found and isinstance(found[-1], bytes):
                found[-1] += bytes(event.data)
            else:
                found.append(bytes(event.data))

    for chunk in chunks:
        if chunk:
            take(way.feed(chunk))
    take(way.close())
    return found


def refusal(content_type: str, *chunks: bytes) -> QuickThumbError:
    with pytest.raises(QuickThumbError) as caught:
        parse(content_type, chunks)
    return caught.value


def json_body(**values: Any) -> bytes:
    return json.dumps(values).encode()


BASE64 = base64.b64encode(IMAGE).decode()
NESTED = [{"width": 5, "data": "inner"}, 'a"b\\', {"x": [1, {"data": None}]}]

BODIES: dict[str, tuple[str, bytes, list[Event | bytes]]] = {
    "form": (
        FORM,
        form(field_part("width", "7"), file_part(IMAGE), field_part("note", "ä\r\n--a b"), field_part("width", "")),
        [
            Field("width", "7"),
            ImageBegins(),
            ImageNamed("cat.jpg"),
            IMAGE,
            Field("note", "ä\r\n--a b"),
            Field("width", ""),
        ],
    ),
    "form-empty": (FORM, form(file_part(b"", 'filename=""')), [ImageBegins()]),
    "raw": ("image/jpeg", IMAGE, [ImageBegins(), IMAGE]),
    "raw-empty": ("application/octet-stream", b"", [ImageBegins()]),
    "json": (
        JSON,
        json_body(width=5, outputs=NESTED, data=BASE64, filename="C:\\pictures\\cat.jpg", fit=None),
        [ImageBegins(), IMAGE, ImageNamed("cat.jpg"), Field("width", 5), Field("outputs", NESTED), Field("fit", None)],
    ),
    "json-php": (
        JSON,
        b'\xef\xbb\xbf { "d\\u0061ta" : "' + BASE64.replace("/", "\\/").encode() + b'" , "data2" : "data" } \n',
        [ImageBegins(), IMAGE, Field("data2", "data")],
    ),
    "json-net": (
        JSON,
        b'{"data":"' + BASE64.replace("+", "\\u002B").replace("=", "\\u003d").replace("/", "\\u002f").encode() + b'"}',
        [ImageBegins(), IMAGE],
    ),
    "json-mime": (
        JSON,
        json_body(data=base64.encodebytes(IMAGE).decode().replace("\n", "\r\n")),
        [ImageBegins(), IMAGE],
    ),
    "json-shell": (JSON, b'{"data": "' + base64.encodebytes(IMAGE) + b'"}', [ImageBegins(), IMAGE]),
    "json-url": (JSON, b'{"data":" data:image\\/png;base64,' + BASE64.encode() + b'"}', [ImageBegins(), IMAGE]),
    "json-unpadded": (JSON, json_body(data=BASE64.rstrip("=")), [ImageBegins(), IMAGE]),
    "json-empty": (JSON, json_body(data=""), [ImageBegins()]),
    "json-none": (JSON, json_body(width=5), [Field("width", 5)]),
}


@pytest.mark.parametrize("name", BODIES)
@settings(max_examples=40)
@given(places=st.lists(st.integers(0, 10**6), max_size=30))
def test_the_events_do_not_depend_on_how_the_body_is_cut(name: str, places: list[int]) -> None:
    content_type, body, expected = BODIES[name]
    assert parse(content_type, cut(body, places)) == expected


@pytest.mark.parametrize("name", BODIES)
def test_a_body_may_come_byte_by_byte(name: str) -> None:
    content_type, body, expected = BODIES[name]
    assert parse(content_type, cut(body, range(len(body)))) == expected


@given(data=st.binary(max_size=200), places=st.lists(st.integers(0, 300)), break_every=st.integers(1, 90))
def test_any_image_survives_base64(data: bytes, places: list[int], break_every: int) -> None:
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[start : start + break_every] for start in range(0, len(text), break_every))
    found = parse(JSON, cut(json_body(data=lines), places))
    assert found == [ImageBegins(), data] if data else [ImageBegins()]


@given(text=st.text(alphabet='AQ=+/-_ \n\\"u0:,{}[]data', max_size=30), place=st.integers(0, 60))
def test_any_text_as_base64_is_decoded_or_refused_however_it_is_cut(text: str, place: int) -> None:
    outcomes = []
    for places in ([], [place], range(100)):
        try:
            outcomes.append(str(parse(JSON, cut(json_body(data=text), places))))
        except MalformedRequest as error:
            outcomes.append(error.field or "")
    assert len(set(outcomes)) == 1


@settings(max_examples=300)
@given(content_type=st.sampled_from([FORM, JSON]), pieces=st.lists(st.sampled_from(
    [b"--a b=c", b"\r\n", b"--", b"Content-Disposition: form-data; name=", b'"', b"image", b"{", b"}", b"[", b":", b",",
     b'"data"', b'"x"', b"\\", b"QUJD", b"\xff", b"1e999", b"9" * 5000, b" "]), max_size=25))  # fmt: skip
def test_anything_else_is_refused_by_name(content_type: str, pieces: list[bytes]) -> None:
    with contextlib.suppress(MalformedRequest, TooManyBytes):
        parse(content_type, pieces)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"[]", None),
        (b"7", None),
        (b"{", None),
        (b'{"width": 5', None),
        (b'{"width": NaN}', None),
        (b'{"width": 1e999}', None),
        (b'{"width": 0x5}', None),
        (b'{"name": "\\ud800"}', None),
        (b'{"name": "\xff"}', None),
        (b'{"width": 1, "width": 2}', None),
        (b'{"outputs": [{"width": 1, "width": 2}]}', None),
        (b"[" * 100, None),
        (b'{"data": "QUJD"} {}', None),
        (b'{"data" "QUJD"}', None),
        (b'{"da\\xta": "QUJD"}', None),
        (b'{"filename": 5}', "filename"),
        (b'{"data": null}', "data"),
        (b'{"data": ["QUJD"]}', "data"),
        (b'{"data": "QUJD', "data"),
        (b'{"data": "QUJD", "data": "QUJD"}', "data"),
        (b'{"data": "QUJD", "d\\u0061ta": 5}', "data"),
        (b'{"data": "Q"}', "data"),
        (b'{"data": "QUJD*"}', "data"),
        (b'{"data": "QUI=QUJD"}', "data"),
        (b'{"data": "QUI=QQ"}', "data"),
        (b'{"data": "QUI=="}', "data"),
        (b'{"data": "===="}', "data"),
        (b'{"data": "QU-_"}', "data"),
        (b'{"data": "QU\\\\u002B"}', "data"),
        (b'{"data": "QU\\u00e9"}', "data"),
        (b'{"data": "QU\\"}', "data"),
        (b'{"data": "data:image/png,QUJD"}', "data"),
        (b'{"data": "data:image/png;base64"}', "data"),
        (b'{"data": "data:' + b"x" * 1000 + b'"}', "data"),
    ],
)
def test_wrong_json_is_malformed(body: bytes, field: str | None) -> None:
    for chunks in ([body], cut(body, range(len(body)))):
        error = refusal(JSON, *chunks)
        assert (type(error), error.field) == (MalformedRequest, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"hello", None),
        (form(file_part(IMAGE))[:-4], None),
        (form(file_part(IMAGE))[:-100], None),
        (form(file_part(IMAGE)).replace(b"--a b=c--", b"--another--"), None),
        (form(part("Content-Type: image/png", IMAGE)), None),
        (form(part("Content-Disposition: form-data", IMAGE)), None),
        (form(part('Content-Disposition: attachment; name="image"', IMAGE)), None),
        (form(part('Content-Disposition: form-data; name=""', IMAGE)), None),
        (form(part("\n".join(["X: y"] * 9), IMAGE)), None),
        (form(file_part(IMAGE, name="photo")), "photo"),
        (form(part('Content-Disposition: form-data; name="note"', b"\xff")), "note"),
        (form(*[field_part("x", "1")] * 5), None),
        (form(*[field_part("x", "1")] * 10_000), None),
        (b"\r\n" * 100_000, None),
        (b"--a b=c\r\nX-Endless: " + b"x" * 100_000, None),
        (b"--a b=c\r\n" + b"x" * 100_000, None),
        (b"--a b=c" + b" " * 100_000, None),
        (form(file_part(IMAGE)) + b"x" * 100_000, None),
    ],
)
def test_a_wrong_form_is_malformed(body: bytes, field: str | None) -> None:
    for chunks in ([body], cut(body, range(0, len(body), 997))):
        error = refusal(FORM, *chunks)
        assert (type(error), error.field) == (MalformedRequest, field)


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


def test_too_many_keys_are_malformed() -> None:
    error = refusal(JSON, json_body(**{f"key{number}": number for number in range(5)}))
    assert (type(error), error.detail) == (MalformedRequest, "The request has too many fields; at most 4 are accepted.")


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ('filename="cat.jpg"', "cat.jpg"),
        ("filename=cat.jpg", "cat.jpg"),
        ('filename="../../etc/passwd"', "passwd"),
        ('filename="/etc/passwd"', "passwd"),
        ('filename="C:\\Users\\me\\cat.jpg"', "cat.jpg"),
        ('filename="a\\"b;c.jpg"', 'a"b;c.jpg'),
        ('filename="ca\x00t\x1b[31m\x7f.jpg"', "cat[31m.jpg"),
        ('filename="photo\u202egpj.exe"', "photogpj.exe"),
        ('filename="naïve – 猫.jpg"', "naïve – 猫.jpg"),
        ("filename=\"plain.jpg\"; filename*=UTF-8''na%C3%AFve%20%E7%8C%AB.jpg", "naïve 猫.jpg"),
        ("filename*=utf-8''..%2F..%2Fcat%00%0A.jpg", "cat.jpg"),
        ("filename=\"plain.jpg\"; filename*=klingon''x.jpg", "plain.jpg"),
        ("filename=\"x; filename*=UTF-8''evil.jpg\"", "x; filename*=UTF-8''evil.jpg"),
        (f'filename="{"x" * 1000}.jpg"', "x" * 251 + ".jpg"),
        ('filename=""', None),
        ('filename=".."', None),
        ('filename="/"', None),
        ('filename="\u200b \x01"', None),
    ],
)
def test_a_filename_is_only_shown(given_name: str, shown: str | None) -> None:
    names = [
        event.filename for event in parse(FORM, [form(file_part(IMAGE, given_name))]) if isinstance(event, ImageNamed)
    ]
    assert names == ([shown] if shown else [])


def test_a_filename_that_is_not_utf8_is_read_leniently() -> None:
    body = form(file_part(IMAGE)).replace(b"cat.jpg", b"caf\xe9.jpg")
    assert ImageNamed("caf\ufffd.jpg") in parse(FORM, [body])


def test_the_part_may_be_called_file() -> None:
    assert parse(FORM, [form(file_part(IMAGE, name="file"))]) == [ImageBegins(), ImageNamed("cat.jpg"), IMAGE]


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
        choose_way(content_type)


@pytest.mark.parametrize("boundary", ["", "; boundary=", '; boundary=""', "; boundary=ä", f"; boundary={'x' * 1000}"])
def test_a_form_without_a_usable_boundary_is_malformed(boundary: str) -> None:
    assert type(refusal("multipart/form-data" + boundary)) is MalformedRequest


def test_the_content_type_is_read_without_regard_to_case() -> None:
    assert choose_way('Multipart/Form-Data; Boundary="x;y"; charset=utf-8')[1]["boundary"] == "x;y"
    assert choose_way(" IMAGE/PNG ")[0] is WAYS[1][1]


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
