"""Color: littleCMS converts pictures through their own ICC profiles to sRGB, unless a result keeps its profile.

The conversion happens after resampling, when there are fewer pixels. The rendering intent is perceptual, as in sharp
and browsers. CMYK without a profile is assumed to be common offset printing (SWOP).
"""

import io
import re
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageCms, ImageMath

from quickthumb.model.limits import Limits

UNCHANGED = "unchanged"
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

# The plain formula for ink, light = (1 - ink) × (1 - black), makes colors that no press can print. These are quadratic
# polynomials instead, fitted by least squares to what littleCMS makes of the profile "U.S. Web Coated (SWOP) v2" on a
# grid of 11 × 11 × 11 × 11 inks, with light inks weighted more. On a photo their mean CIE76 difference from the
# profile is 3.1; that of the plain formula is 11.8.
# Each factor is what an ink, or a pair of inks, adds to paper white. The rows are red, green and blue; inks are in 0…1.
_TERMS = ("c", "m", "y", "k", "cc", "cm", "cy", "ck", "mm", "my", "mk", "yy", "yk", "kk")
_FACTORS = (
    (-269.2, -8.0, 3.8, -192.4, -15.0, 69.1, 16.0, 200.4, -0.6, -4.8, -14.9, 0.9, -11.0, -18.5),
    (-87.6, -189.2, -24.5, -186.9, 11.9, 65.2, 8.3, 37.3, -20.0, 20.1, 129.3, 5.0, 9.5, -21.6),
    (-18.2, -114.8, -193.3, -178.9, 2.2, 9.0, 35.3, 2.9, 10.9, 70.1, 51.8, -5.6, 115.9, -23.7),
)
_WHITE = 255
_STRIP_PIXELS = 1 << 18


@dataclass(slots=True)
class Color:
    """The color of one source: its profile, if that is usable, and the conversion to sRGB."""

    mode: str
    converted: str = ""  # the color space that decoding has converted from; else empty
    profile: bytes | None = None
    description: str = ""
    warnings: list[str] = field(default_factory=list)
    _parsed: ImageCms.ImageCmsProfile | None = None
    _transform: ImageCms.ImageCmsTransform | None = None

    @property
    def is_srgb(self) -> bool:
        """Whether there is nothing to convert."""
        return self.mode != "CMYK" and (self._parsed is None or _describes_srgb(self._parsed))

    @property
    def is_for_gray(self) -> bool:
        """Whether the profile describes grays only."""
        return self.profile is not None and self.profile[16:20] == b"GRAY"

    def keeps(self, wanted: bool, can: bool) -> bool:
        """Whether a result keeps the source's colors and profile, if that is `wanted` and the format `can` hold one.

        A source without a usable profile, or in CMYK, is always converted.
        """
        return wanted and can and self.profile is not None and self.mode != "CMYK"

    def to_srgb(self, picture: Image.Image) -> Image.Image:
        """Converts a picture of the source, in the source's mode, to sRGB in mode L, RGB or RGBA."""
        if self.is_srgb:
            return picture
        if self._parsed is None:
            return _ink_to_srgb(picture)
        if self._transform is None:
            self._transform = self._build(self._parsed)
        if self._transform.input_mode == picture.mode and picture.mode != "L":
            return self._transform.apply(picture)
        made = self._transform.apply(picture.convert(self._transform.input_mode))
        if picture.mode == "L":
            return made.convert("L")
        made.putalpha(picture.getchannel("A"))
        return made

    def done(self, kept: bool) -> str:
        """What happened to the color, in words for the receipt."""
        if kept:
            return f"kept in {self.description}, with its profile"
        if self.converted:
            return f"converted from {self.converted} to sRGB"
        if self.is_srgb:
            return UNCHANGED
        if self._parsed is None:
            return "converted from CMYK without a profile, assumed to be SWOP, to sRGB"
        return f"converted from {self.description} to sRGB"

    def _build(self, parsed: ImageCms.ImageCmsProfile) -> ImageCms.ImageCmsTransform:
        space = parsed.profile.xcolor_space
        source_mode = {"GRAY": "L", "CMYK": "CMYK"}.get(space, "RGBA" if self.mode == "RGBA" else "RGB")
        made_mode = "RGBA" if source_mode == "RGBA" else "RGB"
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(parsed, srgb, source_mode, made_mode, ImageCms.Intent.PERCEPTUAL)


