"""GIFs are composed as browsers show them: what no frame draws is transparent, whatever the background color."""

from pathlib import Path

import pytest
from PIL import Image, ImageChops

from quickthumb.imaging.engine import Rendering
from quickthumb.imaging.gif_frames import GifAnimation
from quickthumb.model.errors import BrokenImage
from tests.imaging.conftest import Engine
from tests.imaging.gifs import BLUE, COLORS, GREEN, RED, WHITE, Drawn, gif, words
from tests.imaging.pictures import noise
from tests.imaging.test_animation import shown

CLEAR = (0, 0, 0, 0)
LEFT, RIGHT = (5, 10), (30, 10)
SIZE = (40, 20)
HALF = (0, 0, 20, 20)
WHOLE = (0, 0, 40, 20)
Pixel = tuple[int, ...]


def opaque(color: tuple[int, int, int]) -> Pixel:
    return (*color, 255)


def seen(engine: Engine, folder: Path, *frames: Drawn) -> tuple[list[tuple[Pixel, Pixel]], Rendering]:
    """What each frame of a GIF shows at the left and at the right, in an APNG that is made of it."""
    (folder / "source.gif").write_bytes(gif(SIZE, *frames))
    result = engine(folder / "source.gif", format="png")
    pictures = shown(result.path()).frames
    return [(picture.getpixel(LEFT), picture.getpixel(RIGHT)) for picture in pictures], result.rendering  # type: ignore[misc]


def test_a_still_smaller_than_its_screen_leaves_the_rest_transparent(engine: Engine, tmp_path: Path) -> None:
    pixels, rendering = seen(engine, tmp_path, Drawn(HALF, 0, hundredths=None))
    assert pixels == [(opaque(RED), CLEAR)]
    assert rendering.facts.has_alpha


def test_a_small_first_frame_does_not_fill_the_screen(engine: Engine, tmp_path: Path) -> None:
    pixels, rendering = seen(engine, tmp_path, Drawn(HALF, 0), Drawn((20, 0, 20, 20), 1))
    assert pixels == [(opaque(RED), CLEAR), (opaque(RED), opaque(GREEN))]
    assert rendering.facts.has_alpha


def test_a_small_first_frame_with_a_transparent_color_does_not_fill_the_screen(engine: Engine, tmp_path: Path) -> None:
    pixels, _ = seen(engine, tmp_path, Drawn(HALF, 0, transparent=3), Drawn((20, 0, 20, 20), 1))
    assert pixels == [(opaque(RED), CLEAR), (opaque(RED), opaque(GREEN))]


@pytest.mark.parametrize("transparent", [None, 3])
def test_a_cleared_frame_leaves_transparent_pixels(engine: Engine, tmp_path: Path, transparent: int | None) -> None:
    frames = [Drawn(WHOLE, 0), Drawn(HALF, 1, disposal=2, transparent=transparent), Drawn((25, 0, 10, 20), 3)]
    pixels, rendering = seen(engine, tmp_path, *frames)
    assert pixels == [(opaque(RED),) * 2, (opaque(GREEN), opaque(RED)), (CLEAR, opaque(WHITE))]
    assert rendering.facts.has_alpha


def test_the_first_frame_can_be_cleared(engine: Engine, tmp_path: Path) -> None:
    pixels, _ = seen(engine, tmp_path, Drawn(WHOLE, 0, disposal=2), Drawn(HALF, 1))
    assert pixels == [(opaque(RED),) * 2, (opaque(GREEN), CLEAR)]


@pytest.mark.parametrize("disposal", [3, 4])
def test_what_was_there_before_is_restored(engine: Engine, tmp_path: Path, disposal: int) -> None:
    frames = [Drawn(WHOLE, 0), Drawn(HALF, 1, disposal=disposal), Drawn((25, 0, 10, 20), 3, disposal=1)]
    pixels, rendering = seen(engine, tmp_path, *frames)
    assert pixels == [(opaque(RED),) * 2, (opaque(GREEN), opaque(RED)), (opaque(RED), opaque(WHITE))]
    assert not rendering.facts.has_alpha


def test_nothing_was_there_before_the_first_frame(engine: Engine, tmp_path: Path) -> None:
    pixels, rendering = seen(engine, tmp_path, Drawn(WHOLE, 0, disposal=3), Drawn(HALF, 1))
    assert pixels == [(opaque(RED),) * 2, (opaque(GREEN), CLEAR)]
    assert rendering.facts.has_alpha


def test_nothing_is_restored_again_and_again(engine: Engine, tmp_path: Path) -> None:
    frames = [Drawn(WHOLE, 0, disposal=3), Drawn(WHOLE, 1, disposal=3), Drawn(HALF, 3)]
    pixels, rendering = seen(engine, tmp_path, *frames)
    assert pixels == [(opaque(RED),) * 2, (opaque(GREEN),) * 2, (opaque(WHITE), CLEAR)]
    assert rendering.facts.has_alpha


def test_what_was_cleared_is_restored_as_such(engine: Engine, tmp_path: Path) -> None:
    frames = [Drawn(WHOLE, 0), Drawn(HALF, 1, disposal=2), Drawn(HALF, 3, disposal=3), Drawn((20, 0, 20, 20), 2)]
    pixels, rendering = seen(engine, tmp_path, *frames)
    assert pixels[2:] == [(opaque(WHITE), opaque(RED)), (CLEAR, opaque(BLUE))]
    assert rendering.facts.has_alpha


