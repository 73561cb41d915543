"""How a TIFF lays out its samples, by the tags of its directory; and who can read it: Pillow, or `tiff_samples`.

TIFF 6.0 lets a file combine any photometric interpretation with any number, size and order of samples. Pillow knows a
list of combinations, and reads some of them wrong. This module recognizes those it reads right. It imports no Pillow.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from quickthumb.model.errors import BrokenImage, UnsupportedImage

IMAGE_WIDTH, IMAGE_LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
COLOR_MAP, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES = 320, 322, 323, 324, 325
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT = 332, 338, 339
COEFFICIENTS, SUBSAMPLING = 529, 530
MOST_SAMPLES = 32
_MOST_OF_PILLOW = 6

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
_COLORS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, 4: 1, CMYK: 4, YCBCR: 3, CIELAB: 3}
_STRANGE_KINDS = {
    4: "a transparency mask",
    9: "colors in ICC L*a*b*",
    10: "colors in ITU L*a*b*",
    32803: "raw camera data",
    34892: "raw camera data",
    32844: "colors in LogL",
    32845: "colors in LogLuv",
}
_FAX = (2, 3, 4, 32771)
_OLD_JPEG, _JPEG = 6, 7
# Those that hold any samples as bytes: none, LZW, Deflate (both of its numbers), PackBits, LZMA, Zstandard.
_OF_BYTES = (1, 5, 8, 32773, 32946, 34925, 50000)
_PREDICTED = (5, 8, 32946, 34925, 50000)
_STRANGE_COMPRESSIONS = {
    9: "JBIG",
    10: "JBIG",
    32809: "ThunderScan",
    32766: "NeXT RLE",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34676: "SGI Log",
    34677: "SGI Log",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG (DNG)",
    34933: "PNG",
    34934: "JPEG XR",
    48124: "JPEG XR",
    22610: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_UNSIGNED, _SIGNED, _FLOATING, _VOID = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Layout:
    """The samples of a TIFF's first picture.

    `bits` is the size of each sample; 0 if they differ. `samples` are all samples of a pixel, the first `colors` of
    which are its color; `alpha` is the place of the sample that says how opaque it is, if there is one. `planar` says
    that each sample has strips or tiles of its own.
    """

    width: int
    height: int
    photometric: int
    compression: int
    bits: int
    samples: int
    colors: int
    alpha: int | None
    premultiplied: bool
    planar: bool
    sample_format: int
    predictor: int
    is_strange_ink: bool

    @property
    def has_alpha(self) -> bool:
        return self.alpha is not None

    @property
    def mode(self) -> Literal["L", "RGB", "RGBA", "CMYK"]:
        """Pillow's mode for a picture of these samples, in 8 bits. There is none for ink that is transparent."""
        if self.has_alpha:
            return "RGBA"
        return "L" if self.colors == 1 else "RGB" if self.colors == 3 else "CMYK"

    @property
    def is_cielab(self) -> bool:
        return self.photometric == CIELAB

    @property
    def converts_ink(self) -> bool:
        """Whether ink is transparent, and so has to become RGB while it is read."""
        return self.has_alpha and self.colors == 4

    @property
    def is_sensible(self) -> bool:
        """Whether what Pillow would make of this layout is what the samples mean: whole numbers from 0 on, of no more
        than 16 bits, and not too many. Of other samples nothing tells which of them are black and white."""
        return (
            self.sample_format in (_UNSIGNED, _VOID)
            and self.bits <= 16
            and self.samples <= _MOST_OF_PILLOW
            and not self.is_strange_ink
        )

    @property
    def is_plain(self) -> bool:
        """Whether `tiff_samples` can read this: gray, RGB, CMYK or CIELAB in whole bytes, with any other samples beside
        it."""
        return (
            (self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK) or (self.is_cielab and not self.has_alpha))
            and self.compression in _OF_BYTES
            and self.bits in (8, 16)
            and self.sample_format in (_UNSIGNED, _VOID)
            and self.predictor in (1, 2)
            and not self.is_strange_ink
        )

    @property
    def is_misread(self) -> bool:
        """Whether Pillow would open this, but mix up its samples or lose much of them: several planes, white that is
        zero in 16 bits, and alpha that is premultiplied in gray or in 16 bits."""
        if not self.is_plain:
            return False
        inverted = self.photometric == WHITE_IS_ZERO and self.bits == 16
        coarse = self.premultiplied and (self.colors == 1 or self.bits == 16)
        return self.planar or inverted or coarse


