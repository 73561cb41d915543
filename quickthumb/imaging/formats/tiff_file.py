"""Pillow's reader of TIFF, with what it lacks: layouts that it does not know or mixes up, and big-endian BigTIFF.

A TIFF that cannot be read is refused in words that say what is unusual; only damaged files are called damaged.
"""

import io
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

from PIL import Image, ImageFile, ImagePalette, TiffImagePlugin

from quickthumb.imaging import color
from quickthumb.imaging.formats import tiff_layout as tags
from quickthumb.imaging.formats import tiff_samples
from quickthumb.imaging.formats.tiff_layout import Layout
from quickthumb.model.errors import BrokenImage
from quickthumb.model.limits import Limits

NAME = "QUICKTHUMB_TIFF"
_BIG_ENDIAN_BIGTIFF = b"MM\x00+"
_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _ICC_PROFILE = 274, 282, 283, 296, 34675
_UNIT_INCHES = {2: 1.0, 3: 2.54}
# The copy of the file that libtiff reads grows in steps, and then has room to spare.
_SPARE = 1.25
# Tags that lead to other directories.
_POINTERS = (330, 34665, 34853, 40965)
# The number of a compression that Pillow knows by name, but whose wheels cannot unpack.
_WEBP = 50001


class TiffFile(TiffImagePlugin.TiffImageFile):
    """An opened TIFF. Opening raises UnsupportedImage for a layout that nobody here can read.

    `own` is the layout if `tiff_samples` reads it; `unpacked_bytes` is what that takes beside the picture.
    """

    own: Layout | None = None
    unpacked_bytes = 0
    _layout: Layout
    _ink_profile: object = None
    _begun: Any = None

    def _open(self) -> None:
        file: Any = self.fp
        start = file.read(16)
        file.seek(0)
        if start.startswith(_BIG_ENDIAN_BIGTIFF):
            self._begun, self.fp = file, cast(Any, _ClassicStart(file, start))
        super()._open()

    def _seek(self, frame: int) -> None:
        if self._begun is not None:
            self.tag_v2._bigtiff = True
            self.fp = self._fp = self._begun
        super()._seek(frame)

    def _setup(self) -> None:
        found: Any = self.tag_v2
        _name_tiles(found)
        layout = self._layout = tags.told_by(found)
        if layout.compression not in TiffImagePlugin.COMPRESSION_INFO or layout.compression == _WEBP:
            raise tags.strange_compression(layout.compression)
        if not {tags.STRIP_OFFSETS, tags.TILE_OFFSETS} & set(found):
            raise BrokenImage("The image is damaged: the TIFF has neither strips nor tiles.")
        found[tags.PHOTOMETRIC] = layout.photometric
        if not layout.planar:
            found[tags.PLANAR] = 1  # a single sample has a single plane, whatever the file calls it
        lacks_lengths = layout.compression != 1 and layout.is_plain and self._find_lengths()
        if lacks_lengths or layout.is_misread or not self._is_known(layout):
            if not layout.is_plain:
                raise tags.unsupported(layout)
            self._take(layout)

    def _find_lengths(self) -> bool:
        """Finds the lengths of strips or tiles that the file does not say; whether there are any."""
        found, file = cast(Any, self.tag_v2), cast(Any, self.fp)
        lengths = tags.lengths_between(found, file.seek(0, io.SEEK_END))
        if lengths:
            found[tags.TILE_BYTES if tags.TILE_OFFSETS in found else tags.STRIP_BYTES] = lengths
        return bool(lengths)

    def _is_known(self, layout: Layout) -> bool:
        """Whether Pillow can read this layout, and sets itself up for it."""
        if not layout.is_sensible:
            return False
        try:
            super()._setup()
        except (SyntaxError, KeyError):
            return False
        if self.mode in ("P", "PA"):
            self._mend_palette()
        if layout.photometric == tags.YCBCR and layout.compression == 1 and _converts_ycbcr(self.tag_v2):
            self._leave_to_libtiff()
        return True

    def _mend_palette(self) -> None:
        """Takes a color map for one of 8 bits if it has no larger value, as libtiff does; the specification wants 16
        bits."""
        values = self.tag_v2[tags.COLOR_MAP]
        if max(values) < 256:
            self.palette = ImagePalette.raw("RGB;L", bytes(values))

    def _leave_to_libtiff(self) -> None:
        """Pillow itself would read samples that share their color as if each had its own."""
        self.use_load_libtiff, self._mode = True, "RGB"
        extents = (0, 0, *self._tile_size)
        self.tile = [ImageFile._Tile("libtiff", extents, 0, ("RGBX", False, self.tag_v2.offset))]

    def _take(self, layout: Layout) -> None:
        """Sets the picture up for `tiff_samples`."""
        found: Any = self.tag_v2
        self.own, self._mode, self.palette = layout, layout.mode, None
        self._tile_size = (layout.width, layout.height)
        self._size = self._tile_size[::-1] if found.get(_ORIENTATION) in (5, 6, 7, 8) else self._tile_size
        unpacked_bytes = layout.width * layout.height * layout.samples * layout.bits // 8
        self.unpacked_bytes = int(unpacked_bytes * _SPARE)
        self.info["compression"] = TiffImagePlugin.COMPRESSION_INFO[layout.compression]
        inches = _UNIT_INCHES.get(found.get(_RESOLUTION_UNIT, 2))
        if inches and found.get(_X_RESOLUTION) and found.get(_Y_RESOLUTION):
            self.info["dpi"] = (found[_X_RESOLUTION] * inches, found[_Y_RESOLUTION] * inches)
        if layout.converts_ink:
            self._ink_profile = found.get(_ICC_PROFILE)
        elif _ICC_PROFILE in found:
            self.info["icc_profile"] = found[_ICC_PROFILE]
        self.use_load_libtiff = False
        self.tile = [ImageFile._Tile("raw", (0, 0, *self._tile_size), 0, ())]

    def getexif(self) -> Image.Exif:
        if self._begun is None:
            return super().getexif()
        exif = Image.Exif()  # Pillow's way there cannot read big-endian BigTIFF either
        exif.update({tag: value for tag, value in self.tag_v2.items() if tag not in _POINTERS})
        return exif

    def load(self) -> Any:
        if not self.tile or self.own is None:
            return super().load()
        ink = color.read({"icc_profile": self._ink_profile}, None, "CMYK", Limits())
        file: Any = self.fp
        self.im = tiff_samples.decode(file, self.tag_v2, self.tag_v2.prefix == b"MM", self.own, ink).im
        self.tile, self.readonly = [], 0
        self.load_end()
        return Image.Image.load(self)

    def load_end(self) -> None:
        if self.own is None and self._layout.bits == 12:
            # Pillow leaves the samples in 0…4095.
            self.im = self.point(lambda sample: sample * (65535 / 4095) + 0.5).im
        super().load_end()


