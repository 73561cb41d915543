"""The cost of an order: measured against the estimate, and what is refused as too much."""

import itertools
import os
import statistics
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quickthumb.config import Config
from quickthumb.imaging.cost import Cost, check_cost, check_memory, estimate_cost
from quickthumb.imaging.engine import render
from quickthumb.model.errors import OrderTooLarge
from quickthumb.model.limits import Limits
from quickthumb.model.output import parse_output
from tests.imaging.conftest import LIMITS
from tests.imaging.orders import Order, appraise, cpu_seconds, random_orders
from tests.imaging.pictures import noise

ORDERS = int(os.environ.get("ORDERS", "14"))
SEED = int(os.environ.get("ORDERS_SEED", "10"))


@pytest.mark.timeout(60 + 5 * ORDERS)
def test_random_orders_take_no_more_than_three_times_their_estimate(tmp_path: Path) -> None:
    """ORDERS=200 ORDERS_SEED=7 tries more and others."""
    orders = list(itertools.islice(random_orders(SEED, tmp_path), ORDERS))
    measured = cpu_seconds(orders, tmp_path)
    factors = {str(order): taken / order.estimated_seconds for order, taken in zip(orders, measured, strict=True)}
    assert {order: factor for order, factor in factors.items() if factor > 3} == {}
    # Plain pictures take much less than the estimate, which knows no contents, but it must mean something.
    assert statistics.median(factors.values()) > 1 / 30


def cost(*outputs: dict[str, Any], format: str = "png", size: tuple[int, int] = (100, 50), **facts: Any) -> Cost:  # noqa: A002
    return estimate_cost(format=format, size=size, outputs=[parse_output(output) for output in outputs], **facts)


def test_pixels_are_those_of_all_frames_of_all_outputs() -> None:
    assert cost({}).pixels == 5000
    assert cost({}, {"name": "b", "width": 10}).pixels == 5000 + 50
    assert cost({"size": "200x200", "fit": "contain"}).pixels == 40_000
    assert cost({"width": 1000, "enlarge": True, "rotate": 90}).pixels == 2_000_000
    assert cost({"format": "webp"}, {"name": "b", "format": "jpeg"}, format="gif", frames=30).pixels == 31 * 5000
    assert cost({"frames": "first"}, format="gif", frames=30).pixels == 5000


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"width": 50}, {"width": 60}),
        ({"format": "webp"}, {"format": "avif"}),
        ({"format": "jpeg", "quality": 80}, {"format": "jpeg", "quality": 95}),
        ({"format": "avif", "quality": 30}, {"format": "avif", "quality": 80}),
        ({"format": "webp"}, {"format": "webp", "lossless": True}),
        ({"format": "webp"}, {"format": "webp", "max_bytes": 1000}),
        ({}, {"blur": 2}),
        ({}, {"sharpen": 50}),
        ({}, {"rotate": 10}),
        ({}, {"saturation": 2}),
    ],
)
def test_what_takes_more_costs_more(less: dict[str, Any], more: dict[str, Any]) -> None:
    assert cost(less, size=(2000, 1000)).seconds < cost(more, size=(2000, 1000)).seconds


def test_choosing_a_palette_costs_too() -> None:
    unknown, palette, none = (cost({}, size=(400, 400), has_palette=has).seconds for has in (None, True, False))
    assert none + 0.2 < palette == unknown
    assert cost({}, size=(400, 400), format="jpeg") == cost({}, size=(400, 400), format="jpeg", has_palette=False)
    large = (2000, 2000)  # none is chosen
    assert cost({}, size=large, has_palette=True) == cost({}, size=large, has_palette=False)
    assert cost({"format": "gif"}, format="gif", frames=100, size=(8, 8)).seconds < 1  # one for all frames


