"""Which decoders a file may reach, how large it may be, and what the decoders' failures mean.

Only decoders with a row in `formats/` are allowed: most of Pillow's security holes were in its rarer formats. The
settings of Pillow that concern the whole process are made here once, at import, and never again.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError, _imaging

from quickthumb.imaging.formats import FORMATS, Format
from quickthumb.imaging.formats.row import Seeking
from quickthumb.imaging.header import LONGEST_SIGNATURE, read_header_of_file, recognize, require_readable
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyPixels, UnsupportedImage
from quickthumb.model.limits import Limits

# Pillow's own bomb check knows no limits of ours and warns through a filter that threads share. This is only the last
# line behind our own checks, for what a decoder allocates on its own.
Image.MAX_IMAGE_PIXELS = 1 << 29
# Pillow gives every picture's memory back to the system, which then clears it page by page for the next: up to a third
# of the time of a full decode. It may keep 64 blocks of 1 MB for the whole process instead.
_imaging.set_block_size(1 << 20)
_imaging.set_blocks_max(64)

# Reading a file whose offsets are nonsense fails with these; every other errno is the machine's trouble.
_NONSENSE = (None, errno.EINVAL, errno.EOVERFLOW)


def _set_up_decoders() -> list[str]:
    """Pillow's names of the decoders that are installed."""
    names = []
    for row in FORMATS:
        try:
            row.decoder.set_up()
        except ImportError:
            continue
        names.append(row.decoder.pillow[0])
    return names


DECODERS = _set_up_decoders()


@contextmanager
def opened(source: Path, limits: Limits) -> Iterator[Image.Image]:
    """The source's header, read by an allowed decoder; nothing is decoded yet.

    Raises UnsupportedImage for what no allowed decoder knows, BrokenImage for a damaged header, and TooManyPixels for
    formats whose decoders allocate before they can be asked.
    """
    row, start = _recognized(source, limits)
    try:
        with decoding():
            image = Image.open(source, formats=DECODERS)
    except BrokenImage as error:
        if isinstance(error.__cause__, UnidentifiedImageError):
            _require_decodable(source, row, start)
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


def check_pixels(width: int, height: int, frames: int, limits: Limits) -> None:
    """Raises TooManyPixels for more than `limits.max_pixels` of all frames together."""
    if width * height * frames > limits.max_pixels:
        size = f"{width} × {height} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise TooManyPixels(f"The image has {size}; at most {limits.max_pixels} pixels are accepted.")


def _recognized(source: Path, limits: Limits) -> tuple[Format, bytes]:
    """The row for a file, and the file's first bytes.

    Opening a WebP allocates its whole canvas, and opening an ICO decodes its largest picture: a file of 34 bytes can
    take a gigabyte before anybody could look at its size. Theirs is read here, before Pillow sees the file.
    """
    with source.open("rb") as file:
        start = file.read(LONGEST_SIGNATURE)
        row = recognize(start)
        if row.decoder.allocates_on_open:
            header = row.read_header(Seeking(file))
            check_pixels(header.width, header.height, 1, limits)
    return row, start


def _require_decodable(source: Path, row: Format, start: bytes) -> None:
    """Raises UnsupportedImage where the file may be in order, but is of a kind that no decoder here knows."""
    if start.startswith(row.decoder.undecodable):
        raise UnsupportedImage(f"This kind of {row.name.upper()} is not supported.")
    require_readable(read_header_of_file(source).format)