def test_a_disposal_counts_for_its_own_frame_alone(engine: Engine, tmp_path: Path) -> None:
    """The second frame has no graphic control extension, so nothing is done to it afterwards."""
    frames = [Drawn(HALF, 1, disposal=2), Drawn(WHOLE, 0, hundredths=None), Drawn((0, 0, 10, 20), 3)]
    pixels, _ = seen(engine, tmp_path, *frames)
    assert pixels[2] == (opaque(WHITE), opaque(RED))


def test_a_frame_that_covers_what_was_cleared_leaves_nothing_transparent(engine: Engine, tmp_path: Path) -> None:
    frames = [Drawn(WHOLE, 0, disposal=2), Drawn(WHOLE, 1, disposal=2), Drawn(WHOLE, 3)]
    pixels, rendering = seen(engine, tmp_path, *frames)
    assert pixels == [(opaque(color),) * 2 for color in (RED, GREEN, WHITE)]
    assert not rendering.facts.has_alpha


def test_each_frame_has_its_own_palette_and_transparent_index(engine: Engine, tmp_path: Path) -> None:
    own = ((9, 8, 7), (60, 50, 40))
    frames = [
        Drawn(WHOLE, 0),
        Drawn(WHOLE, 0, right=1, transparent=0, colors=own, disposal=1),
        Drawn(WHOLE, 1, right=0, transparent=1, colors=own, disposal=1),
        Drawn(WHOLE, 1, right=3, transparent=3, disposal=1),
    ]
    pixels, rendering = seen(engine, tmp_path, *frames)
    assert pixels == [
        (opaque(RED),) * 2,
        (opaque(RED), opaque(own[1])),
        (opaque(RED), opaque(own[0])),
        (opaque(GREEN), opaque(own[0])),
    ]
    assert not rendering.facts.has_alpha


def test_interlaced_frames_in_a_part_of_the_screen(tmp_path: Path) -> None:
    frame = Drawn((3, 2, 30, 17), 0, right=3, interlaced=True)
    (tmp_path / "rows.gif").write_bytes(gif(SIZE, Drawn(WHOLE, 1), frame))
    _, (second, _) = GifAnimation(tmp_path / "rows.gif", SIZE, 2).frames()
    expected = Image.new("RGB", SIZE, GREEN)
    expected.paste(RED, (3, 2, 18, 19))
    expected.paste(WHITE, (18, 2, 33, 19))
    assert ImageChops.difference(second.convert("RGB"), expected).getbbox() is None


def test_a_frame_may_reach_beyond_the_screen(engine: Engine, tmp_path: Path) -> None:
    pixels, _ = seen(engine, tmp_path, Drawn(WHOLE, 0), Drawn((20, 0, 45, 30), 1, disposal=2), Drawn(HALF, 2))
    assert pixels == [(opaque(RED),) * 2, (opaque(RED), opaque(GREEN)), (opaque(BLUE), CLEAR)]


def test_an_animation_in_the_shades_of_a_ramp_stays_gray(tmp_path: Path) -> None:
    pictures = [noise(60, 40, seed=seed).convert("L") for seed in range(3)]
    path = tmp_path / "gray.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50)
    for (frame, _), picture in zip(GifAnimation(path, (60, 40), 3).frames(), pictures, strict=True):
        assert ImageChops.difference(frame.convert("RGB"), picture.convert("RGB")).getbbox() is None


def test_its_palettes_are_counted(tmp_path: Path) -> None:
    frames = [Drawn(WHOLE, 0), Drawn(HALF, 1, colors=(RED, (1, 2, 3)))]
    (tmp_path / "two.gif").write_bytes(gif(SIZE, *frames))
    assert GifAnimation(tmp_path / "two.gif", SIZE, 2).colors == len(COLORS) + 1


@pytest.mark.parametrize("made", ["webp", "png", "avif", "gif"])
def test_the_reported_small_frames(engine: Engine, corpus: Path, made: str) -> None:
    lossless = {"lossless": "yes"} if made in ("webp", "png") else {}
    result = engine(corpus / "reported" / "gif_undersized_frames.gif", format=made, **lossless)
    first, second = shown(result.path()).frames
    assert [frame.getpixel((75, 25))[3] for frame in (first, second)] == [0, 0]  # type: ignore[index]
    assert first.getpixel((25, 25)) == pytest.approx(opaque(RED), abs=3)


def test_the_reported_cleared_frames(engine: Engine, corpus: Path) -> None:
    result = engine(corpus / "reported" / "gif_dispose_background.gif", format="png")
    assert shown(result.path()).frames[2].getpixel((10, 20)) == CLEAR


def test_codes_that_stop_early_are_refused_or_filled_with_a_warning(engine: Engine, tmp_path: Path) -> None:
    """The blocks and the file are whole; the codes are: begin, one pixel of color 1, end."""
    frame = b"," + words(0, 0, 4, 4) + b"\0\x02\x02\x4c\x01\0"
    path = tmp_path / "source.gif"
    path.write_bytes(b"GIF89a" + words(4, 4) + bytes((0x80, 0, 0)) + b"\0\0\0\xff\xff\xff" + frame + b";")
    with pytest.raises(BrokenImage):
        engine(path, format="png")
    made = engine(path, format="png", truncated="fill")
    assert made.only.warnings == ("The file is faulty: pixels of frame 1 are missing.",)
    assert made.picture().convert("L").getcolors() == [(15, 0), (1, 255)]
