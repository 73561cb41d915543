"""Sizes and boxes: what the rules say, for any picture and any box."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from quickthumb.imaging.engine import render
from quickthumb.imaging.geometry import plan, rotated_size
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.notation import ANCHORS, anchor
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.measures import samples
from tests.imaging.pictures import gradient, quadrants

SIDES = some.integers(1, 6000)
SIZES = some.tuples(SIDES, SIDES)
POSITIONS = some.sampled_from([*ANCHORS, "smart"]) | some.tuples(
    some.floats(0, 1, allow_nan=False), some.floats(0, 1, allow_nan=False)
)
FITS = some.sampled_from(["inside", "cover", "contain", "fill"])


@some.composite
def outputs(draw: some.DrawFn) -> Output:
    width, height = draw(SIZES)
    return Output.model_validate(
        {
            "width": width,
            "height": height,
            "fit": draw(FITS),
            "enlarge": draw(some.booleans()),
            "position": draw(POSITIONS),
        }
    )


@given(SIZES, outputs())
@settings(max_examples=400)
def test_every_fit_keeps_its_rules(upright: tuple[int, int], output: Output) -> None:
    assert output.width is not None
    assert output.height is not None
    made = plan(upright, output)
    box = (output.width, output.height)
    left, top, right, bottom = made.region
    assert -1e-6 <= left < right <= upright[0] + 1e-6
    assert -1e-6 <= top < bottom <= upright[1] + 1e-6
    assert all(side >= 1 for side in made.size)
    if not output.enlarge:
        assert all(side <= max(1, math.ceil(length)) for side, length in zip(made.size, made.region_size, strict=True))
    if output.fit == "contain":
        assert made.canvas == box
    if output.fit in ("inside", "contain"):
        assert made.region == (0, 0, *upright)
        assert all(side <= limit for side, limit in zip(made.size, box, strict=True))
        touches = made.size[0] == box[0] or made.size[1] == box[1]
        assert touches or (made.size == upright and not output.enlarge)
    if output.fit in ("cover", "fill"):
        enough = all(side >= limit for side, limit in zip(upright, box, strict=True))
        if output.enlarge or enough:
            assert made.canvas == box
    if output.fit == "cover":
        assert right - left == pytest.approx(upright[0]) or bottom - top == pytest.approx(upright[1])
        assert (right - left) / (bottom - top) == pytest.approx(box[0] / box[1])


@given(SIZES, SIZES, POSITIONS)
def test_cover_and_contain_put_the_box_where_the_position_says(
    upright: tuple[int, int], box: tuple[int, int], position: object
) -> None:
    wanted = {"width": box[0], "height": box[1], "position": position, "enlarge": True}
    output = Output.model_validate({**wanted, "fit": "cover"})
    x, y = anchor(output.position)
    left, top, right, bottom = plan(upright, output).region
    assert left == pytest.approx((upright[0] - (right - left)) * x, abs=1e-6)
    assert top == pytest.approx((upright[1] - (bottom - top)) * y, abs=1e-6)
    made = plan(upright, Output.model_validate({**wanted, "fit": "contain"}))
    assert made.offset[0] == pytest.approx((box[0] - made.size[0]) * x, abs=0.51)
    assert made.offset[1] == pytest.approx((box[1] - made.size[1]) * y, abs=0.51)


@given(SIZES, SIDES, some.booleans())
def test_one_side_keeps_proportions(upright: tuple[int, int], width: int, enlarge: bool) -> None:
    made = plan(upright, Output(width=width, enlarge=enlarge)).size
    assert made[0] == (width if enlarge else min(width, upright[0]))
    assert made[1] == pytest.approx(max(1, made[0] * upright[1] / upright[0]), abs=0.51)


@given(SIZES)
def test_no_side_keeps_the_size(upright: tuple[int, int]) -> None:
    assert plan(upright, Output()).canvas == upright


@given(SIZES, some.floats(-360, 360))
def test_a_rotated_picture_fits_into_its_frame(size: tuple[int, int], degrees: float) -> None:
    made = rotated_size(size, degrees)
    assert rotated_size(size, degrees + 180) == pytest.approx(made, abs=1)
    assert math.prod(made) >= 0.98 * math.prod(size) - sum(size)


def test_a_crop_outside_the_picture_is_refused() -> None:
    with pytest.raises(InvalidParameter) as refusal:
        plan((100, 80), Output(crop=(50, 0, 51, 80)))
    assert refusal.value.field == "crop"


@given(
    some.tuples(some.integers(1, 40), some.integers(1, 40)),
    some.tuples(some.integers(1, 40), some.integers(1, 40)),
    FITS,
    some.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_is_made_has_the_planned_size(
    tmp_path_factory: pytest.TempPathFactory, size: tuple[int, int], box: tuple[int, int], fit: str, enlarge: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    Image.new("RGB", size, "red").save(folder / "any.bmp")
    output = Output.model_validate({"width": box[0], "height": box[1], "fit": fit, "enlarge": enlarge, "format": "png"})
    made = render(folder / "any.bmp", [output], folder, LIMITS).made[0]
    with Image.open(folder / made.filename) as picture:
        assert picture.size == (made.width, made.height) == plan(size, output).canvas


@pytest.mark.parametrize(("position", "seen"), [("left", 0), ("center", 0.5), ("right", 1), ("0.25,0.9", 0.25)])
def test_cover_cuts_what_it_says(engine: Engine, position: str, seen: float) -> None:
    picture = engine(gradient(300, 100), size="100x100", fit="cover", position=position).picture()
    red = samples(picture)[:, :, 0].mean(0)
    assert red[0] == pytest.approx(255 * seen * 200 / 299, abs=3)
    assert red[-1] - red[0] == pytest.approx(255 * 99 / 299, abs=3)


def test_contain_pads_with_the_background(engine: Engine) -> None:
    picture = engine(quadrants(60, 40), size="60x60", fit="contain", background="#102030", format="png").picture()
    assert picture.convert("RGBA").getpixel((30, 5)) == (0x10, 0x20, 0x30, 255)
    assert picture.convert("RGB").getpixel((5, 15)) == (255, 0, 0)
    assert picture.convert("RGB").getpixel((55, 45)) == (0, 0, 255)


@pytest.mark.parametrize(("name", "ground"), [("png", (0, 0, 0, 0)), ("jpeg", (255, 255, 255, 255))])
def test_padding_is_transparent_where_the_format_can(engine: Engine, name: str, ground: tuple[int, ...]) -> None:
    picture = engine(quadrants(), size="60x100", fit="contain", format=name).picture()
    assert picture.convert("RGBA").getpixel((30, 3)) == ground


def test_crop_comes_before_resizing_and_is_exact(engine: Engine) -> None:
    result = engine(quadrants(60, 40), crop="30,20,30,20", format="png")
    assert (result.only.width, result.only.height) == (30, 20)
    assert result.picture().convert("RGB").getcolors() == [(600, (0, 0, 255))]


def test_small_sources_are_not_enlarged_unless_asked(engine: Engine) -> None:
    made = engine(quadrants(60, 40), size="600x600").only
    assert (made.width, made.height) == (60, 40)
    made = engine(quadrants(60, 40), size="600x600", enlarge="yes").only
    assert (made.width, made.height) == (600, 400)
    made = engine(quadrants(60, 40), size="600x300", fit="cover").only
    assert (made.width, made.height) == (60, 30)
    assert "too few pixels" in made.warnings[0]


SAME = "This result is the same as small"
TOO_SMALL = f"{SAME}, because the source has too few pixels for more."


@pytest.mark.parametrize(
    ("second", "warnings"),
    [
        ({"width": 1600}, (TOO_SMALL,)),
        ({"size": "900x900", "format": "jpg"}, (TOO_SMALL,)),
        ({}, (f"{SAME}.",)),
        ({"width": 50}, ()),
        ({"width": 1600, "grayscale": True}, ()),
        ({"width": 1600, "enlarge": True}, ()),
        ({"width": 1600, "format": "webp"}, ()),
        ({"size": "60x60", "fit": "contain"}, ()),
    ],
)
def test_results_that_come_out_the_same_say_so(
    engine: Engine, tmp_path: Path, second: dict[str, object], warnings: tuple[str, ...]
) -> None:
    path = tmp_path / "small.jpg"
    gradient(60, 40).save(path)
    result = engine(path, {"name": "small", "width": 800}, {"name": "large", **second})
    small, large = result.rendering.made
    assert small.warnings == ()
    assert large.warnings == warnings
    assert (result.path("small").read_bytes() == result.path("large").read_bytes()) == bool(warnings)


def test_draft_decoding_changes_no_size(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "odd.jpg"
    gradient(1021, 767).save(path, quality=95)
    result = engine(path, {"name": "a", "width": 101}, {"name": "b", "size": "77x77", "fit": "cover"})
    assert [(made.width, made.height) for made in result.rendering.made] == [(101, 76), (77, 77)]
    red = samples(result.picture("b").convert("RGB"))[:, :, 0].mean(0)
    assert red[0] == pytest.approx(255 * (127 + 5) / 1020, abs=5)
