"""Color: every picture leaves here as sRGB, converted through its own ICC profile by littleCMS.

The conversion is made on what was resampled, which is smaller than what was decoded. The intent is perceptual, as in
sharp and browsers. CMYK without a profile is taken for common offset printing.
"""

import io
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageCms, ImageMath

from quickthumb.model.limits import Limits

UNCHANGED = "unchanged"
# The channels an ICC profile may be about, by the mode of the pictures that it can describe.
_SPACES = {"L": ("GRAY", "RGB "), "RGB": ("RGB ",), "RGBA": ("RGB ", "GRAY"), "CMYK": ("CMYK",)}
# The primaries of sRGB, adapted to D50, as its profiles have them (IEC 61966-2-1; XYZ).
_SRGB_COLORANTS = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
_TOLERANCE = 0.003

# The plain formula for ink, light = (1 - ink) × (1 - black), makes colors that no press can print. These are quadratic
# polynomials, fitted by least squares to what littleCMS makes of the profile "U.S. Web Coated (SWOP) v2" on a grid of
# 11 × 11 × 11 × 11 inks, light ones weighted more; on a photo they come within a mean CIE76 difference of 3.1 of the
# profile, where the plain formula is off by 11.8.
# What each ink, and each pair of inks, adds to paper white: for red, green and blue, with inks in 0…1.
_TERMS = ("c", "m", "y", "k", "cc", "cm", "cy", "ck", "mm", "my", "mk", "yy", "yk", "kk")
_FACTORS = (
    (-269.2, -8.0, 3.8, -192.4, -15.0, 69.1, 16.0, 200.4, -0.6, -4.8, -14.9, 0.9, -11.0, -18.5),
    (-87.6, -189.2, -24.5, -186.9, 11.9, 65.2, 8.3, 37.3, -20.0, 20.1, 129.3, 5.0, 9.5, -21.6),
    (-18.2, -114.8, -193.3, -178.9, 2.2, 9.0, 35.3, 2.9, 10.9, 70.1, 51.8, -5.6, 115.9, -23.7),
)
_WHITE = 255


@dataclass(slots=True)
class Color:
    """The color of one source: its profile, if it has a usable one, and the way from there to sRGB."""

    mode: str
    converted: str = ""  # what it was before decoding made sRGB of it
    profile: bytes | None = None
    description: str = ""
    warnings: list[str] = field(default_factory=list)
    _parsed: ImageCms.ImageCmsProfile | None = None
    _transform: ImageCms.ImageCmsTransform | None = None

    @property
    def is_srgb(self) -> bool:
        """Whether there is nothing to convert."""
        return self.mode != "CMYK" and (self._parsed is None or _describes_srgb(self._parsed))

    def keeps(self, wanted: bool, can: bool) -> bool:
        """Whether a result stays in the source's own colors, with its profile: if `wanted` and the format `can`."""
        return wanted and can and self.profile is not None and self.mode != "CMYK"

    def to_srgb(self, picture: Image.Image) -> Image.Image:
        """A picture of the source, in the source's mode, as L, RGB or RGBA of sRGB."""
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
        """What happened to the color, for the receipt."""
        if kept:
            return f"kept in {self.description}, with its profile"
        if self.converted:
            return f"converted from {self.converted} to sRGB"
        if self.is_srgb:
            return UNCHANGED
        if self._parsed is None:
            return "converted from CMYK without a profile, taken for SWOP, to sRGB"
        return f"converted from {self.description} to sRGB"

    def _build(self, parsed: ImageCms.ImageCmsProfile) -> ImageCms.ImageCmsTransform:
        space = parsed.profile.xcolor_space
        source_mode = {"GRAY": "L", "CMYK": "CMYK"}.get(space, "RGBA" if self.mode == "RGBA" else "RGB")
        made_mode = "RGBA" if source_mode == "RGBA" else "RGB"
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(parsed, srgb, source_mode, made_mode, ImageCms.Intent.PERCEPTUAL)


def read(profile: object, mode: str, limits: Limits) -> Color:
    """The color of pictures of `mode` (one of resampling's MODES) with that embedded profile.

    A profile that is too large, damaged, or about other channels is left aside, with a warning.
    """
    color = Color(mode)
    if not isinstance(profile, bytes) or not profile:
        return color
    if len(profile) > limits.max_profile_bytes:
        color.warnings.append("The color profile is too large and was ignored.")
        return color
    try:
        parsed = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if parsed.profile.xcolor_space not in _SPACES[mode]:
            raise ValueError("about other channels")
        candidate = Color(mode, profile=profile, description=_describe(parsed), _parsed=parsed)
        candidate.to_srgb(Image.new(mode, (1, 1)))
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        color.warnings.append("The color profile is not usable and was ignored.")
        return color
    return candidate


def from_cielab(image: Image.Image) -> Image.Image:
    """A CIELAB picture as sRGB. Of one that was read as plain samples, a* and b* are signed (TIFF 6.0, section 23)."""
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
    """Whether a profile is sRGB's by name and by primaries: converting would change nothing but rounding."""
    profile = parsed.profile
    if not profile.is_matrix_shaper or "srgb" not in (profile.profile_description or "").lower():
        return False
    found = (profile.red_colorant, profile.green_colorant, profile.blue_colorant)
    for colorant, known in zip(found, _SRGB_COLORANTS, strict=True):
        if colorant is None or any(abs(a - b) > _TOLERANCE for a, b in zip(colorant[0], known, strict=True)):
            return False
    return True


def _ink_to_srgb(picture: Image.Image) -> Image.Image:
    """A CMYK picture without a profile as RGB."""
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
