"""JSON with the image in base64: what is decoded, what is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quickthumb.intake.parts import ImageStart
from quickthumb.model.errors import MalformedRequest
from tests.intake.bodies import (
    JSON,
    cut,
    json_body,
    parse,
    refusal,
)


@given(data=st.binary(max_size=200), places=st.lists(st.integers(0, 300)), break_every=st.integers(1, 90))
def test_any_image_survives_base64(data: bytes, places: list[int], break_every: int) -> None:
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[start : start + break_every] for start in range(0, len(text), break_every))
    found = parse(JSON, cut(json_body(data=lines), places))
    assert found == [ImageStart(), data] if data else [ImageStart()]


@given(text=st.text(alphabet='AQ=+/-_ \n\\"u0:,{}[]data', max_size=30), place=st.integers(0, 60))
def test_any_text_as_base64_is_decoded_or_refused_however_it_is_cut(text: str, place: int) -> None:
    outcomes = []
    for places in ([], [place], range(100)):
        try:
            outcomes.append(str(parse(JSON, cut(json_body(data=text), places))))
        except MalformedRequest as error:
            outcomes.append(error.field or "")
    assert len(set(outcomes)) == 1


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
        (b'{"data": "QU~_"}', "data"),
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


def test_too_many_keys_are_malformed() -> None:
    error = refusal(JSON, json_body(**{f"key{number}": number for number in range(5)}))
    assert (type(error), error.detail) == (MalformedRequest, "The request has too many fields; at most 4 are accepted.")
