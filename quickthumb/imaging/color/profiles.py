"""ICC profiles: which are fit for a picture, and the conversions that littleCMS makes of them.

The rendering intent is perceptual, as in sharp and browsers.
"""

import io
import re
from collections.abc import Callable

from PIL import Image, ImageCms

from quickthumb.imaging.formats.code_points import CodePoints

# The color spaces that an ICC profile may describe, by the mode of the picture that embeds it.
_SPACES = {"L": ("GRAY", "RGB "), "RGB": ("RGB ",), "RGBA": ("RGB ", "GRAY"), "CMYK": ("CMYK",)}
# The primaries of sRGB (IEC 61966-2-1), adapted to D50 as in its ICC profiles, in XYZ.
_SRGB_COLORANTS = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
_TOLERANCE = 0.003

# How many elements a chain has, and how many segments a curve in it (ICC.1:2022, 10.16). Real chains have three to five
# elements; all others of a profile's types are tables, whose size bounds their work.
_ELEMENTS = re.compile(rb"mpet.{8}(.{4})", re.DOTALL)
_SEGMENTS = re.compile(rb"curf.{4}(.{2})", re.DOTALL)
_MOST_ELEMENTS = 16
_MOST_SEGMENTS = 64
# The tag of a profile that gives the code points as well (ICC.1:2022, 9.2.17 and 10.3).
_CODE_POINTS = re.compile(rb"cicp\0{4}(.)(.)", re.DOTALL)

Convert = Callable[[Image.Image], Image.Image]
Rgba = tuple[int, int, int, int]


def parse(profile: bytes, mode: str) -> ImageCms.ImageCmsProfile:
    """A profile for pictures of that mode. Raises OSError, ValueError or PyCMSError for one that is damaged or for
    another color space."""
    parsed = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if parsed.profile.xcolor_space not in _SPACES[mode]:
        raise ValueError("for another color space")
    return parsed


def to_srgb(parsed: ImageCms.ImageCmsProfile, mode: str) -> Convert:
    """The conversion of pictures of that mode through a profile."""
    space = parsed.profile.xcolor_space
    source_mode = {"GRAY": "L", "CMYK": "CMYK"}.get(space, "RGBA" if mode == "RGBA" else "RGB")
    made_mode = "RGBA" if source_mode == "RGBA" else "RGB"
    srgb = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(parsed, srgb, source_mode, made_mode, ImageCms.Intent.PERCEPTUAL)

    def convert(picture: Image.Image) -> Image.Image:
        if picture.mode == source_mode and picture.mode != "L":
            return transform.apply(picture)
        made = transform.apply(picture.convert(source_mode))
        if picture.mode == "L":
            return made.convert("L")
        made.putalpha(picture.getchannel("A"))
        return made

    return convert


def from_srgb(profile: bytes, color: Rgba, mode: str) -> Rgba | None:
    """The samples of a color of sRGB in a profile for pictures of that mode."""
    parsed, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    try:
        transform = ImageCms.buildTransform(srgb, parsed, "RGB", mode, ImageCms.Intent.PERCEPTUAL)
    except ImageCms.PyCMSError:
        return None
    red, green, blue = transform.apply(Image.new("RGB", (1, 1), color[:3])).convert("RGB").tobytes()
    return red, green, blue, color[3]


def is_costly(profile: bytes) -> bool:
    """Whether the conversion that a profile describes has so many steps that building it would take seconds: littleCMS
    runs them all for each of some 36,000 colors."""
    elements = (int.from_bytes(match[1], "big") for match in _ELEMENTS.finditer(profile))
    segments = (int.from_bytes(match[1], "big") for match in _SEGMENTS.finditer(profile))
    return max(elements, default=0) > _MOST_ELEMENTS or max(segments, default=0) > _MOST_SEGMENTS


def code_points(profile: bytes) -> CodePoints | None:
    """The code points that a profile gives as well; None if it gives none."""
    match = _CODE_POINTS.search(profile)
    return CodePoints(match[1][0], match[2][0]) if match else None


def describe(parsed: ImageCms.ImageCmsProfile) -> str:
    return " ".join((parsed.profile.profile_description or "").split())[:80] or "an unnamed profile"


def describes_srgb(parsed: ImageCms.ImageCmsProfile) -> bool:
    """Whether a profile is sRGB by name and primaries: converting from it would change nothing but rounding."""
    profile = parsed.profile
    if not profile.is_matrix_shaper or "srgb" not in (profile.profile_description or "").lower():
        return False
    found = (profile.red_colorant, profile.green_colorant, profile.blue_colorant)
    for colorant, known in zip(found, _SRGB_COLORANTS, strict=True):
        if colorant is None or any(abs(a - b) > _TOLERANCE for a, b in zip(colorant[0], known, strict=True)):
            return False
    return True
