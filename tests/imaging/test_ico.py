"""Icons that hold several pictures, and bitmaps that their directory describes wrongly: shown as in browsers."""

import struct
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest
from PIL import Image

from tests.imaging.conftest import Engine

SIDE = 8
Pixel = tuple[int, int, int, int]
RED, GREEN, BLUE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)


@dataclass(frozen=True)
class Icon:
    """A bitmap of one color; `hidden` rows at its top are masked. `listed_bits` is what the directory says, and `extra`
    by how much the length there is wrong."""

    pixel: Pixel
    bits: int
    hidden: int = 0
    listed_bits: int | None = None
    extra: int = 0
    side: int = SIDE

    def bitmap(self) -> bytes:
        red, green, blue, alpha = self.pixel
        palette = b""
        if self.bits == 8:
            palette, row = bytes((blue, green, red, 0)) + bytes(4 * 255), bytes(self.side)
        else:
            row = bytes((blue, green, red, alpha)[: self.bits // 8]) * self.side
        mask = bytes(4) * (self.side - self.hidden) + b"\xff" * 4 * self.hidden  # from bottom to top
        fields = struct.pack("<IiiHHIIiiII", 40, self.side, 2 * self.side, 1, self.bits, 0, 0, 0, 0, 0, 0)
        return fields + palette + row * self.side + mask


def ico(*icons: Icon, tail: bytes = b"") -> bytes:
    directory, bitmaps = struct.pack("<HHH", 0, 1, len(icons)), b""
    for icon in icons:
        bitmap, start = icon.bitmap(), 6 + 16 * len(icons) + len(bitmaps)
        bits = icon.bits if icon.listed_bits is None else icon.listed_bits
        directory += struct.pack("<BBBBHHII", icon.side, icon.side, 0, 0, 1, bits, len(bitmap) + icon.extra, start)
        bitmaps += bitmap
    return directory + bitmaps + tail


def made(engine: Engine, tmp_path: Path, data: bytes) -> Image.Image:
    (tmp_path / "any.ico").write_bytes(data)
    return engine(tmp_path / "any.ico", format="png").picture().convert("RGBA")


def test_of_equally_large_pictures_the_one_with_most_colors(engine: Engine, tmp_path: Path) -> None:
    icons = (Icon(RED, 8), Icon(GREEN, 24), Icon(BLUE, 32), Icon(RED, 32, side=4))
    for order in permutations(icons):
        assert made(engine, tmp_path, ico(*order)).getcolors() == [(SIDE * SIDE, BLUE)]


@pytest.mark.parametrize("listed_bits", [0, 24, 32])
def test_alpha_counts_whatever_the_directory_says(engine: Engine, tmp_path: Path, listed_bits: int) -> None:
    icon = Icon((255, 0, 0, 100), 32, listed_bits=listed_bits)
    assert made(engine, tmp_path, ico(icon)).getcolors() == [(SIDE * SIDE, (255, 0, 0, 100))]


def test_alpha_that_was_never_set_leaves_it_to_the_mask(engine: Engine, tmp_path: Path) -> None:
    picture = made(engine, tmp_path, ico(Icon((255, 0, 0, 0), 32, hidden=3)))
    assert picture.getchannel("A").getcolors() == [(3 * SIDE, 0), (5 * SIDE, 255)]
    assert picture.getpixel((0, SIDE - 1)) == RED


@pytest.mark.parametrize("extra", [-20, 0, 12])
@pytest.mark.parametrize("bits", [8, 24])
def test_the_mask_is_found_where_the_bitmap_ends(engine: Engine, tmp_path: Path, bits: int, extra: int) -> None:
    picture = made(engine, tmp_path, ico(Icon(RED, bits, hidden=3, extra=extra), tail=bytes(50)))
    alpha = picture.getchannel("A")
    assert alpha.crop((0, 0, SIDE, 3)).getextrema() == (0, 0)
    assert alpha.crop((0, 3, SIDE, SIDE)).getextrema() == (255, 255)