class _ClassicStart:
    """A file whose first bytes read as those of a small TIFF: Pillow takes BigTIFF only from little-endian files."""

    def __init__(self, file: Any, start: bytes) -> None:
        self._file = file
        self._start = b"MM\x00*" + start[12:16]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, _: int) -> bytes:
        return self._start


def _name_tiles(found: MutableMapping[int, Any]) -> None:
    """Names the lists of tiles as such. Old files name them as those of strips, and libtiff accepts that."""
    if tags.TILE_WIDTH not in found or tags.TILE_OFFSETS in found:
        return
    for strips, tiles in ((tags.STRIP_OFFSETS, tags.TILE_OFFSETS), (tags.STRIP_BYTES, tags.TILE_BYTES)):
        if strips in found:
            found[tiles] = found[strips]
            del found[strips]


def _converts_ycbcr(found: Mapping[int, Any]) -> bool:
    """Whether libtiff converts such colors: it refuses weights of red, green and blue that make no sense. If no samples
    share their color, Pillow then takes the usual weights."""
    told = found.get(tags.COEFFICIENTS)
    weights = [float(weight) for weight in told] if isinstance(told, tuple) else []
    return found.get(tags.SUBSAMPLING) != (1, 1) or all(0 < weight < 1 for weight in weights)


def set_up() -> None:
    """Registers this reader with Pillow under a name of its own, beside Pillow's."""
    Image.register_open(NAME, TiffFile, lambda prefix: prefix[:2] in (b"II", b"MM"))
