"""Header values with parameters, well formed and not."""

import time

import pytest

from quickthumb.intake.headers import decode_extended, split_header_value


@pytest.mark.parametrize(
    ("text", "value", "parameters"),
    [
        ("", "", {}),
        ("Text/Plain", "text/plain", {}),
        ("form-data; name=a", "form-data", {"name": "a"}),
        (' FORM-DATA ;NAME="a b" ; filename = x.jpg ', "form-data", {"name": "a b", "filename": "x.jpg"}),
        ('x; a="1;b=2"; c=3', "x", {"a": "1;b=2", "c": "3"}),
        (r'x; a="\"\\\n"', "x", {"a": r"\"\n".replace(r"\"", '"' + "\\")}),
        ("x; a=1; A=2", "x", {"a": "1"}),
        ('x; a="open; b=2', "x", {"a": "open; b=2"}),
        ("x; a; =b; ;; c=", "x", {"c": ""}),
    ],
)
def test_splits(text: str, value: str, parameters: dict[str, str]) -> None:
    assert split_header_value(text) == (value, parameters)


def test_hostile_values_take_linear_time() -> None:
    started = time.process_time()
    for text in (';a="\\"' * 20_000, ";a" * 50_000, "; " * 50_000, ";a" + " " * 100_000, ";" + "a" * 100_000):
        split_header_value(text)
    # Linear takes some milliseconds; quadratic would take minutes.
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("UTF-8''na%C3%AFve", "naïve"),
        ("iso-8859-1'fr'caf%e9", "café"),
        ("utf-8''%ff", "\ufffd"),
        ("utf-7''x", None),
        ("plain", None),
        ("", None),
    ],
)
def test_decodes_the_extended_form(text: str, decoded: str | None) -> None:
    assert decode_extended(text) == decoded