@pytest.mark.parametrize("side", [80, 120, 200, 400])
@pytest.mark.parametrize("format", ["png", "gif"])
def test_small_pictures_of_many_colors_take_no_more_than_three_times_their_estimate(
    tmp_path: Path,
    side: int,
    format: str,  # noqa: A002
) -> None:
    noise(side, side).quantize(256).save(tmp_path / "palette.png")
    order = Order(tmp_path / "palette.png", ({"width": side * 9 // 10, "format": format},))
    (seconds,) = cpu_seconds([order], tmp_path)
    assert seconds < 3 * order.estimated_seconds


def test_a_bmp_may_be_transparent() -> None:
    avif = {"format": "avif"}
    assert cost(avif, format="bmp") == cost(avif, format="bmp", has_alpha=True) != cost(avif, format="jpeg")


def test_a_search_costs_less_than_as_many_encodings_at_its_best_quality() -> None:
    once = cost({"format": "avif", "quality": 95}, format="jpeg", size=(4000, 3000)).seconds
    searched = cost({"format": "avif", "max_bytes": 500_000}, format="jpeg", size=(4000, 3000)).seconds
    assert 4 * once < searched < 6 * once


def test_the_source_costs_too() -> None:
    small = {"width": 10}
    plain = cost(small, format="jpeg", size=(4000, 4000)).seconds
    assert plain < cost(small, format="jpeg", size=(4000, 4000), progressive=True).seconds
    assert plain < cost(small, format="png", size=(4000, 4000)).seconds
    avif = {"format": "avif"}
    assert cost(avif, has_alpha=False).seconds < cost(avif, has_alpha=True).seconds == cost(avif).seconds
    assert cost({"format": "jpeg"}, format="gif", frames=9).seconds == cost({"format": "jpeg"}, format="gif").seconds


def test_an_impossible_output_costs_nothing_and_is_left_to_rendering() -> None:
    assert cost({"crop": "90,0,20,20"}) == Cost(1, 0, cost({"crop": "90,0,20,20"}).seconds)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(max_outputs=2), r"The job has 3 outputs; MAX_OUTPUTS allows at most 2\."),
        (
            Limits(max_output_pixels=9999),
            r"The outputs have 10001 pixels together; MAX_OUTPUT_PIXELS allows at most 9999\.",
        ),
        (
            Limits(max_work_seconds=0.001),
            r"Making the outputs would take about 0\.\d+ s; MAX_WORK_SECONDS allows at most 0\.001\.",
        ),
    ],
)
def test_what_is_too_much_is_refused_with_the_setting_and_the_numbers(limits: Limits, words: str) -> None:
    with pytest.raises(OrderTooLarge, match=words):
        check_cost(cost({}, {"name": "b"}, {"name": "c", "width": 1}), limits)
    check_cost(cost({}, {"name": "b"}), Limits())


def test_every_attempt_has_the_time_that_an_order_may_ask_for() -> None:
    config = Config()
    assert config.imaging.max_work_seconds <= config.sandbox.job_timeout_seconds
    assert config.imaging.max_work_seconds <= config.sandbox.quarantine_seconds


def test_more_memory_than_the_budget_is_refused() -> None:
    check_memory(1000, 1000)
    with pytest.raises(OrderTooLarge, match=r"about 1001 bytes of memory; DECODE_BUDGET_BYTES allows at most 1000\."):
        check_memory(1001, 1000)


def test_a_source_of_100_megapixels_with_a_thumbnail_is_little_work() -> None:
    for name in ("jpeg", "png", "webp", "avif", "gif", "tiff", "bmp"):
        thumbnail = cost({"size": "128x128"}, format=name, size=(10_000, 10_000))
        check_cost(thumbnail, Limits())
        assert thumbnail.seconds < 40


PHOTOS = [(4032, 3024), (5712, 4284), (8064, 6048), (8160, 6144), (9248, 6936)]
ANIMATIONS = [((800, 450), 200), ((1280, 720), 100), ((640, 360), 400), ((500, 500), 390), ((316, 316), 1000)]


@pytest.mark.parametrize("size", PHOTOS)
@pytest.mark.parametrize("made", ["auto", "jpeg", "png", "webp", "avif", "gif"])
@pytest.mark.parametrize("source", ["jpeg", "heif", "avif", "png", "webp", "tiff", "bmp"])
def test_a_photo_of_any_phone_may_be_converted_at_full_size(source: str, made: str, size: tuple[int, int]) -> None:
    check_cost(cost({"format": made}, format=source, size=size), Limits())


@pytest.mark.parametrize(("size", "frames"), ANIMATIONS)
@pytest.mark.parametrize("made", ["auto", "gif", "png", "webp", "avif"])
@pytest.mark.parametrize("source", ["gif", "png", "webp", "avif"])
def test_any_animation_may_be_converted_at_full_size(
    source: str, made: str, size: tuple[int, int], frames: int
) -> None:
    converted = cost({"format": made, "width": size[0]}, format=source, size=size, frames=frames)
    assert 70_000_000 < converted.pixels <= Limits().max_pixels
    check_cost(converted, Limits())


def animation(folder: Path, frames: int) -> Path:
    path = folder / "many.gif"
    pictures = [noise(64, 48, seed) for seed in range(frames)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    return path


def test_frames_count_in_the_worker_before_anything_is_drawn(tmp_path: Path) -> None:
    path = animation(tmp_path, 10)
    outputs = [parse_output({"width": 320, "enlarge": True})]
    with pytest.raises(OrderTooLarge, match=r"768000 pixels together; MAX_OUTPUT_PIXELS allows at most 500000\."):
        render(path, outputs, tmp_path, Limits(max_output_pixels=500_000))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_appraised_without_being_decoded(tmp_path: Path) -> None:
    path = animation(tmp_path, 10)
    needed_bytes, found = appraise(path, [parse_output({})], LIMITS)
    assert found == cost({}, format="gif", size=(64, 48), frames=10)
    assert needed_bytes > 10 * 64 * 48 * 4
    Image.new("RGB", (64, 48)).save(tmp_path / "p.jpg", progressive=True)
    progressive = appraise(tmp_path / "p.jpg", [parse_output({})], LIMITS)[1]
    assert progressive == cost({}, format="jpeg", size=(64, 48), progressive=True)
