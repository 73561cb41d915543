"""The parameters of an output: every text form that is accepted, and every combination that is refused."""

import subprocess
import sys
from typing import Any

import pytest

from quickthumb.model.errors import InvalidParameter
from quickthumb.model.output import Output, parse_output


def test_text_and_json_mean_the_same() -> None:
    form = parse_output(
        {
            "size": "400x300",
            "fit": "cover",
            "position": "0.5,0.25",
            "crop": "1, 2,3,4",
            "flip": "yes",
            "grayscale": "1",
            "enlarge": "true",
            "background": "fff",
            "blur": "1.5",
            "rotate": "90",
            "quality": "70",
        }
    )
    json = Output.model_validate(
        {
            "width": 400,
            "height": 300,
            "fit": "cover",
            "position": [0.5, 0.25],
            "crop": [1, 2, 3, 4],
            "flip": True,
            "grayscale": True,
            "enlarge": True,
            "background": "#FFFFFF",
            "blur": 1.5,
            "rotate": 90,
            "quality": 70,
        }
    )
    assert form == json


def test_survives_a_record() -> None:
    output = parse_output({"size": "4x3", "fit": "cover", "crop": "0,0,9,9", "background": "red", "position": "smart"})
    assert Output.model_validate_json(output.model_dump_json()) == output
    assert Output.model_validate(output.model_dump()) == output


def test_empty_fields_of_a_form_are_not_given() -> None:
    assert parse_output({"width": "", "height": "", "size": "", "blur": ""}) == Output()


@pytest.mark.parametrize(
    ("written", "stands_for"),
    [
        ("Top Left", "top-left"),
        ("left_top", "top-left"),
        ("SMART", "smart"),
        ("1,0", "1,0"),
        ((0.5, 0.5), "0.5,0.5"),
    ],
)
def test_positions(written: object, stands_for: str) -> None:
    assert Output.model_validate({"position": written}).position == stands_for


@pytest.mark.parametrize(
    ("written", "stands_for"),
    [
        ("#f80", "#ff8800ff"),
        ("f808", "#ff880088"),
        ("FF8800", "#ff8800ff"),
        ("#ff880080", "#ff880080"),
        ("transparent", "#00000000"),
        ("Navy", "#000080ff"),
    ],
)
def test_colors(written: str, stands_for: str) -> None:
    assert Output.model_validate({"background": written}).background == stands_for


@pytest.mark.parametrize(("written", "stands_for"), [("jpg", "jpeg"), ("JPG", "jpeg"), ("WebP", "webp")])
def test_formats_by_their_other_names(written: str, stands_for: str) -> None:
    assert parse_output({"format": written}).format == stands_for


@pytest.mark.parametrize(
    ("given", "suggestion"),
    [
        ({"widht": 5}, "widht: there is no such parameter; perhaps you mean width."),
        ({"Width": 5}, "Width: there is no such parameter; perhaps you mean width."),
        ({"greyscale": True}, "greyscale: there is no such parameter; perhaps you mean grayscale."),
        ({"zoom": 2}, "zoom: there is no such parameter."),
    ],
)
def test_a_misspelled_parameter_gets_a_suggestion(given: dict[str, Any], suggestion: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        parse_output(given)
    assert refusal.value.detail == suggestion


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"width": "wide"}, "width"),
        ({"width": 0}, "width"),
        ({"height": 20_000}, "height"),
        ({"size": "400"}, "size"),
        ({"size": "400x300", "width": 3}, "size"),
        ({"name": "../x"}, "name"),
        ({"colour": "red"}, "colour"),
        ({"crop": "1,2,3"}, "crop"),
        ({"crop": "1,2,0,3"}, "crop"),
        ({"crop": 7}, "crop"),
        ({"position": "middle"}, "position"),
        ({"position": "2,0"}, "position"),
        ({"position": 5}, "position"),
        ({"background": "blurple"}, "background"),
        ({"background": None, "blur": "nan"}, "blur"),
        ({"flip": "perhaps"}, "flip"),
        ({"rotate": "inf"}, "rotate"),
        ({"brightness": -1}, "brightness"),
        ({"quality": 101}, "quality"),
        ({"format": "bmp"}, "format"),
        ({"fit": "cover", "width": 100}, "fit"),
        ({"fit": "contain"}, "fit"),
        ({"fit": "fill", "height": 100}, "fit"),
        ({"lossless": "yes", "format": "jpeg"}, "lossless"),
        ({"lossless": "yes", "format": "avif"}, "lossless"),
        ({"lossless": "yes", "max_bytes": 1000}, "max_bytes"),
        ({"lossless": "yes", "quality": 50}, "quality"),
        ({"max_bytes": 1000, "format": "png"}, "max_bytes"),
        ({"quality": 50, "format": "gif"}, "quality"),
    ],
)
def test_refusals_name_the_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        parse_output(given)
    assert refusal.value.field == field
    assert refusal.value.detail.startswith(field)


def test_the_schema_describes_every_parameter() -> None:
    properties = Output.model_json_schema()["properties"]
    assert properties["size"]["anyOf"][0]["type"] == "string"
    assert all(len(parameter["description"]) > 10 for parameter in properties.values())


def test_importing_the_parameters_does_not_load_pillow() -> None:
    program = "import sys, quickthumb.model.output; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
