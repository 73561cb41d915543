"""The eight orientations of a picture: how to turn a stored picture upright, and where its parts are stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from quickthumb.imaging.formats.exif import PREFIX, told_by_exif, told_by_xmp
from quickthumb.imaging.formats.png_orientation import unwrapped

Box = tuple[float, float, float, float]
Size = tuple[int, int]

# (transposed, mirrored left to right, mirrored top to bottom) -> the single Pillow operation that does all of it.
_OPERATIONS = {
    (False, True, False): Image.Transpose.FLIP_LEFT_RIGHT,
    (False, False, True): Image.Transpose.FLIP_TOP_BOTTOM,
    (False, True, True): Image.Transpose.ROTATE_180,
    (True, False, False): Image.Transpose.TRANSPOSE,
    (True, True, False): Image.Transpose.ROTATE_270,
    (True, False, True): Image.Transpose.ROTATE_90,
    (True, True, True): Image.Transpose.TRANSVERSE,
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn by quarters, with mirroring: transposes first, then mirrors left to right, then top to bottom."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    def then(self, after: "Turn") -> "Turn":
        """The turn that does this one first and then `after`."""
        mirrors = (self.mirrored_x, self.mirrored_y)
        x, y = mirrors[::-1] if after.transposed else mirrors
        return Turn(self.transposed ^ after.transposed, x ^ after.mirrored_x, y ^ after.mirrored_y)

    def size(self, size: Size) -> Size:
        """The size, in pixels, of a picture of `size` after turning. Its own inverse: also the size before turning."""
        return size[::-1] if self.transposed else size

    def source_box(self, box: Box, turned_size: Size) -> Box:
        """Where `box` (left, top, right, bottom) of the turned picture lies in the picture before turning."""
        left, top, right, bottom = box
        width, height = turned_size
        if self.mirrored_x:
            left, right = width - right, width - left
        if self.mirrored_y:
            top, bottom = height - bottom, height - top
        return (top, left, bottom, right) if self.transposed else (left, top, right, bottom)

    def apply(self, picture: Image.Image) -> Image.Image:
        """The picture turned; the same object if there is nothing to turn."""
        operation = _OPERATIONS.get((self.transposed, self.mirrored_x, self.mirrored_y))
        return picture if operation is None else picture.transpose(operation)


UPRIGHT = Turn()
# The turn that makes a picture of each EXIF orientation (Exif 2.32, tag 0x0112) upright.
_EXIF = {
    2: Turn(mirrored_x=True),
    3: Turn(mirrored_x=True, mirrored_y=True),
    4: Turn(mirrored_y=True),
    5: Turn(transposed=True),
    6: Turn(transposed=True, mirrored_x=True),
    7: Turn(transposed=True, mirrored_x=True, mirrored_y=True),
    8: Turn(transposed=True, mirrored_y=True),
}
_QUARTERS = (UPRIGHT, _EXIF[6], _EXIF[3], _EXIF[8])


def from_exif(orientation: object) -> Turn:
    """The turn that an EXIF orientation asks for. As in browsers, unknown values ask for none."""
    return _EXIF.get(orientation, UPRIGHT) if isinstance(orientation, int) else UPRIGHT


def exif_block(info: Mapping[Any, Any]) -> bytes:
    """The EXIF of an opened file (`info` is Pillow's), or that which a PNG has in hexadecimal digits."""
    block = info.get("exif") or b""
    text = info.get("Raw profile type exif")
    return block if block.removeprefix(PREFIX) or not isinstance(text, str) else unwrapped(text)


def told_in(info: Mapping[Any, Any], *, by_exif_alone: bool) -> int:
    """The orientation that EXIF says, or else XMP."""
    packet = info.get("xmp")
    told = told_by_xmp(packet) if isinstance(packet, bytes) and not by_exif_alone else 1
    return told_by_exif(exif_block(info)) or told


def by_degrees(clockwise: float) -> Turn | None:
    """The turn by that many degrees; None unless they are a multiple of 90."""
    quarters, rest = divmod(clockwise, 90)
    return None if rest else _QUARTERS[int(quarters) % 4]


def mirroring(flip: bool, flop: bool) -> Turn:
    """Mirrors top to bottom (`flip`) and left to right (`flop`)."""
    return Turn(mirrored_x=flop, mirrored_y=flip)
