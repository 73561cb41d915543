"""The reported pictures: files that people had trouble with, each with the value that is right.

    python -m tests.imaging.test_reported

prints what each of them gives.
"""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from quickthumb.imaging.engine import Made, render
from quickthumb.imaging.facts import Facts
from quickthumb.imaging.header import read_header_of_file
from quickthumb.model.errors import QuickThumbError, UnsupportedImage
from quickthumb.model.output import parse_output
from tests.conftest import CORPUS
from tests.imaging.conftest import LIMITS

REPORTED = CORPUS / "reported"
NOTICE = b"(c) 2024 Jane Roe"
pytestmark = pytest.mark.skipif(not REPORTED.is_dir(), reason="needs the corpus of real pictures beside the checkout")


@dataclass(frozen=True)
class Seen:
    """A result, and the file that it was made from."""

    source: Path
    path: Path
    made: Made
    facts: Facts

    def __str__(self) -> str:
        notes = "; ".join((*self.made.warnings, self.made.metadata))
        return f"{self.made.width}x{self.made.height}, {self.made.bytes} B, {self.made.color}; {notes}"

    def at(self, x: int, y: int, frame: int = 0) -> tuple[int, ...]:
        """A pixel, as RGBA."""
        with Image.open(self.path) as image:
            image.seek(frame)
            pixel = image.convert("RGBA").getpixel((x, y))
        assert isinstance(pixel, tuple)
        return pixel

    def holds(self, *texts: bytes) -> bool:
        content = self.path.read_bytes()
        return all(text in content for text in texts)

    def warns(self, *words: str) -> bool:
        return any(all(word in warning for word in words) for warning in self.made.warnings)


def near(pixel: Sequence[int], wanted: Sequence[int], levels: int = 3) -> bool:
    """Whether a pixel is what is wanted, within so many levels; alpha counts if it is wanted."""
    return all(abs(one - other) <= levels for one, other in zip(pixel, wanted, strict=False))


@dataclass(frozen=True)
class Case:
    """A reported file, the parameters, the right value in words, and the check for it."""

    file: str
    parameters: dict[str, str]
    expected: str
    is_right: Callable[[Seen], bool]
    shows: Callable[[Seen], object] = field(default=str)

    def __str__(self) -> str:
        return f"{self.file}-{'-'.join(f'{name}={value}' for name, value in self.parameters.items())}"


def looked(*points: tuple[int, ...]) -> Callable[[Seen], str]:
    """Prints the pixels at those points: x, y, and the frame if it is not the first."""
    return lambda seen: ", ".join(f"({point[0]},{point[1]}) = {seen.at(*point)}" for point in points)


def pixels(*wanted: tuple[tuple[int, ...], tuple[int, ...]], levels: int = 3) -> Callable[[Seen], bool]:
    """Checks pixels: pairs of a point and its color."""
    return lambda seen: all(near(seen.at(*point), color, levels) for point, color in wanted)


def sized(width: int, height: int) -> Callable[[Seen], bool]:
    """Checks the size."""
    return lambda seen: (seen.made.width, seen.made.height) == (width, height)


def duration(seen: Seen) -> float:
    """How long the first frame is shown, in milliseconds."""
    with Image.open(seen.path) as image:
        image.load()
        return float(image.info["duration"])


def profile_space(seen: Seen) -> str:
    """The color space of the embedded profile; empty if there is none."""
    with Image.open(seen.path) as image:
        return str(image.info.get("icc_profile", b"")[16:20], "ascii")