def read(profile: object, mode: str, limits: Limits) -> Color:
    """The color of pictures of `mode` (one of resampling's MODES) with that embedded profile.

    A profile that is too large, too complex, damaged, or for another color space is ignored, with a warning.
    """
    color = Color(mode)
    if not isinstance(profile, bytes) or not profile:
        return color
    if len(profile) > limits.max_profile_bytes:
        color.warnings.append("The color profile is too large and was ignored.")
        return color
    if _is_costly(profile):
        color.warnings.append("The color profile is too complex and was ignored.")
        return color
    try:
        parsed = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if parsed.profile.xcolor_space not in _SPACES[mode]:
            raise ValueError("for another color space")
        candidate = Color(mode, profile=profile, description=_describe(parsed), _parsed=parsed)
        candidate.to_srgb(Image.new(mode, (1, 1)))
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        color.warnings.append("The color profile is not usable and was ignored.")
        return color
    return candidate


def _is_costly(profile: bytes) -> bool:
    """Whether the conversion that a profile describes has so many steps that building it would take seconds: littleCMS
    runs them all for each of some 36,000 colors."""
    elements = (int.from_bytes(match[1], "big") for match in _ELEMENTS.finditer(profile))
    segments = (int.from_bytes(match[1], "big") for match in _SEGMENTS.finditer(profile))
    return max(elements, default=0) > _MOST_ELEMENTS or max(segments, default=0) > _MOST_SEGMENTS


def from_cielab(image: Image.Image) -> Image.Image:
    """Converts CIELAB to sRGB. In a picture read as plain samples, a* and b* are signed (TIFF 6.0, section 23)."""
    if image.mode != "LAB":
        lightness, *others = image.split()
        a, b = (band.point([(sample + 128) % 256 for sample in range(256)]) for band in others)
        image = Image.merge("LAB", (lightness, a, b))
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(lab, srgb, "LAB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    return transform.apply(image)


def _describe(parsed: ImageCms.ImageCmsProfile) -> str:
    return " ".join((parsed.profile.profile_description or "").split())[:80] or "an unnamed profile"


def _describes_srgb(parsed: ImageCms.ImageCmsProfile) -> bool:
    """Whether a profile is sRGB by name and primaries: converting from it would change nothing but rounding."""
    profile = parsed.profile
    if not profile.is_matrix_shaper or "srgb" not in (profile.profile_description or "").lower():
        return False
    found = (profile.red_colorant, profile.green_colorant, profile.blue_colorant)
    for colorant, known in zip(found, _SRGB_COLORANTS, strict=True):
        if colorant is None or any(abs(a - b) > _TOLERANCE for a, b in zip(colorant[0], known, strict=True)):
            return False
    return True


def _ink_to_srgb(picture: Image.Image) -> Image.Image:
    """Converts a CMYK picture without a profile to RGB, some rows at a time: it takes 40 bytes per pixel."""
    made = Image.new("RGB", picture.size)
    rows = max(1, _STRIP_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        made.paste(_strip_to_srgb(strip), (0, top))
    return made


def _strip_to_srgb(picture: Image.Image) -> Image.Image:
    bands = (band.convert("F").point(lambda sample: sample * (1 / 255) + 0) for band in picture.split())
    inks = dict(zip("cmyk", bands, strict=True))
    return Image.merge("RGB", [_light(factors, inks) for factors in _FACTORS])


def _light(factors: tuple[float, ...], inks: dict[str, Image.Image]) -> Image.Image:
    def polynomial(given: dict[str, Any]) -> Any:
        total = given["c"] * 0 + _WHITE + 0.5  # conversion to whole samples rounds down
        for term, factor in zip(_TERMS, factors, strict=True):
            product = given[term[0]] * factor
            total = total + (product * given[term[1]] if len(term) == 2 else product)
        return given["convert"](given["min"](given["max"](total, 0), 255), "L")

    light: Image.Image = ImageMath.lambda_eval(polynomial, **inks)
    return light
