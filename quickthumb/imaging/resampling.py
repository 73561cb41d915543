"""Resizes pictures with Lanczos3: by cykooz.resizer (SIMD) if the platform has a wheel for it, otherwise by Pillow.

cykooz.resizer works on Pillow's own memory, several times faster than Pillow, and without the GIL. Both
implement the same convolution (Pillow's, after http://entropymine.com/imageworsener/resample) and agree to within
rounding. Transparent pictures are premultiplied for it, so that the color of invisible pixels never bleeds.
"""

import math
from collections.abc import Callable

from PIL import Image

from quickthumb.imaging.orientation import Box, Size

try:
    import cykooz_resizer
except ImportError:  # no wheel for this platform
    cykooz_resizer = None  # type: ignore[assignment,unused-ignore]

# Lanczos3 reads this many pixels to either side; of a picture that is shrunk, as many times more.
_SUPPORT_PIXELS = 3
# The modes that both resamplers take. Every decoded picture is converted to one of them first.
MODES = ("L", "RGB", "RGBA", "CMYK")


def resample(picture: Image.Image, size: Size, box: Box) -> Image.Image:
    """The part of `picture` within `box` (left, top, right, bottom; may be fractions of pixels), at `size` pixels.

    A box on whole pixels that keeps its size is copied exactly. Takes pictures in any of the four MODES.
    """
    if keeps_pixels(size, box):
        left, top, right, bottom = (int(side) for side in box)
        return picture.crop((left, top, right, bottom))
    if picture.mode == "RGBA":
        picture, box = _narrowed(picture, size, box)
    return _implementation(picture, size, box)


def keeps_pixels(size: Size, box: Box) -> bool:
    """Whether resampling `box` to `size` copies its pixels."""
    return size == (box[2] - box[0], box[3] - box[1]) and all(side == int(side) for side in box)


def support_pixels(length: float, size: int) -> int:
    """How many pixels on either side of `length` pixels influence the `size` pixels that are made of them."""
    return math.ceil(_SUPPORT_PIXELS * max(1.0, length / size)) + 1


def _narrowed(picture: Image.Image, size: Size, box: Box) -> tuple[Image.Image, Box]:
    """Cuts off what has no influence, if that is most of the picture: all that is left will be premultiplied."""
    x, y = support_pixels(box[2] - box[0], size[0]), support_pixels(box[3] - box[1], size[1])
    left, top = max(0, math.floor(box[0]) - x), max(0, math.floor(box[1]) - y)
    right, bottom = min(picture.width, math.ceil(box[2]) + x), min(picture.height, math.ceil(box[3]) + y)
    if (right - left) * (bottom - top) * 2 > picture.width * picture.height:
        return picture, box
    cut = picture.crop((left, top, right, bottom))
    return cut, (box[0] - left, box[1] - top, box[2] - left, box[3] - top)


def with_pillow(picture: Image.Image, size: Size, box: Box) -> Image.Image:
    """Lanczos3 by Pillow, which premultiplies RGBA itself."""
    return picture.resize(size, Image.Resampling.LANCZOS, box)


def with_simd(picture: Image.Image, size: Size, box: Box) -> Image.Image:
    """Lanczos3 by cykooz.resizer."""
    left, top, right, bottom = box
    options = cykooz_resizer.ResizeOptions(
        cykooz_resizer.ResizeAlg.convolution(cykooz_resizer.FilterType.lanczos3),
        crop_box=cykooz_resizer.CropBox(left, top, right - left, bottom - top),
    )
    result = Image.new("RGBa" if picture.mode == "RGBA" else picture.mode, size)
    cykooz_resizer.Resizer().resize_pil(picture, result, options)
    return result.convert("RGBA") if result.mode == "RGBa" else result


_implementation: Callable[[Image.Image, Size, Box], Image.Image] = with_simd if cykooz_resizer else with_pillow