PNG = {"format": "png"}
SMALL = {"width": "32"}
KEEP, COPYRIGHT = {"metadata": "keep"}, {"metadata": "copyright"}
CASES = [
    Case(
        "gif_white_logo.gif", {"width": "200"}, "(4,4) = 255,255,255",
        pixels(((4, 4), (255, 255, 255)), levels=0), looked((4, 4)),
    ),
    Case(
        "gif_white_logo.gif", {"width": "400"}, "(4,4) = 255,255,255",
        pixels(((4, 4), (255, 255, 255)), levels=0), looked((4, 4)),
    ),
    Case("gif_anim_growth.gif", {"width": "160"}, "at most 15279 B", lambda seen: seen.made.bytes <= 15_279),
    *(
        Case(
            "exif_copyright_utf8.jpg", wanted, "© 2024 Zoë Müller, byte for byte",
            lambda seen: seen.holds("© 2024 Zoë Müller".encode()),
        )
        for wanted in (COPYRIGHT, KEEP)
    ),
    *(
        Case(file, wanted, "the notice is kept", lambda seen: seen.holds(NOTICE))
        for file in ("iptc_copyright.jpg", "xmp_rights.jpg")
        for wanted in (COPYRIGHT, KEEP)
    ),
    Case(
        "png_text_copyright.png", KEEP, "Author, Copyright, Title and parameters kept",
        lambda seen: seen.holds(NOTICE, b"Jane Roe", b"Title", b"prompt: a cat, seed 5"),
    ),
    Case("png_text_copyright.png", COPYRIGHT, "the notice is kept", lambda seen: seen.holds(NOTICE)),
    Case(
        "orientation6.jpg", {}, "120x200 in the header and in the facts",
        lambda seen: read_header_of_file(seen.source).upright == (seen.facts.width, seen.facts.height) == (120, 200),
        lambda seen: f"{read_header_of_file(seen.source).upright} and {(seen.facts.width, seen.facts.height)}",
    ),
    Case("palette16_screenshot.png", PNG, "about 15409 B", lambda seen: seen.made.bytes <= 1.1 * 15_409),
    Case("palette16_screenshot.png", {"width": "600"}, "about 15409 B", lambda seen: seen.made.bytes <= 1.25 * 15_409),
    Case(
        "gif_undersized_frames.gif", {"format": "webp", "lossless": "yes"}, "2 frames, (75,25) transparent",
        lambda seen: seen.made.frames == 2 and seen.at(75, 25)[3] == 0,
        lambda seen: f"{seen.made.frames} frames, (75,25) = {seen.at(75, 25)}",
    ),
    Case(
        "gif_dispose_background.gif", PNG, "frame 2 at (10,20) has alpha 0",
        lambda seen: seen.at(10, 20, 2)[3] == 0, looked((10, 20, 2)),
    ),
    *(
        Case(file, SMALL, "32x24 made", sized(32, 24))
        for file in ("png_badcrc_iccp.png", "png_badcrc_text.png")
    ),
    *(
        Case(file, SMALL, "made", lambda seen: seen.made.width == 32)
        for file in (
            "png_icc_1300000.png", "png_xmp_1500000.png", "jpeg_no_eoi.jpg", "jpeg_short_jfif.jpg",
            "bmp_bitfields32.bmp",
        )
    ),
    *(
        Case(
            file, PNG, "(8,8) = 255,0,0 and (56,8) = 0,255,0 within 3; converted",
            lambda seen: pixels(((8, 8), (255, 0, 0)), ((56, 8), (0, 255, 0)))(seen)
            and seen.made.color.startswith("converted"),
            lambda seen: f"{seen.at(8, 8)}, {seen.at(56, 8)}, {seen.made.color}",
        )
        for file in ("cicp_p3.avif", "cicp_p3.png")
    ),
    Case(
        "cicp_pq_rec2020.avif", PNG, "tone-mapped, with a warning",
        lambda seen: bool(seen.made.warnings) and seen.made.color.startswith("converted"),
    ),
    Case(
        "keep_crash_xresolution_ascii.jpg", {"width": "32", **KEEP}, "made, with a warning about EXIF",
        lambda seen: seen.warns("EXIF"),
    ),
    # It says nothing but how its pixels are stored, so there is nothing to warn of.
    Case(
        "keep_crash_bigtiff.tif", {"width": "32", **KEEP}, "made", lambda seen: seen.made.metadata == "none found"
    ),
    *(
        Case(file, PNG, "(0,0) has alpha 0", lambda seen: seen.at(0, 0)[3] == 0, looked((0, 0)))
        for file in ("trns_grey4.png", "trns_pngsuite_tbbn0g04.png")
    ),
    Case(
        "trns_grey16_near.png", PNG, "the left half clear, the right half opaque",
        lambda seen: seen.at(1, 1)[3] == 0 and seen.at(seen.made.width - 2, 1)[3] == 255,
        lambda seen: f"{seen.at(1, 1)}, {seen.at(seen.made.width - 2, 1)}",
    ),
    Case(
        "tiff_wiz16.tif", PNG, "(1,8) = 4, (62,8) = 251",
        pixels(((1, 8), (4,)), ((62, 8), (251,)), levels=1), looked((1, 8), (62, 8)),
    ),
    Case(
        "tiff_planar16.tif", PNG, "(1,8) = 251,4,125, (62,8) = 4,251,2",
        pixels(((1, 8), (251, 4, 125)), ((62, 8), (4, 251, 2)), levels=1), looked((1, 8), (62, 8)),
    ),
    Case(
        "tiff_colormap8.tif", PNG, "(1,8) = 4, (62,8) = 250: a gray ramp",
        pixels(((1, 8), (4,)), ((62, 8), (250,))), looked((1, 8), (62, 8)),
    ),
    Case(
        "tiff_bigtiff_be.tif", PNG, "(1,8) = 251, (62,8) = 4: a gray ramp",
        pixels(((1, 8), (251,)), ((62, 8), (4,))), looked((1, 8), (62, 8)),
    ),
    *(
        Case(file, PNG, "made, or unsupported_image", lambda seen: True)
        for file in ("tiff_cmyka8.tif", "tiff_ga16.tif", "tiff_float32rgb.tif")
    ),
    Case(
        "keep_grey_profile.jpg", {"format": "webp", **KEEP}, "no GRAY profile in an RGB file",
        lambda seen: profile_space(seen) in ("", "RGB "), profile_space,
    ),
    Case(
        "keep_rgb_profile.jpg", {"grayscale": "yes", **KEEP}, "no RGB profile in a gray JPEG",
        lambda seen: profile_space(seen) in ("", "GRAY"), profile_space,
    ),
    *(
        Case(
            "gif_delay0.gif", {"format": name, "width": "60"}, "100 ms a frame",
            lambda seen: duration(seen) == 100, duration,
        )
        for name in ("webp", "avif", "gif", "png")
    ),
    Case("avif_clap.avif", PNG, "180x100", sized(180, 100)),
    Case("narrow_3x2000.jpg", {"rotate": "45", "width": "100"}, "made", lambda seen: seen.made.width == 100),
    Case(
        "cmyk_solid_inks.tif", PNG, "M 236,0,140; Y 255,242,0; K 35,31,32 within 12",
        lambda seen: all(
            any(near(color, wanted, 12) for color in solid_colors(seen))
            for wanted in ((236, 0, 140), (255, 242, 0), (35, 31, 32))
        ),
        lambda seen: solid_colors(seen),
    ),
]  # fmt: skip


