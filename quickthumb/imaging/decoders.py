"""Which decoders a file may reach, and what their failures mean.

An allow-list: most of Pillow's security holes were in its rarer formats. The settings of Pillow that concern the
whole process are made here once, at import, and never again.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import AvifImagePlugin, Image, TiffImagePlugin, UnidentifiedImageError, _imaging

from quickthumb.imaging import canvas
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyPixels, UnsupportedImage
from quickthumb.model.limits import Limits

# Pillow's names. "JPEG" reads MPO and Ultra HDR files as well, through its factory.
DECODERS = ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP", "ICO"]

try:
    import pillow_heif
except ImportError:  # the extra `heif` is not installed
    pass
else:
    pillow_heif.register_heif_opener(thumbnails=False)
    DECODERS.append("HEIF")

# Pillow's own bomb check knows no limits of ours and warns through a filter that threads share. This is only the last
# line behind our own checks, for what a decoder allocates on its own.
Image.MAX_IMAGE_PIXELS = 1 << 29
# A job has one thread; more would only take the cores from its neighbours.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
# Pillow gives every picture's memory back to the system, which then clears it page by page for the next: up to a third
# of the time of a full decode. It may keep 64 blocks of 1 MB for the whole process instead.
_imaging.set_block_size(1 << 20)
_imaging.set_blocks_max(64)
# 16-bit CIELAB TIFFs, which Pillow lacks: the high bytes are taken as three plain channels, and `color` knows.
for _order, _rawmode in ((b"II", "RGB;16L"), (b"MM", "RGB;16B")):
    TiffImagePlugin.OPEN_INFO.setdefault((_order, 8, (1,), 1, (16, 16, 16), ()), ("RGB", _rawmode))

# How files of the formats above begin (offset, bytes): what looks like one and does not open is damaged.
_SIGNATURES = (
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG\r\n\x1a\n"),
    (8, b"WEBP"),
    (0, b"GIF8"),
    (4, b"ftypavi"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"BM"),
    (0, b"\0\0\1\0"),
)
# Reading a file whose offsets are nonsense fails with these; every other errno is the machine's trouble.
_NONSENSE = (None, errno.EINVAL, errno.EOVERFLOW)


@contextmanager
def opened(source: Path, limits: Limits) -> Iterator[Image.Image]:
    """The source's header, read by an allowed decoder; nothing is decoded yet.

    Raises UnsupportedImage for what no allowed decoder knows, BrokenImage for a damaged header, and TooManyPixels for
    formats whose decoders allocate before they can be asked.
    """
    head = canvas.check(source, limits)
    try:
        with decoding():
            image = Image.open(source, formats=DECODERS)
    except BrokenImage as error:
        if isinstance(error.__cause__, UnidentifiedImageError) and not _looks_known(head):
            raise UnsupportedImage("The file is not an image of a format that is read here.") from None
        raise
    with image:
        yield image


@contextmanager
def decoding() -> Iterator[None]:
    """Turns whatever a decoder raises into BrokenImage, but lets the machine's troubles pass untouched."""
    try:
        yield
    except (QuickThumbError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise TooManyPixels("The image has more pixels than are accepted.") from None
    except Exception as error:  # decoders raise nearly anything: SyntaxError, struct.error, IndexError, zlib.error …
        if isinstance(error, OSError) and error.errno not in _NONSENSE:
            raise
        raise BrokenImage("The image is damaged and could not be decoded.") from error


def _looks_known(head: bytes) -> bool:
    if head.startswith(b"ftyphe", 4):
        return "HEIF" in DECODERS
    return any(head.startswith(signature, offset) for offset, signature in _SIGNATURES)
