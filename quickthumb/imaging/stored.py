"""What a header says of a stored picture, as far as the memory depends on it."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from quickthumb.imaging.color import describes_colors
from quickthumb.imaging.decoders import SHOWN
from quickthumb.imaging.formats import Format
from quickthumb.imaging.formats.code_points import CodePoints
from quickthumb.imaging.formats.exif import told_by_exif
from quickthumb.imaging.formats.png_keys import has_wide_key
from quickthumb.imaging.hdr.stored_map import StoredMap, worst_for
from quickthumb.imaging.orientation import Size, from_exif, told_in

# The mode that takes most, for a format whose header does not say.
_WORST_MODES = {"gif": "P", "bmp": "P", "webp": "RGBA", "avif": "RGBA", "heif": "RGBA", "jxl": "RGBA", "ico": "RGBA"}
# The samples per pixel of a picture whose colors have half the resolution, and what pi-heif calls such pictures.
_SUBSAMPLED = 1.5
_SAMPLES = {420: _SUBSAMPLED, 422: 2.0, 444: 3.0}
_WITH_ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
# Tags of TIFF 6.0.
_BITS_PER_SAMPLE, _ORIENTATION, _SAMPLES_PER_PIXEL, _ROWS_PER_STRIP = 258, 274, 277, 278
_TILE_WIDTH, _TILE_LENGTH = 322, 323


@dataclass(frozen=True, slots=True)
class Stored:
    """What a header says of a picture. The defaults are the worst that it can be.

    `width` and `height` are in pixels, as stored or upright. `mode` is Pillow's. `has_key` says that a color may stand
    for transparent, `has_profile` that colors may have to be converted, `is_cielab` that they surely must be;
    `has_wide_key` that the picture of a PNG is decoded twice because of its key;
    `may_turn` says that the picture may be stored on its side; `upright` is its size once it stands upright, if that is
    known; `shown` is the size of the part that is to be shown, if that is not all. `in_scans` says that a JPEG has
    several scans; `samples` is its number of samples per pixel, or that of a HEIF without its transparency, and
    `is_deep` says that a HEIF's have more than 8 bits. `strip_bytes` is what a TIFF's decoder takes for one strip.
    `gain_map` is an HDR gain map that results can keep.
    """

    format: str
    width: int
    height: int
    frames: int = 1
    mode: str = ""
    has_key: bool = True
    has_profile: bool = True
    is_cielab: bool = False
    has_wide_key: bool = False
    may_turn: bool = True
    upright: Size | None = None
    shown: Size | None = None
    in_scans: bool = False
    samples: float = 4.0
    is_deep: bool = True
    strip_bytes: int | None = None
    gain_map: StoredMap | None = None

    @property
    def likely_mode(self) -> str:
        """The mode, or the worst one. Only a GIF of one frame that covers its screen can be gray."""
        mode = self.mode or _WORST_MODES.get(self.format, "RGB")
        composed = self.frames > 1 or (mode == "L" and self.has_key)
        return "RGBA" if composed and self.format == "gif" else mode

    @property
    def pixel_bytes(self) -> int:
        """The bytes per pixel of a decoded picture: 1 if it is gray, otherwise 4."""
        is_gray = self.likely_mode in ("1", "L") or self.likely_mode.startswith("I;16")
        return 1 if is_gray and not self.takes_key else 4

    @property
    def has_alpha(self) -> bool:
        if self.format == "jpeg":
            return False
        return not self.mode or self.mode in _WITH_ALPHA or (self.has_key and self.mode != "CMYK")

    @property
    def takes_key(self) -> bool:
        """Whether a color that stands for transparent is made transparent."""
        mode = self.likely_mode
        return (
            self.has_key and self.format in ("png", "tiff") and (mode in ("1", "L", "RGB") or mode.startswith("I;16"))
        )


def worst_of(format_name: str, width: int, height: int, frames: int, *, in_scans: bool) -> Stored:
    """The picture of that size that takes most memory."""
    gain_map = worst_for((width, height)) if format_name == "jpeg" else None
    return Stored(format_name, width, height, frames, in_scans=in_scans, gain_map=gain_map)


def usual(format_name: str, width: int, height: int, frames: int, *, in_scans: bool) -> Stored:
    """A picture of that upright size as most of its format are: 8 bits, opaque, without a profile."""
    mode = "P" if format_name == "gif" else "RGB"
    samples = _SUBSAMPLED if format_name == "heif" else 3.0
    return Stored(
        format_name,
        width,
        height,
        frames,
        mode=mode,
        has_key=False,
        has_profile=False,
        upright=(width, height),
        in_scans=in_scans,
        samples=samples,
        is_deep=False,
        strip_bytes=0,
    )


def told_by(image: Image.Image, row: Format, frames: int, points: CodePoints | None) -> Stored:
    """What an opened file tells about its picture; `points` are the code points of its colors."""
    return Stored(
        format=row.name,
        width=image.width,
        height=image.height,
        frames=frames,
        mode=image.mode,
        has_key="transparency" in image.info,
        has_profile=image.mode == "CMYK" or describes_colors(image.info, points),
        is_cielab=bool(row.decoder.color_space and row.decoder.color_space(image)),
        has_wide_key=row.name == "png" and has_wide_key(image),
        may_turn=_may_turn(image, row),
        upright=_upright(image, row),
        shown=_shown(image),
        in_scans=_in_scans(image),
        samples=_samples(image),
        is_deep=image.info.get("bit_depth", 8) > 8,
        strip_bytes=_strip_bytes(image) if row.name == "tiff" else None,
    )


def _may_turn(image: Image.Image, row: Format) -> bool:
    if row.name == "tiff":
        return bool(getattr(image, "tag_v2", {}).get(_ORIENTATION, 1) != 1)
    return row.decoder.late_metadata or bool({"exif", "xmp"} & image.info.keys())


def _upright(image: Image.Image, row: Format) -> Size | None:
    """The size of the picture once it stands upright; None if what says so may follow behind the pixels."""
    size = _shown(image) or image.size
    if row.decoder.turns_upright or not _may_turn(image, row):
        return size
    if row.decoder.late_metadata:  # only EXIF counts more than what may follow
        told = told_by_exif(image.info.get("exif", b""))
    else:
        told = told_in(image.info, by_exif_alone=row.decoder.turned_by_boxes)
    return None if told is None else from_exif(told).size(size)


def _shown(image: Image.Image) -> Size | None:
    part = image.info.get(SHOWN)
    return (part[2] - part[0], part[3] - part[1]) if part else None


def _in_scans(image: Image.Image) -> bool:
    """Whether a JPEG has several scans: if it is progressive, or its first scan lacks some of its components. A
    lossless one, which is decoded at its full size, takes no more than these."""
    if "progressive" in image.info or getattr(image, "quantization", None) == {}:
        return True
    layers, file = getattr(image, "layer", None), getattr(image, "fp", None)
    if not layers or file is None:
        return False
    here = file.tell()  # Pillow stops behind the header of the first scan
    found = False
    for count in range(1, len(layers)):
        file.seek(max(0, here - 8 - 2 * count))
        found = found or file.read(5) == bytes((0xFF, 0xDA, 0, 6 + 2 * count, count))
    file.seek(here)
    return found


def _samples(image: Image.Image) -> float:
    """The samples per pixel of a JPEG or HEIF: less than three where colors are subsampled."""
    if image.format == "HEIF":
        return _SAMPLES.get(image.info.get("chroma", 0), 1.0 if image.mode in ("L", "LA") else 3.0)
    layers = getattr(image, "layer", None)
    if not layers:
        return 4.0
    across, down = max(layer[1] for layer in layers), max(layer[2] for layer in layers)
    return float(sum(layer[1] * layer[2] for layer in layers) / max(1, across * down))


def _strip_bytes(image: Image.Image) -> int:
    """The bytes of a TIFF's largest strip or tile once it is unpacked; 0 if there is nothing to unpack."""
    unpacked = getattr(image, "unpacked_bytes", 0)
    if image.info.get("compression") == "raw":
        return int(unpacked)
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (8,))
    pixel_bits = int(max(bits)) * int(tags.get(_SAMPLES_PER_PIXEL, len(bits)))
    across = int(tags.get(_TILE_WIDTH, image.width))
    down = int(tags.get(_TILE_LENGTH, min(int(tags.get(_ROWS_PER_STRIP, image.height)), image.height)))
    return int(unpacked) + across * down * pixel_bits // 8