def solid_colors(seen: Seen) -> list[tuple[int, ...]]:
    """The colors of the picture's large areas."""
    with Image.open(seen.path) as image:
        counted = image.convert("RGB").getcolors(1 << 20) or []
    return [color for count, color in sorted(counted, reverse=True) if count >= 16 and isinstance(color, tuple)]


def seen_of(case: Case, folder: Path) -> Seen:
    """Renders a case. Raises what the engine raises."""
    source = REPORTED / case.file
    rendering = render(source, [parse_output(case.parameters)], folder, LIMITS)
    (made,) = rendering.made
    return Seen(source, folder / made.filename, made, rendering.facts)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_value_is_right(case: Case, tmp_path: Path) -> None:
    if case.expected.endswith("unsupported_image"):
        with contextlib.suppress(UnsupportedImage):
            seen_of(case, tmp_path)
        return
    seen = seen_of(case, tmp_path)
    assert case.is_right(seen), f"expected {case.expected}, got {case.shows(seen)}"


def test_every_reported_file_has_a_case() -> None:
    assert {case.file for case in CASES} == {path.name for path in REPORTED.iterdir()} - {"README.txt"}


def main() -> None:
    """Prints a row for each case: the file, the parameters, what is right, and what comes out."""
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                seen = seen_of(case, Path(folder))
                right, shown = case.is_right(seen), f"{case.shows(seen)}"
            except QuickThumbError as error:
                right, shown = error.code in case.expected, f"{error.code}: {error}"
            except Exception as error:  # what must not happen is shown, too
                right, shown = False, f"{type(error).__name__}: {error}"
        given = " ".join(f"{name}={value}" for name, value in case.parameters.items())
        sys.stdout.write(f"{'ok ' if right else 'NO '} | {case.file} | {given} | {case.expected} | {shown}\n")


if __name__ == "__main__":
    main()
