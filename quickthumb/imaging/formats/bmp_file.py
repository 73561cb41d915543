"""Pillow's reader of BMP, with what it lacks: color masks of any kind, alpha in 16 bits and that of pixels without
masks, palettes of unusual sizes, color profiles.

A BMP that cannot be read is refused in words that say what is unusual; only damaged files are called damaged.
"""

from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import BmpImagePlugin, Image, ImageFile, ImageMath, ImagePalette

from quickthumb.imaging.formats.bmp import CORE_HEADER, FILE_HEADER_BYTES, bitmap_size
from quickthumb.imaging.formats.window import Seeking
from quickthumb.model.errors import UnsupportedImage

NAME = "QUICKTHUMB_BMP"
_PLAIN, _RLE8, _RLE4, _MASKS, _MASKS_WITH_ALPHA = 0, 1, 2, 3, 6
_OS2_HEADER, _FIRST_HEADER_WITH_ALPHA = 64, 56
_HEADERS_WITH_ALPHA = (56, 108, 124)
_MASKS_START = FILE_HEADER_BYTES + 40
# The masks of pixels without masks, if the header tells of alpha nevertheless: browsers show it.
_PLAIN_WITH_ALPHA = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
# The longest header tells whether there is a profile, and where: counted from the header.
_LONGEST_HEADER = 124
_COLOR_SPACE, _PROFILE_START, _EMBEDDED = 56, 112, b"DEBM"
_MOST_PROFILE_BYTES = 16 * 1024 * 1024
_STRANGE = {4: "holds a JPEG", 5: "holds a PNG", 11: "holds CMYK", 12: "holds CMYK", 13: "holds CMYK"}
_STRANGE_OS2 = {3: "is compressed with Huffman coding", 4: "is compressed with 24-bit run lengths"}
# Pillow's names for rows of indices, by their bits.
_INDICES = {1: "P;1", 2: "P;2", 4: "P;4", 8: "P"}
_MOST_COLORS = 256
# The masks that Pillow's own decoder takes: red, green, blue, alpha.
_KNOWN_MASKS = {
    16: {(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0)},
    24: {(0xFF0000, 0xFF00, 0xFF, 0)},
    32: {
        (0xFF0000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0xFF000000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
        (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    },
}
# How many pixels are taken apart at once.
_BAND_PIXELS = 1 << 16


@dataclass(frozen=True, slots=True)
class Bitmap:
    """What the header of a BMP says. `start` is where its pixels are; `masks` are red, green, blue and alpha."""

    size: tuple[int, int]
    is_upside_down: bool
    header: int
    bits: int
    compression: int
    colors: int
    start: int
    masks: tuple[int, int, int, int]

    @property
    def has_masks(self) -> bool:
        return self.compression in (_MASKS, _MASKS_WITH_ALPHA)

    @property
    def needs_masks(self) -> bool:
        """Whether Pillow does not know these masks, or would leave out the alpha."""
        return self.has_masks and (
            self.masks not in _KNOWN_MASKS.get(self.bits, ()) or self.compression == _MASKS_WITH_ALPHA
        )

    @property
    def needs_palette(self) -> bool:
        """Whether Pillow does not know this palette, or takes the indices for black and white: it does so with any two
        colors that are, however many bits an index has."""
        return self.bits == 2 or (self.bits in (4, 8) and (self.colors <= 2 or self.colors > _MOST_COLORS))

    @property
    def stride(self) -> int:
        """The bytes of a row, which are multiples of four."""
        return (self.size[0] * self.bits + 31) // 32 * 4


class BmpFile(BmpImagePlugin.BmpImageFile):
    """An opened BMP. Opening raises UnsupportedImage for a kind that nobody here can read."""

    own: Bitmap | None = None

    def _open(self) -> None:
        file: Any = self.fp
        bitmap = _read(file)
        _refuse_strange(bitmap)
        file.seek(0)
        if bitmap.needs_masks:
            self._mode = "RGBA" if bitmap.masks[3] else "RGB"
            self._take(bitmap, "raw", ())
        elif bitmap.needs_palette:
            self._take_palette(file, bitmap)
        else:
            super()._open()
        if profile := _profile(file, bitmap):
            self.info["icc_profile"] = profile

    def _take(self, bitmap: Bitmap, decoder: str, args: tuple[Any, ...]) -> None:
        self.own, self._size = bitmap, bitmap.size
        self.info["compression"] = bitmap.compression
        self.tile = [ImageFile._Tile(decoder, (0, 0, *bitmap.size), bitmap.start, args)]

    def _take_palette(self, file: BinaryIO, bitmap: Bitmap) -> None:
        entry_bytes = 3 if bitmap.header == CORE_HEADER else 4
        count = min(bitmap.colors, 1 << bitmap.bits)
        file.seek(FILE_HEADER_BYTES + bitmap.header)
        self._mode = "P"
        self.palette = ImagePalette.raw("BGR" if entry_bytes == 3 else "BGRX", file.read(entry_bytes * count))
        direction = 1 if bitmap.is_upside_down else -1
        if bitmap.compression in (_RLE8, _RLE4):
            self._take(bitmap, "bmp_rle", (_INDICES[bitmap.bits], bitmap.compression == _RLE4, direction))
        else:
            self._take(bitmap, "raw", (_INDICES[bitmap.bits], bitmap.stride, direction))

    def load(self) -> Any:
        if not self.tile or self.own is None or not self.own.needs_masks:
            return super().load()
        file: Any = self.fp
        picture = Image.new(self.mode, self.size)
        self.im, self.readonly = picture.im, 0
        _decode(file, self.own, picture)
        self.tile = []
        self.load_end()
        return Image.Image.load(self)

    def load_end(self) -> None:
        """Takes a picture for opaque if its alpha is zero everywhere: many encoders never set it."""
        if self.mode == "RGBA" and self.im.getband(3).getextrema() == (0, 0):
            self.im.putband(Image.new("L", self.size, 255).im, 3)


def _read(file: BinaryIO) -> Bitmap:
    window = Seeking(file)
    header = int.from_bytes(window.at(FILE_HEADER_BYTES, 4), "little")
    start = int.from_bytes(window.at(10, 4), "little")
    size = bitmap_size(window, FILE_HEADER_BYTES)
    if header == CORE_HEADER:
        bits = int.from_bytes(window.at(FILE_HEADER_BYTES + 10, 2), "little")
        return Bitmap(size, False, header, bits, _PLAIN, 1 << min(bits, 8), start, (0, 0, 0, 0))
    fields = window.at(FILE_HEADER_BYTES, 40)
    bits, compression = int.from_bytes(fields[14:16], "little"), int.from_bytes(fields[16:20], "little")
    colors = int.from_bytes(fields[32:36], "little") or 1 << min(bits, 8)
    masks = (0, 0, 0, 0)
    if compression in (_MASKS, _MASKS_WITH_ALPHA):
        has_alpha = header >= _FIRST_HEADER_WITH_ALPHA or compression == _MASKS_WITH_ALPHA
        given = window.at(_MASKS_START, 16 if has_alpha else 12).ljust(16, b"\0")
        red, green, blue, alpha = (int.from_bytes(given[at : at + 4], "little") for at in range(0, 16, 4))
        masks = (red, green, blue, alpha)
    elif compression == _PLAIN and bits == 32 and header in _HEADERS_WITH_ALPHA and _tells_of_alpha(window):
        compression, masks = _MASKS_WITH_ALPHA, _PLAIN_WITH_ALPHA
    return Bitmap(size, fields[11] == 0xFF, header, bits, compression, colors, start, masks)


def _tells_of_alpha(window: Seeking) -> bool:
    """Whether the header has the usual mask for alpha, behind those of the colors."""
    return window.at(_MASKS_START + 12, 4) == _PLAIN_WITH_ALPHA[3].to_bytes(4, "little")


def _profile(file: BinaryIO, bitmap: Bitmap) -> bytes:
    """The color profile in the file; empty if there is none, or only the name of one."""
    window = Seeking(file)
    if bitmap.header != _LONGEST_HEADER or window.at(FILE_HEADER_BYTES + _COLOR_SPACE, 4) != _EMBEDDED:
        return b""
    fields = window.at(FILE_HEADER_BYTES + _PROFILE_START, 8)
    start, length = int.from_bytes(fields[:4], "little"), int.from_bytes(fields[4:], "little")
    file.seek(FILE_HEADER_BYTES + start)
    return file.read(min(length, _MOST_PROFILE_BYTES))


def _refuse_strange(bitmap: Bitmap) -> None:
    """Raises UnsupportedImage for what neither Pillow nor this module reads."""
    strange = _STRANGE_OS2 if bitmap.header == _OS2_HEADER else _STRANGE
    if bitmap.compression in strange:
        raise UnsupportedImage(f"This BMP {strange[bitmap.compression]}, which is not supported.")
    if bitmap.compression not in (_PLAIN, _RLE8, _RLE4, _MASKS, _MASKS_WITH_ALPHA):
        raise UnsupportedImage(f"This BMP is compressed with method {bitmap.compression}, which is not supported.")
    if bitmap.bits not in (1, 2, 4, 8, 16, 24, 32):
        raise UnsupportedImage(f"This BMP has {bitmap.bits} bits per pixel, which is not supported.")
    if bitmap.needs_masks and (bitmap.bits not in (16, 32) or not all(map(_is_contiguous, bitmap.masks))):
        raise UnsupportedImage("This BMP has color masks in an order that is not supported.")


def _is_contiguous(mask: int) -> bool:
    ones = mask >> _shift(mask)
    return ones & (ones + 1) == 0


def _shift(mask: int) -> int:
    return max(0, (mask & -mask).bit_length() - 1)


def _decode(file: BinaryIO, bitmap: Bitmap, picture: Image.Image) -> None:
    """Takes the samples out of the pixels by their masks, some rows at a time. Raises OSError if rows are missing."""
    width, height = bitmap.size
    rows, rawmode = max(1, _BAND_PIXELS // width), "I;16" if bitmap.bits == 16 else "I;32S"
    file.seek(bitmap.start)
    for first in range(0, height, rows):
        count = min(rows, height - first)
        data = file.read(bitmap.stride * count)
        if len(data) < bitmap.stride * count:
            raise OSError("image file is truncated")
        direction, top = (1, first) if bitmap.is_upside_down else (-1, height - first - count)
        pixels = Image.frombytes("I", (width, count), data, "raw", rawmode, bitmap.stride, direction)
        bands = [_samples(pixels, mask) for mask in bitmap.masks[: len(picture.mode)]]
        picture.paste(Image.merge(picture.mode, bands), (0, top))


def _samples(pixels: Image.Image, mask: int) -> Image.Image:
    """The samples of one color in 8 bits; of longer ones, the highest bits."""
    shift = _shift(mask)
    shift += max(0, (mask >> shift).bit_length() - 8)
    most = mask >> shift
    if not most:
        return Image.new("L", pixels.size)
    scaled: Image.Image = ImageMath.lambda_eval(
        lambda given: (((given["pixels"] >> shift) & most) * 255 + most // 2) / most, pixels=pixels
    )
    return scaled.convert("L")


def set_up() -> None:
    """Registers this reader with Pillow under a name of its own, beside Pillow's."""
    Image.register_open(NAME, BmpFile, lambda prefix: prefix.startswith(b"BM"))
