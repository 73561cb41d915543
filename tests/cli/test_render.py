"""`quickthumb render`, on real files."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from quickthumb.cli import render
from quickthumb.model.order import order_fields
from quickthumb.model.output import Output
from tests.cli.test_program import CHECKOUT, assert_one_sentence, quickthumb
from tests.conftest import picture
from tests.imaging import costly_files as files
from tests.imaging.metadata import sources
from tests.model.test_order import Extended


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(picture(640, 480))
    return path


def lines(ended: "subprocess.CompletedProcess[str]") -> list[str]:
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_parameters_work_as_options(photo: Path) -> None:
    out = photo.parent / "made"
    (line,) = lines(quickthumb("render", str(photo), "-p", "size=300x200", "-p", "fit=cover", "--out", str(out)))
    made = out / "thumbnail.jpg"
    assert line == f"{made}  jpeg  300x200  {made.stat().st_size} bytes"
    with Image.open(made) as image:
        assert image.size == (300, 200)
    assert names(out) == ["thumbnail.jpg"]


def test_without_parameters_it_is_the_thumbnail_in_the_current_folder(photo: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "quickthumb", "render", photo.name],
        cwd=photo.parent,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert lines(ended)[0].startswith("thumbnail.jpg  jpeg  128x96  ")
    assert names(photo.parent) == ["photo.jpg", "thumbnail.jpg"]


def test_presets_of_the_settings_and_outputs_are_made_together(photo: Path) -> None:
    out = photo.parent / "made"
    outputs = '[{"name": "wide", "width": 900, "height": 90, "fit": "cover", "format": "webp"}]'
    words = ("render", str(photo), "--preset", "card", "--preset", "square-32-64", "--outputs", outputs)
    told = lines(quickthumb(*words, "--out", str(out), QUICKTHUMB_PRESETS='{"card": [{"width": 60}]}'))
    assert [line.split("  ")[0] for line in told] == [
        str(out / name) for name in ("card.jpg", "square-32.jpg", "square-64.jpg", "wide.webp")
    ]
    # A warning ends the line of its result.
    assert told[3].split("  ")[4] == "The source has too few pixels for 900x90; the result is 640x64."


def test_a_result_of_an_earlier_run_is_replaced(photo: Path) -> None:
    for side in ("64", "32"):
        lines(quickthumb("render", str(photo), "-p", f"width={side}", "--out", str(photo.parent)))
    with Image.open(photo.parent / "thumbnail.jpg") as image:
        assert image.width == 32


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("-p", "widht=64"), ("widht", "there is no such parameter")),
        (("-p", "width=wide"), ("width",)),
        (("-p", "width=64", "-p", "width=65"), ("'width' is given 2 times",)),
        (("--preset", "nonsense"), ("preset: There is no such preset",)),
        (("--outputs", "{"), ("outputs: It must be a JSON list",)),
        (("--outputs", '[{"width": "x"}]'), ("outputs.0.width",)),
        (("--preset", "thumbnail", "-p", "width=5"), ("width", "cannot be combined with `preset`")),
        (("-p", "crop=600,400,100,100"), ("crop reaches outside",)),
        (("-p", "name=photo"), ("would replace the image itself",)),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_field(photo: Path, words: tuple[str, ...], parts: tuple[str]) -> None:
    before = photo.read_bytes()
    assert_one_sentence(quickthumb("render", str(photo), *words, "--out", str(photo.parent)), *parts)
    assert (names(photo.parent), photo.read_bytes()) == (["photo.jpg"], before)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert_one_sentence(quickthumb("render", str(tmp_path / "none.jpg")), str(tmp_path / "none.jpg"), "Cannot read")
    assert_one_sentence(quickthumb("render", str(tmp_path)), str(tmp_path), "Cannot read")


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", picture()[:500]], ids=["empty", "a PDF", "half of a picture"])
def test_a_file_that_is_no_image(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    assert_one_sentence(quickthumb("render", str(path), "--out", str(tmp_path)))
    assert names(tmp_path) == ["photo.jpg"]


def test_the_limits_of_the_settings_hold(photo: Path) -> None:
    ended = quickthumb("render", str(photo), "--out", str(photo.parent), QUICKTHUMB_MAX_PIXELS="1000")
    assert_one_sentence(ended, "pixels")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (files.jpeg_scans(200, 64, 48), "at most 100 are accepted"),
        (files.png_cut_into(11_000), "too many chunks"),
        (files.gif_small_frames(1100, 9, 9), "more than 1000 frames"),
        (files.tiff_pieces(20_000), "strips or tiles"),
    ],
    ids=["jpeg", "png", "gif", "tiff"],
)
def test_the_bounds_of_uploads_hold(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "photo").write_bytes(data)
    assert_one_sentence(quickthumb("render", str(tmp_path / "photo"), "--out", str(tmp_path)), said)
    assert names(tmp_path) == ["photo"]


@pytest.mark.parametrize(
    ("setting", "limit"),
    [("MAX_OUTPUTS", "2"), ("MAX_OUTPUT_PIXELS", "9"), ("MAX_WORK_SECONDS", "0.001"), ("DECODE_BUDGET_BYTES", "9")],
)
def test_the_limits_of_orders_hold(photo: Path, setting: str, limit: str) -> None:
    outputs = json.dumps([{"width": 64}, {"width": 32}, {"width": 16}])
    words = ("render", str(photo), "--out", str(photo.parent), "--outputs", outputs)
    assert_one_sentence(quickthumb(*words, **{f"QUICKTHUMB_{setting}": limit}), f"{setting} allows at most {limit}")
    assert names(photo.parent) == ["photo.jpg"]


def test_a_folder_that_cannot_be_written(photo: Path) -> None:
    assert_one_sentence(quickthumb("render", str(photo), "--out", str(photo)), "Cannot write", str(photo))


def test_what_is_no_parameter_is_shown_the_usage(photo: Path) -> None:
    assert quickthumb("render", str(photo), "-p", "width").returncode == 2


def test_help_lists_every_parameter_with_its_meaning() -> None:
    shown = " ".join(quickthumb("render", "--help", COLUMNS="200").stdout.split())
    for name, schema in Output.model_json_schema()["properties"].items():
        assert f" {name} {schema['description']}" in shown
    for field in order_fields():
        if field.name in render.OF_A_JOB:
            assert f"--{field.name.replace('_', '-')}" not in shown
            continue
        assert f"--{field.name}" in shown
        assert field.meaning in shown


def test_options_follow_from_the_fields_of_an_order() -> None:
    parser = argparse.ArgumentParser()
    render.command(Extended).add_options(parser)
    given = parser.parse_args(["cat.jpg", "--urgency", "high", "--label", "a", "--label", "b", "--keep-for", "60"])
    assert (given.urgency, given.label, given.keep_for) == (["high"], ["a", "b"], ["60"])


@pytest.mark.parametrize("keeps_label", ["yes", "no"])
def test_the_setting_for_the_label_of_generated_pictures_counts(tmp_path: Path, keeps_label: str) -> None:
    source = tmp_path / "generated.jpg"
    source.write_bytes(sources.jpeg(sources.xmp_segment(sources.xmp(sources.LABEL_ELEMENT))))
    asked = {"QUICKTHUMB_KEEP_AI_LABEL": keeps_label}
    lines(quickthumb("render", str(source), "--out", str(tmp_path / "made"), **asked))
    data = (tmp_path / "made" / "thumbnail.jpg").read_bytes()
    assert (sources.GENERATED.encode() in data) == (keeps_label == "yes")
