"""Forms: what is refused, and what is shown of file names."""

import pytest

from quickthumb.intake.parts import ImageFilename, ImageStart
from quickthumb.model.errors import MalformedRequest
from tests.intake.bodies import FORM, IMAGE, cut, field_part, file_part, form, parse, part, refusal


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
        found.filename
        for found in parse(FORM, [form(file_part(IMAGE, given_name))])
        if isinstance(found, ImageFilename)
    ]
    assert names == ([shown] if shown else [])


def test_a_filename_that_is_not_utf8_is_read_leniently() -> None:
    body = form(file_part(IMAGE)).replace(b"cat.jpg", b"caf\xe9.jpg")
    assert ImageFilename("caf\ufffd.jpg") in parse(FORM, [body])


def test_the_part_may_be_called_file() -> None:
    assert parse(FORM, [form(file_part(IMAGE, name="file"))]) == [ImageStart(), ImageFilename("cat.jpg"), IMAGE]


@pytest.mark.parametrize("boundary", ["", "; boundary=", '; boundary=""', "; boundary=ä", f"; boundary={'x' * 1000}"])
def test_a_form_without_a_usable_boundary_is_malformed(boundary: str) -> None:
    assert type(refusal("multipart/form-data" + boundary)) is MalformedRequest
