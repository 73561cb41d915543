"""What is written as GIF: colors, dots, and animations that draw only what changes."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops

from quickthumb.imaging.color_choice import choose
from quickthumb.imaging.formats.gif_blocks import read_frames
from quickthumb.imaging.gif_writing import give_palette
from quickthumb.imaging.indexed import colors_of, exact
from tests.imaging.conftest import Engine, Result
from tests.imaging.measures import psnr, samples
from tests.imaging.pictures import noise
from tests.imaging.test_animation import Shown, moving_square, shown

# What sharp 0.35.5 (libvips 8.18.7, libimagequant) writes as GIF of the same resized picture, in dB of PSNR.
SHARP = {"street-2725x2225.jpg": 39.8, "tree-1024.webp": 35.9}


def equal(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one.convert("RGBA"), other.convert("RGBA")).getbbox(alpha_only=False) is None


def of_colors(count: int, width: int = 64, height: int = 32) -> Image.Image:
    """A picture of exactly so many colors, all close to each other."""
    places = np.arange(width * height) % count
    return Image.fromarray(
        np.stack([places % 16, places // 16, places % 7 + 240], -1).astype(np.uint8).reshape(height, width, 3)
    )


def saved(path: Path, frames: list[Image.Image], **options: Any) -> Path:
    """An animation that has every frame as it is."""
    options = {"duration": 100, "loop": 0, "lossless": True, **options}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


def film(count: int = 6) -> list[Image.Image]:
    """A square that moves over noise, which stands still."""
    frames = []
    for step in range(count):
        frame = noise(120, 80)
        frame.paste((255, 255, 255), (10 * step, 20, 10 * step + 20, 40))
        frames.append(frame)
    return frames


@pytest.mark.parametrize("count", [2, 17, 255, 256])
def test_a_still_keeps_all_colors_that_a_gif_can_hold(engine: Engine, count: int) -> None:
    assert equal(engine(of_colors(count), format="gif").picture(), of_colors(count))


def test_a_still_keeps_its_colors_beside_transparency(engine: Engine) -> None:
    picture = of_colors(255).convert("RGBA")
    picture.paste((9, 9, 9, 0), (0, 0, 8, 8))
    made = engine(picture, format="gif").picture().convert("RGBA")
    assert made.getpixel((3, 3))[3] == 0  # type: ignore[index]
    assert equal(made.crop((8, 8, 64, 32)), picture.crop((8, 8, 64, 32)))


@pytest.mark.parametrize("dither", ["yes", "no"])
@pytest.mark.parametrize("flat", [(255, 255, 255), (252, 253, 251), (3, 2, 1), (0, 90, 201)])
def test_colors_that_fill_areas_stay_exact(engine: Engine, dither: str, flat: tuple[int, int, int]) -> None:
    picture = noise(200, 120)
    picture.paste(flat, (0, 0, 200, 40))
    picture.paste((flat[0], flat[1] ^ 1, flat[2]), (0, 100, 200, 120))
    made = engine(picture, format="gif", dither=dither).picture().convert("RGB")
    for box in ((0, 0, 200, 40), (0, 100, 200, 120)):
        assert equal(made.crop(box), picture.crop(box))


@pytest.mark.parametrize(("width", "dither"), [(400, "yes"), (200, "yes"), (200, "no")])
def test_white_stays_white_in_the_reported_logo(engine: Engine, corpus: Path, width: int, dither: str) -> None:
    made = engine(corpus / "reported" / "gif_white_logo.gif", width=width, dither=dither).picture().convert("RGB")
    assert made.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("name", SHARP)
def test_photos_are_about_as_good_as_sharps(engine: Engine, corpus: Path, name: str) -> None:
    size = {"width": 480} if name.startswith("street") else {"width": 600}
    path = corpus / "photos" / name
    whole = engine(path, {"name": "whole", "format": "png", **size}).picture("whole")
    for dither in ("yes", "no"):
        made = engine(path, {"name": "made", "format": "gif", "dither": dither, **size}).picture("made")
        assert psnr(whole, made) > SHARP[name] - 1


def test_dots_take_the_place_of_steps(engine: Engine) -> None:
    """A smooth picture with more colors than a palette holds: dithered, its averages are nearer."""
    rows, columns = np.mgrid[:240, :320]
    levels = [rows / 2 + 60, columns / 4 + 90, (rows + columns) / 4 + 60]
    picture = Image.fromarray(np.stack(levels, -1).astype(np.uint8))
    errors = {}
    for dither in ("yes", "no"):
        made = engine(picture, format="gif", dither=dither).picture().convert("RGB")
        errors[dither] = float(np.abs(samples(picture.reduce(8)) - samples(made.reduce(8))).mean())
    assert errors["yes"] < 0.75 * errors["no"]


def test_an_animation_keeps_all_colors_that_a_gif_can_hold(engine: Engine, tmp_path: Path) -> None:
    frames = [of_colors(200), ImageChops.offset(of_colors(200), 3, 5), of_colors(200).rotate(180)]
    made = shown(engine(saved(tmp_path / "few.webp", frames), format="gif").path())
    assert all(equal(one, other) for one, other in zip(made.frames, frames, strict=True))


def test_what_stands_still_does_not_flicker(engine: Engine, tmp_path: Path) -> None:
    """Equal pixels in consecutive frames are equal in the result, also where colors had to be chosen."""
    made = shown(engine(saved(tmp_path / "film.webp", film()), format="gif").path())
    for number in range(1, 6):
        still = ImageChops.invert(changes(film()[number - 1], film()[number]))
        moved = changes(made.frames[number - 1], made.frames[number])
        assert ImageChops.darker(still, moved).getbbox() is None
        assert psnr(made.frames[number], film()[number]) > 27  # it is noise


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("colors", [100, 9000])
def test_only_what_changes_is_mapped_which_changes_nothing(mode: str, colors: int) -> None:
    frames = [frame.point(lambda level: level & 0xC0) if colors < 256 else frame for frame in film()]
    frames = [frame.convert(mode) for frame in frames]
    frames[3:4] = [frames[2].copy(), frames[3]]
    if mode == "RGBA":
        frames[4].paste((0, 0, 0, 0), (50, 30, 80, 60))
    palette = choose(frames, 255)
    kept = colors_of(frames)
    made = list(frames)
    give_palette(made, False, None, lambda: None)
    before = None
    for frame, mapped in zip(frames, made, strict=True):
        before = exact(frame, kept) if kept else palette.nearest(frame, before)
        assert equal(mapped, before)


def changes(one: Image.Image, other: Image.Image) -> Image.Image:
    """A mask of the pixels that differ."""
    red, green, blue = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue).point([0] + [255] * 255)


def test_frames_are_cut_to_what_changes(engine: Engine, tmp_path: Path) -> None:
    result = engine(saved(tmp_path / "film.webp", film()), format="gif")
    first, *others = read_frames(result.path(), 99)
    assert first.box == (0, 0, 120, 80)
    assert [frame.box for frame in others] == [(10 * step, 20, 10 * step + 30, 40) for step in range(5)]


def test_it_is_not_much_larger_than_one_of_its_frames(engine: Engine, tmp_path: Path) -> None:
    frames = film(12)
    still = engine(frames[0], format="gif").only.bytes
    assert engine(saved(tmp_path / "film.webp", frames), format="gif").only.bytes < 1.5 * still


@pytest.mark.parametrize("width", [160, 120, 50])
def test_the_reported_animation_does_not_grow(engine: Engine, corpus: Path, width: int) -> None:
    source = corpus / "reported" / "gif_anim_growth.gif"
    made = engine(source, width=width).only
    assert made.bytes <= source.stat().st_size
    assert made.frames == 16


@pytest.mark.parametrize("size", [{}, {"width": 45}])
@pytest.mark.parametrize("disposed", [True, False])
def test_transparency_comes_and_goes(engine: Engine, tmp_path: Path, size: dict[str, int], disposed: bool) -> None:
    """Visible pixels become transparent and visible again, in several places at once."""
    frames = []
    for boxes in ([(5, 5, 20, 20)], [(40, 10, 55, 30)], [(5, 5, 55, 30)], [(5, 5, 12, 12), (50, 25, 55, 30)], []):
        frame = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
        for number, box in enumerate(boxes):
            frame.paste((200, 60 * number, 30, 255), box)
        if not disposed:
            frame.paste((0, 0, 255, 255), (0, 35, 60, 40))
        frames.append(frame)
    path = saved(tmp_path / "square.png", frames)
    expected, made = (shown(engine(path, format=name, **size).path()) for name in ("png", "gif"))
    assert len(made.frames) == 5
    for one, other in zip(expected.frames, made.frames, strict=True):
        hard = one.getchannel("A").point([0] * 128 + [255] * 128)
        assert equal(hard, other.getchannel("A"))
        clear = Image.new("RGBA", one.size)
        one.putalpha(hard)
        assert psnr(Image.alpha_composite(clear, one), Image.alpha_composite(clear, other)) > 40


def test_a_picture_that_blinks(engine: Engine, tmp_path: Path) -> None:
    """Every other frame is empty, and the others have more colors than a palette holds."""
    frames = [noise(96, 64, seed=seed).convert("RGBA") for seed in range(40)]
    for frame in frames[::2]:
        frame.putalpha(0)
    made = shown(engine(saved(tmp_path / "blinking.png", frames), format="gif").path())
    assert [frame.getchannel("A").getextrema() for frame in made.frames] == [(0, 0), (255, 255)] * 20
    assert all(psnr(frames[index], made.frames[index]) > 20 for index in range(1, 40, 2))


def test_every_index_may_be_in_use(engine: Engine, tmp_path: Path) -> None:
    """No index is left for unchanged pixels, neither in all frames nor in one."""
    frames = [of_colors(256), ImageChops.offset(of_colors(256), 1, 0), of_colors(256).rotate(180)]
    frames[2].paste(frames[1].crop((0, 0, 30, 20)), (0, 0))
    made = shown(engine(saved(tmp_path / "all.webp", frames), format="gif").path())
    assert all(equal(one, other) for one, other in zip(made.frames, frames, strict=True))


def test_a_pixel_that_changes_alone(engine: Engine, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (30, 20), "white") for _ in range(3)]
    frames[1].putpixel((29, 19), (255, 0, 0))
    frames[2].putpixel((0, 7), (0, 0, 255))
    made = engine(saved(tmp_path / "dot.webp", frames), format="gif")
    assert all(equal(one, other) for one, other in zip(shown(made.path()).frames, frames, strict=True))
    assert [frame.box for frame in read_frames(made.path(), 9)][1:] == [(29, 19, 30, 20), (0, 7, 30, 20)]


@pytest.mark.parametrize(("plays", "block"), [(0, b"\x03\x01\0\0\0"), (3, b"\x03\x01\x02\0\0"), (1, b"")])
def test_how_often_it_is_repeated(engine: Engine, tmp_path: Path, plays: int, block: bytes) -> None:
    data = engine(saved(tmp_path / "film.webp", film(3), loop=plays), format="gif").path().read_bytes()
    assert (b"NETSCAPE2.0" in data) == bool(block)
    assert b"NETSCAPE2.0" + block in data or not block


def shown_as(result: Result) -> Shown:
    return shown(result.path())


@pytest.mark.parametrize("made", ["gif", "webp", "png", "avif"])
@pytest.mark.parametrize("hundredths", [0, 1])
def test_too_short_delays_become_those_that_browsers_play(
    engine: Engine, tmp_path: Path, made: str, hundredths: int
) -> None:
    data = moving_square(tmp_path / "fast.gif").read_bytes()
    for number in (5, 10, 15, 20, 25, 30):
        data = data.replace(
            b"!\xf9\x04\x09" + struct.pack("<H", number), b"!\xf9\x04\x09" + struct.pack("<H", hundredths)
        )
    (tmp_path / "fast.gif").write_bytes(data)
    assert shown_as(engine(tmp_path / "fast.gif", format=made)).durations == pytest.approx([100] * 6, abs=1)


@pytest.mark.parametrize("source", ["webp", "png", "avif"])
@pytest.mark.parametrize(("milliseconds", "expected"), [(0, 100), (10, 100), (11, 11), (40, 40)])
def test_delays_of_other_formats_too(
    engine: Engine, tmp_path: Path, source: str, milliseconds: int, expected: int
) -> None:
    if (source, milliseconds) == ("avif", 0):
        pytest.skip("no AVIF says that a frame takes no time")
    path = saved(tmp_path / f"fast.{source}", film(3), duration=milliseconds)
    assert shown_as(engine(path, format="webp")).durations == pytest.approx([expected] * 3, abs=1)


def test_a_gif_says_no_delay_that_browsers_would_stretch(engine: Engine, tmp_path: Path) -> None:
    """A sixtieth of a second is one or two hundredths, and browsers would show the former for 100 ms."""
    path = saved(tmp_path / "fast.webp", film(6), duration=[16, 17, 17, 16, 100, 100])
    assert shown_as(engine(path, format="gif")).durations == [20, 20, 20, 20, 90, 100]


def test_the_reported_delays(engine: Engine, corpus: Path) -> None:
    for made in ("webp", "avif", "png", "gif"):
        result = engine(corpus / "reported" / "gif_delay0.gif", format=made, width=60)
        assert set(shown_as(result).durations) == {100}
