"""The color that stands for transparent in a PNG without alpha (tRNS): it is compared at the full depth of the samples.

Pillow reads 16-bit RGB as 8 bits. So for such a key the file is decoded twice, once for the upper halves of the samples
and once for the lower ones; files without such a key are decoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from quickthumb.imaging.formats.row import Transparent

if TYPE_CHECKING:
    from PIL import Image

WIDE = "RGB;16B"
# Pillow's name for samples that begin with their lower half: of ours, it reads the lower halves.
SWAPPED = "RGB;16L"
# What Pillow multiplies gray samples of 2 and 4 bits with to get 8 bits.
SCALES = {"L;2": 85, "L;4": 17}


@contextmanager
def transparent(image: Image.Image, again: Callable[[], AbstractContextManager[Image.Image]]) -> Iterator[Transparent]:
    """What stands for transparent in the frames of an opened PNG: a color, or a picture of mode L that is their alpha.

    `again` opens the file once more.
    """
    key = image.info.get("transparency")
    if isinstance(key, tuple) and has_wide_key(image):
        with again() as twin:
            yield partial(_alpha, image, twin, key)
    else:
        color = _in_eight_bits(key, _raw_mode(image))
        yield lambda _: color


def has_wide_key(image: Image.Image) -> bool:
    """Whether an opened PNG has a key for RGB samples of 16 bits."""
    return _raw_mode(image) == WIDE and "transparency" in image.info


def _raw_mode(image: Image.Image) -> str:
    tiles = getattr(image, "tile", ())
    return str(tiles[0].args) if tiles else ""


def _in_eight_bits(key: object, raw_mode: str) -> object:
    """A key as Pillow's samples are. Of keys of 8 bits or fewer, the upper bits do not count (ISO 15948, 11.3.2); gray
    samples of 16 bits stay as they are."""
    if isinstance(key, tuple):
        return tuple(sample & 0xFF for sample in key)
    if isinstance(key, int) and raw_mode in SCALES:
        scale = SCALES[raw_mode]
        return (key & 255 // scale) * scale
    return key & 0xFF if isinstance(key, int) and raw_mode == "L" else key


def _alpha(image: Image.Image, twin: Image.Image, key: tuple[int, ...], index: int) -> Image.Image:
    from PIL import ImageChops

    twin.seek(index)
    twin.tile = [tile._replace(args=SWAPPED) for tile in twin.tile]  # type: ignore[attr-defined]
    _load(twin)
    clear = _equal(twin, [sample & 0xFF for sample in key])
    if not getattr(twin, "is_animated", False):
        twin.close()  # its pixels are done with
    return ImageChops.invert(ImageChops.darker(clear, _equal(image, [sample >> 8 for sample in key])))


def _load(twin: Image.Image) -> None:
    """Decodes the twin of a decoded picture as far as that was: what is missing of one, the other lacks too."""
    try:
        twin.load()
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        twin.tile = []  # type: ignore[attr-defined]


def _equal(picture: Image.Image, color: list[int]) -> Image.Image:
    """Where a picture has exactly that color: white there, black elsewhere."""
    from PIL import ImageChops

    found: Image.Image | None = None
    for index, wanted in enumerate(color):
        band = picture.getchannel(index).point([255 if sample == wanted else 0 for sample in range(256)])
        found = band if found is None else ImageChops.darker(found, band)
    assert found is not None  # noqa: S101 - a color has samples
    return found
