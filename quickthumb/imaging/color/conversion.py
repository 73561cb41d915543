"""What a source's colors are, and their conversion to sRGB, unless a result keeps them.

The conversion happens after resampling, when there are fewer pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageCms

from quickthumb.imaging.color import ink, made_profiles, profiles, spaces
from quickthumb.imaging.color.profiles import Convert, Rgba
from quickthumb.imaging.color.spaces import Space
from quickthumb.imaging.formats.code_points import CodePoints
from quickthumb.model.limits import Limits

UNCHANGED = "unchanged"
TAKEN_FOR_SRGB = "taken for sRGB"


@dataclass(slots=True)
class Color:
    """The color of one source: what converts it to sRGB, and the profile that a result may keep.

    `profile_was_made` says that the file describes its colors in another way, and that the profile was made of that.
    """

    mode: str
    converted: str = ""  # the color space that decoding has converted from; else empty
    profile: bytes | None = None
    profile_was_made: bool = False
    description: str = ""
    ending: str = ""  # what else the receipt says of the conversion
    was_ignored: bool = False  # the file describes its colors, but in no usable way
    warnings: list[str] = field(default_factory=list)
    _convert: Convert | None = None
    _painted: dict[Rgba, Rgba | None] = field(default_factory=dict)

    @property
    def is_srgb(self) -> bool:
        """Whether there is nothing to convert."""
        return self._convert is None

    @property
    def is_for_gray(self) -> bool:
        """Whether the profile describes grays only."""
        return self.profile is not None and self.profile[16:20] == b"GRAY"

    def keeps(self, wanted: bool, can: bool) -> bool:
        """Whether a result keeps the source's colors and profile, if that is `wanted` and the format `can` hold one.

        A source without a usable profile, in CMYK or in HDR, is always converted.
        """
        return wanted and can and self.profile is not None and self.mode != "CMYK"

    def to_srgb(self, picture: Image.Image) -> Image.Image:
        """Converts a picture of the source, in the source's mode, to sRGB in mode L, RGB or RGBA."""
        return self._convert(picture) if self._convert else picture

    def from_srgb(self, color: Rgba) -> Rgba | None:
        """The samples of a color of sRGB in the source's own colors, for painting into a result that keeps them; alpha
        stays as it is. None if the profile converts only in the other direction."""
        if self.is_srgb or self.profile is None:
            return color
        if color not in self._painted:
            self._painted[color] = profiles.from_srgb(self.profile, color, "L" if self.is_for_gray else "RGB")
        return self._painted[color]

    def done(self, kept: bool) -> str:
        """What happened to the color, in words for the receipt."""
        if kept:
            return f"kept in {self.description}, with {'a' if self.profile_was_made else 'its'} profile"
        if self.converted:
            return f"converted from {self.converted} to sRGB"
        if self.is_srgb:
            return TAKEN_FOR_SRGB if self.was_ignored else UNCHANGED
        return f"converted from {self.description} to sRGB{self.ending}"


def read(info: Mapping[Any, Any], points: CodePoints | None, mode: str, limits: Limits) -> Color:
    """The color of pictures of `mode` (one of resampling's MODES) by what their file says.

    `info` is Pillow's, with the profile and what a PNG's chunks say; `points` are the file's code points. The first of
    these counts that is usable, in the order of PNG 3rd edition, 4.3: code points, profile, sRGB, gamma and primaries.
    Each that is not is ignored, with a warning: a profile that is too large, too complex, damaged, or for another color
    space, numbers that nobody knows, a gamma of 0.
    """
    ways = [_told_by_profile, _told_by_points, _told_by_chunks]
    if mode == "CMYK":
        ways = [_told_by_profile]
    elif points and points.outranks_profile:
        ways = [_told_by_points, _told_by_profile, _told_by_chunks]
    warnings: list[str] = []
    for way in ways:
        try:
            color = way(info, points, mode, limits)
        except _NotUsable as error:
            warnings.append(f"{error} ignored.")
            continue
        if color is not None:
            break
    else:
        color = _untold(mode)
        color.was_ignored = bool(warnings)
    color.warnings[:0] = warnings
    return color


def describes_colors(info: Mapping[Any, Any], points: CodePoints | None) -> bool:
    """Whether a file says that its colors are not sRGB, so that they may have to be converted."""
    if "icc_profile" in info:
        return True
    told = (spaces.named_by(points) if points else None, _space_of_chunks(info) if _has_chunks(info) else None)
    return any(space is not None and not space.is_srgb for space in told)


class _NotUsable(Exception):
    """Something that a file says of its colors cannot be used; the text is that of the warning without its end."""


def _untold(mode: str) -> Color:
    if mode == "CMYK":
        return Color(mode, description=ink.SWOP, _convert=ink.to_srgb)
    return Color(mode)


def _told_by_profile(info: Mapping[Any, Any], _: CodePoints | None, mode: str, limits: Limits) -> Color | None:
    profile = info.get("icc_profile")
    if not isinstance(profile, bytes) or not profile:
        return None
    if len(profile) > limits.max_profile_bytes:
        raise _NotUsable("The color profile is too large and was")
    if profiles.is_costly(profile):
        raise _NotUsable("The color profile is too complex and was")
    points = profiles.code_points(profile)
    space = spaces.named_by(points) if points else None
    try:
        if space and space.is_hdr:  # such profiles leave tone mapping to whoever shows the picture
            return _of_space(space, mode)
        return _of_profile(profile, mode)
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        raise _NotUsable("The color profile is not usable and was") from None


def _told_by_points(_: Mapping[Any, Any], points: CodePoints | None, mode: str, __: Limits) -> Color | None:
    if points is None:
        return None
    space = spaces.named_by(points)
    if space is None:
        raise _NotUsable("The code points (CICP) of the file's color space are not supported and were")
    return _of_space(space, mode)


def _told_by_chunks(info: Mapping[Any, Any], _: CodePoints | None, mode: str, __: Limits) -> Color | None:
    if "srgb" in info:
        return Color(mode)
    if not _has_chunks(info):
        return None
    space = _space_of_chunks(info)
    if space is None:
        raise _NotUsable("The gamma value and the primaries of the file are not usable and were")
    return _of_space(space, mode)


def _has_chunks(info: Mapping[Any, Any]) -> bool:
    return "gamma" in info or "chromaticity" in info


def _space_of_chunks(info: Mapping[Any, Any]) -> Space | None:
    return spaces.told_by_png(info.get("gamma"), info.get("chromaticity"))


def _of_space(space: Space, mode: str) -> Color:
    if space.is_srgb:
        return Color(mode)
    color = _of_profile(made_profiles.make(space, gray=mode == "L"), mode)
    color.profile_was_made = True
    if space.is_hdr:
        color.profile, color.ending = None, ", tone-mapped"
        color.warnings.append(f"The picture is HDR ({space.name}) and was tone-mapped to the range of sRGB.")
    return color


def _of_profile(profile: bytes, mode: str) -> Color:
    """The color that a profile describes. Raises OSError, ValueError, TypeError or PyCMSError for one that is damaged
    or for another color space."""
    parsed = profiles.parse(profile, mode)
    color = Color(mode, profile=profile, description=profiles.describe(parsed))
    if not profiles.describes_srgb(parsed):
        color._convert = profiles.to_srgb(parsed, mode)
        color.to_srgb(Image.new(mode, (1, 1)))
    return color