def told_by(tags: Mapping[int, Any]) -> Layout:
    """The layout that the tags of a directory tell. Raises BrokenImage for tags that contradict each other."""
    width, height, compression = tags.get(IMAGE_WIDTH), tags.get(IMAGE_LENGTH), tags.get(COMPRESSION, 1)
    if not isinstance(width, int) or not isinstance(height, int):
        raise BrokenImage("The image is damaged: the TIFF's size is not a number.")
    bits, formats = _numbers(tags, BITS, (1,)), _numbers(tags, SAMPLE_FORMAT, (_UNSIGNED,))
    samples = tags.get(SAMPLES, len(bits))
    if not isinstance(samples, int) or not 1 <= samples <= MOST_SAMPLES:
        raise BrokenImage("The image is damaged: the TIFF has an impossible number of samples per pixel.")
    photometric = tags.get(PHOTOMETRIC)
    if photometric is None:
        photometric = _usual_photometric(samples, compression)
    colors = _COLORS.get(photometric, samples)
    if samples < colors and compression != _OLD_JPEG:
        raise BrokenImage("The image is damaged: the TIFF has too few samples for its colors.")
    alpha, premultiplied = _alpha(_numbers(tags, EXTRA_SAMPLES, ()), samples, colors)
    return Layout(
        width=width,
        height=height,
        photometric=photometric,
        compression=compression,
        bits=bits[0] if len(set(bits[:samples])) == 1 else 0,
        samples=samples,
        colors=colors,
        alpha=alpha,
        premultiplied=premultiplied,
        planar=tags.get(PLANAR, 1) == 2 and samples > 1,
        sample_format=formats[0] if len(set(formats)) == 1 else 0,
        predictor=tags.get(PREDICTOR, 1) if compression in _PREDICTED else 1,
        is_strange_ink=photometric == CMYK and tags.get(INK_SET, 1) == 2,
    )


def _numbers(tags: Mapping[int, Any], tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """The values of a tag that may have several."""
    found = tags.get(tag, default)
    values = found if isinstance(found, tuple) else (found,)
    return tuple(value for value in values if isinstance(value, int)) or default


def _usual_photometric(samples: int, compression: int) -> int:
    """What libtiff takes a picture for that does not say how its samples make a color."""
    if samples >= 3:
        return RGB
    return WHITE_IS_ZERO if compression in _FAX else BLACK_IS_ZERO


def _alpha(extra: tuple[int, ...], samples: int, colors: int) -> tuple[int | None, bool]:
    """The place of the alpha among the samples, and whether it is premultiplied (TIFF 6.0, section 18). As in Pillow, a
    fourth sample of RGB that nothing tells about is alpha, and so is one with the number that CorelDRAW writes."""
    if not extra and (samples, colors) == (4, 3):
        return 3, False
    for place, kind in enumerate(extra[: samples - colors], colors):
        if kind in (1, 2, 999):
            return place, kind == 1
    return None, False


def lengths_between(found: Mapping[int, Any], file_bytes: int) -> tuple[int, ...]:
    """The lengths of strips or tiles in a file that does not say them, or says zero: each may go on to the next one,
    and the last one to the end of the file. Empty if the file says any other, or no offsets."""
    lengths = _numbers(found, STRIP_BYTES, ()) or _numbers(found, TILE_BYTES, ())
    offsets = _numbers(found, STRIP_OFFSETS, ()) or _numbers(found, TILE_OFFSETS, ())
    if any(lengths) or not offsets:
        return ()
    ends = sorted({*offsets, file_bytes})
    return tuple(max(0, ends[min(bisect_right(ends, offset), len(ends) - 1)] - offset) for offset in offsets)


def unsupported(layout: Layout) -> UnsupportedImage:
    """The error for a layout that nobody here can read. It names what is unusual."""
    return UnsupportedImage(f"This TIFF {_strangeness(layout)}.")


def strange_compression(number: int) -> UnsupportedImage:
    """The error for a compression that nobody here can read."""
    name = _STRANGE_COMPRESSIONS.get(number, f"method {number}")
    return UnsupportedImage(f"This TIFF is compressed with {name}, which is not supported.")


def _strangeness(layout: Layout) -> str:
    if kind := _STRANGE_KINDS.get(layout.photometric):
        return f"holds {kind}, which is not supported"
    if layout.photometric not in _COLORS:
        return f"has the photometric interpretation {layout.photometric}, which is not supported"
    if layout.is_strange_ink:
        return "holds inks other than cyan, magenta, yellow and black, which are not supported"
    if layout.bits == 0:
        return "has samples of different sizes, which are not supported"
    if layout.sample_format not in (_UNSIGNED, _VOID):
        return _strange_format(layout)
    if layout.photometric == PALETTE:
        return f"has a palette with {layout.bits}-bit samples or other samples beside it, which is not supported"
    number = "one sample" if layout.samples == 1 else f"{layout.samples} samples"
    return f"has {number} of {layout.bits} bits per pixel, which is not supported"


def _strange_format(layout: Layout) -> str:
    if layout.sample_format == _FLOATING:
        return f"has {layout.bits}-bit floating-point samples, which are not supported"
    if layout.sample_format == _SIGNED:
        return f"has signed {layout.bits}-bit samples, which are not supported"
    return "has complex or mixed samples, which are not supported"
