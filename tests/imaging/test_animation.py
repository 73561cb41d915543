"""Animations: every frame, as long and as often as in the source, whatever the formats."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from quickthumb.imaging.engine import render
from quickthumb.model.errors import BrokenImage, TooManyFrames, TooManyPixels
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from tests.imaging.conftest import Engine
from tests.imaging.costly_files import gif_frame, gif_head, gif_small_frames
from tests.imaging.measures import Samples, psnr, samples

ANIMATED = ["gif", "webp", "png", "avif"]


@dataclass(frozen=True)
class Shown:
    """What a viewer sees: the frames as RGBA, and when each begins, in milliseconds."""

    frames: list[Image.Image]
    durations: list[float]
    loop: int | None

    def at(self, milliseconds: float) -> Image.Image:
        begins = np.cumsum([0, *self.durations[:-1]])
        return self.frames[int(np.searchsorted(begins, milliseconds, side="right")) - 1]

    @property
    def total(self) -> float:
        return sum(self.durations)


def shown(path: Path) -> Shown:
    frames, durations = [], []
    with Image.open(path) as image:
        loop = image.info.get("loop")
        for frame in ImageSequence.Iterator(image):
            frames.append(frame.convert("RGBA"))
            durations.append(float(frame.info.get("duration", 0)))
    return Shown(frames, durations, loop)


def on_grey(picture: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", picture.size, (128, 128, 128, 255))
    return Image.alpha_composite(ground, picture).convert("RGB")


def moving_square(path: Path, transparent: bool = True) -> Path:
    """A square that jumps, leaving nothing behind: right only where frames are disposed of."""
    frames = []
    for step in range(6):
        frame = Image.new("RGBA", (60, 40), (0, 0, 0, 0) if transparent else (255, 255, 255, 255))
        frame.paste((255, 40 * step, 0, 255), (10 * step, 5, 10 * step + 10, 35))
        frames.append(frame)
    options: dict[str, Any] = {
        "save_all": True,
        "append_images": frames[1:],
        "duration": [50, 100, 150, 200, 250, 300],
        "loop": 0,
    }
    if path.suffix == ".gif":
        options["disposal"] = 2
    if path.suffix == ".webp":
        options["lossless"] = True
    frames[0].save(path, **options)
    return path


@pytest.mark.parametrize("source", ["gif", "webp", "png"])
@pytest.mark.parametrize("made", ANIMATED)
@pytest.mark.parametrize("transparent", [True, False])
def test_every_pair_of_formats(engine: Engine, tmp_path: Path, source: str, made: str, transparent: bool) -> None:
    path = moving_square(tmp_path / f"moving.{source}", transparent)
    result = engine(path, format=made, **({"quality": 90} if made in ("webp", "avif") else {}))
    before, after = shown(path), shown(result.path())
    assert result.only.frames == len(after.frames) == 6
    assert after.durations == pytest.approx([50, 100, 150, 200, 250, 300], abs=1)
    for one, other in zip(before.frames, after.frames, strict=True):
        assert psnr(on_grey(one), on_grey(other)) > 28
        assert np.abs(samples(one)[..., 3] - samples(other)[..., 3]).mean() < 2


@pytest.mark.parametrize("name", ["iss634.apng", "loop-3.gif", "rotating-squares.gif", "rotating-squares.webp"])
@pytest.mark.parametrize("made", ANIMATED)
def test_the_corpus_plays_alike(engine: Engine, corpus: Path, name: str, made: str) -> None:
    path = corpus / "animated" / name
    result = engine(path, format=made, width=60)
    before, after = shown(path), shown(result.path())
    assert after.total == pytest.approx(before.total, abs=10)
    assert result.only.frames == len(after.frames)
    for moment in np.linspace(0, before.total - 20, 7) + 10:
        size = after.frames[0].size
        expected = before.at(moment).resize(size, Image.Resampling.LANCZOS)
        assert psnr(on_grey(after.at(moment)), on_grey(expected)) > 22


@pytest.mark.parametrize(
    ("name", "plays"), [("loop-3.gif", 3), ("rotating-squares.gif", 0), ("iss634.apng", 0), ("crash-test.gif", 1)]
)
def test_loop_counts_mean_the_same_everywhere(engine: Engine, corpus: Path, name: str, plays: int) -> None:
    """A GIF counts repetitions, and plays once where it says nothing; the others count showings."""
    path = corpus / "animated" / name
    if name != "crash-test.gif":  # which has one frame
        assert shown(engine(path, format="webp", width=40).path()).loop == plays
        assert shown(engine(path, format="png", width=40).path()).loop == plays
    loop = shown(engine(path, format="gif", width=40).path()).loop
    assert (1 if loop is None else 0 if loop == 0 else loop + 1) == plays


def test_avif_says_that_it_cannot_count(engine: Engine, corpus: Path) -> None:
    warnings = engine(corpus / "animated" / "loop-3.gif", format="avif", width=40).only.warnings
    assert any("repeats forever" in warning for warning in warnings)


def test_formats_without_animation_take_the_first_frame_and_say_so(engine: Engine, tmp_path: Path) -> None:
    made = engine(moving_square(tmp_path / "moving.gif"), format="jpeg").only
    assert made.frames == 1
    assert any("first of 6 frames" in warning for warning in made.warnings)


@pytest.mark.parametrize("name", ["gif", "webp", "png"])
def test_one_frame_on_request(engine: Engine, tmp_path: Path, name: str) -> None:
    result = engine(moving_square(tmp_path / f"moving.{name}"), frames="first")
    assert result.only.frames == len(shown(result.path()).frames) == 1
    assert result.only.warnings == ()
    assert result.rendering.facts.frames == 6


def test_a_picture_beside_the_animation_is_not_a_frame(engine: Engine, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("black", "red", "green", "blue")]
    path = tmp_path / "default.png"
    frames[0].save(path, save_all=True, append_images=frames[1:], default_image=True, duration=100)
    result = engine(path, format="webp", lossless="yes")
    assert [frame.getpixel((9, 9))[0] for frame in shown(result.path()).frames] == [255, 0, 0]  # type: ignore[index]
    assert result.rendering.facts.frames == 3


def test_equal_frames_become_one_that_lasts_as_long(engine: Engine, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "red", "blue")]
    path = tmp_path / "equal.avif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 200, 300])
    result = engine(path, format="png")
    assert shown(result.path()).durations == [300, 300]
    assert result.only.frames == 2


def test_durations_round_without_drifting(engine: Engine, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (step, 0, 0)) for step in range(0, 250, 10)]
    path = tmp_path / "thirds.png"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=33, loop=0)
    result = shown(engine(path, format="gif").path())
    assert set(result.durations) == {30, 40}
    assert result.total == pytest.approx(33 * len(frames), abs=10)


def test_every_step_is_done_to_every_frame(engine: Engine, tmp_path: Path) -> None:
    path = moving_square(tmp_path / "moving.webp", transparent=False)
    result = engine(path, grayscale="yes", crop="0,0,40,50", rotate=90, format="png")
    for frame in shown(result.path()).frames:
        assert frame.size == (40, 50)
        pixels: Samples = samples(frame)
        assert np.ptp(pixels[..., :3], axis=-1).max() == 0


def test_too_many_frames(engine: Engine, tmp_path: Path) -> None:
    path = moving_square(tmp_path / "moving.gif")
    with pytest.raises(TooManyFrames):
        engine(path, limits=Limits(max_pixels=10**8, max_frames=5))


def test_pixels_count_in_all_frames_that_are_used(engine: Engine, tmp_path: Path) -> None:
    path = moving_square(tmp_path / "moving.gif")
    limits = Limits(max_pixels=60 * 40 * 5)
    with pytest.raises(TooManyPixels):
        engine(path, limits=limits)
    assert engine(path, frames="first", limits=limits).only.frames == 1


def test_an_animation_that_breaks_off_is_broken(engine: Engine, tmp_path: Path) -> None:
    for suffix in ("gif", "png", "webp"):
        path = moving_square(tmp_path / f"moving.{suffix}")
        path.write_bytes(path.read_bytes()[:-60])
        with pytest.raises(BrokenImage):
            engine(path)


def test_a_gif_without_its_trailer_is_let_pass(engine: Engine, tmp_path: Path) -> None:
    path = moving_square(tmp_path / "moving.gif")
    path.write_bytes(path.read_bytes()[:-1])
    assert engine(path).only.frames == 6


@pytest.mark.parametrize("made", ANIMATED)
@pytest.mark.parametrize("count", [2, 5])
def test_an_animation_in_which_nothing_changes_becomes_a_still(
    engine: Engine, tmp_path: Path, made: str, count: int
) -> None:
    (tmp_path / "same.gif").write_bytes(gif_small_frames(count, 60, 40))
    result = engine(tmp_path / "same.gif", width=30, format=made)
    assert (result.only.frames, result.only.width) == (1, 30)
    assert result.picture().size == (30, 20)


@pytest.mark.parametrize("count", [2, 3])
def test_frames_that_a_palette_makes_equal_become_a_still(engine: Engine, tmp_path: Path, count: int) -> None:
    """They differ only in how transparent they are, and each is too much so for a GIF."""
    frames = [Image.new("RGBA", (60, 40), (200, 0, 0, 10 * index)) for index in range(1, count + 1)]
    frames[0].save(tmp_path / "faint.png", save_all=True, append_images=frames[1:], duration=50)
    result = engine(tmp_path / "faint.png", width=30, format="gif")
    assert result.only.frames == 1
    assert result.picture().size == (30, 20)


@pytest.mark.parametrize("made", ANIMATED)
def test_a_frame_is_shown_no_longer_than_the_format_can_say(engine: Engine, tmp_path: Path, made: str) -> None:
    """Its equal frames are shown for 11 minutes each."""
    longest = gif_frame(3, hundredths=65_535)
    (tmp_path / "long.gif").write_bytes(gif_head(60, 40) + gif_frame(0, hundredths=5) + longest * 200 + b";")
    result = engine(tmp_path / "long.gif", width=60, format=made)
    assert result.only.frames == 2
    if made != "avif":
        seen = shown(result.path())
        assert (
            seen.durations
            == {
                "gif": [50, 655_350],
                "webp": [50, 2**24 - 1],
                "png": [0, 65_535_000],  # in whole seconds
            }[made]
        )


def test_a_png_counts_long_frames_in_coarser_units(engine: Engine, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (60, 40), color) for color in ("red", "green", "blue")]
    frames[0].save(tmp_path / "slow.webp", save_all=True, append_images=frames[1:], duration=[40, 70_003, 20])
    assert shown(engine(tmp_path / "slow.webp", width=60, format="png").path()).durations == [40, 70_000, 20]


def test_an_animation_is_padded_with_transparency(tmp_path: Path) -> None:
    first, *others = (Image.new("RGB", (600, 400), (shade, 90, 0)) for shade in range(60))
    first.save(tmp_path / "source", "WEBP", save_all=True, append_images=others, duration=40)
    output = Output(fit="contain", width=500, height=600, format="gif")
    [made] = render(tmp_path / "source", [output], tmp_path, Limits()).made
    assert (made.width, made.height) == (500, 600)
    with Image.open(tmp_path / made.filename) as gif:
        for index in range(made.frames):
            gif.seek(index)
            assert gif.convert("RGBA").getchannel("A").getpixel((250, 2)) == 0
