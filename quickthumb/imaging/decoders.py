"""Decides which decoders may read a file and how large it may be, and translates the decoders' failures.

Only decoders with a row in `formats/` are allowed: most of Pillow's security holes were in its rarer formats. Pillow's
process-wide settings are made here, once, at import.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from PIL import Image, _imaging

from quickthumb.imaging.formats import FORMATS, Format, named
from quickthumb.imaging.formats.row import Header
from quickthumb.imaging.formats.splice import splice
from quickthumb.imaging.formats.watch import BLOCK_BYTES, check_file
from quickthumb.imaging.formats.window import NeedMore, Prefix, Seeking
from quickthumb.imaging.header import LONGEST_SIGNATURE, make_watch, recognize, require_readable
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyPixels
from quickthumb.model.limits import Limits

# Pillow's own bomb check does not know our limits, and warns through a filter that threads share. It is only the last
# line of defense behind our own checks, for what a decoder allocates on its own.
Image.MAX_IMAGE_PIXELS = 1 << 29
# By default, Pillow returns every picture's memory to the system, which then clears it page by page for the next
# picture: up to a third of the time of a full decode. Here Pillow keeps up to 64 blocks of 1 MB for the whole process.
_imaging.set_block_size(1 << 20)
_imaging.set_blocks_max(64)

# The key in Pillow's `info` for the part of the stored picture that is to be shown (left, top, right, bottom), if the
# decoder leaves cutting it out to us.
SHOWN = "shown"

# A file of at most so many bytes is read with one system call, and looked at and decoded in memory. With each call, a
# thread gives the GIL to others, and then waits until they give it back.
SMALL_BYTES = 1024 * 1024

# Reading a file with nonsensical offsets fails with these; any other errno is a failure of the machine.
_NONSENSE = (None, errno.EINVAL, errno.EOVERFLOW)


def _set_up_decoders() -> list[str]:
    """Sets up every decoder that is installed; returns their Pillow names."""
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
def opened(
    source: Path, limits: Limits, warnings: list[str] | None = None, *, fills: bool = False
) -> Iterator[Image.Image]:
    """Opens the source with an allowed decoder, which reads the header and decodes nothing yet.

    Raises UnsupportedImage for a file that no allowed decoder knows, BrokenImage for a damaged header, and
    TooManyPixels and TooManyParts by the file alone, before a decoder sees it: opening a WebP allocates its whole
    canvas, and opening an ICO decodes its largest picture, so a file of 34 bytes could take a gigabyte.

    Adds to `warnings` what is wrong with the file beside its pixels, and was hidden from the decoder; without them, the
    pixels are not to be decoded, and their checksums are not looked at. `fills` says that pixels with a wrong checksum
    may be shown, with a warning; otherwise BrokenImage is raised.
    """
    with ExitStack() as stack:
        file = stack.enter_context(_open(source))
        header = _check(file, limits)
        row = named(header.format)
        if not row.decoder.takes_file:
            file.close()
        given = file if row.decoder.takes_file else _screened(source, row, warnings, fills, stack)
        try:
            with decoding():
                # No other decoder than the one whose bounds were checked: several take files that begin alike.
                image: Image.Image = Image.open(given, formats=row.decoder.pillow[:1])
        except BrokenImage:
            image = _mended(source, row, limits, stack)
        stack.enter_context(image)
        if header.shown and not row.decoder.turns_upright and image.size == (header.width, header.height):
            image.info[SHOWN] = header.shown
        yield image


def _mended(source: Path, row: Format, limits: Limits, stack: ExitStack) -> Image.Image:
    """Opens a file that Pillow cannot open as it is. The opened image says why in `patched.reason`."""
    with decoding():
        file = row.decoder.mend(source, limits) if row.decoder.mend else None
    if file is None:
        raise BrokenImage("The image is damaged and could not be decoded.")
    reader = stack.enter_context(file.open())
    with decoding():
        image: Any = Image.open(reader, formats=row.decoder.pillow[:1])
    image.patched = file
    return cast("Image.Image", image)


class decoding:  # noqa: N801 - it is used like a function
    """Turns any exception of a decoder into BrokenImage, but lets failures of the machine pass unchanged."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, (QuickThumbError, MemoryError)):
            return
        if isinstance(error, Image.DecompressionBombError):
            raise TooManyPixels("The image has more pixels than are accepted.") from None
        if isinstance(error, OSError) and error.errno not in _NONSENSE:
            return
        # Decoders raise nearly anything: SyntaxError, struct.error, IndexError, zlib.error …
        raise BrokenImage("The image is damaged and could not be decoded.") from error


def check_pixels(width: int, height: int, frames: int, limits: Limits) -> None:
    """Raises TooManyPixels if all frames together have more than `limits.max_pixels`."""
    if width * height * frames > limits.max_pixels:
        size = f"{width} × {height} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise TooManyPixels(f"{size} are too many; at most {limits.max_pixels} are accepted.")


def _open(source: Path) -> BinaryIO:
    """The file, for reading. A small one is read at once, and only its content is left."""
    file = source.open("rb", buffering=0)
    length_bytes = os.fstat(file.fileno()).st_size
    if length_bytes > SMALL_BYTES:
        return BufferedReader(file)
    with file:
        content = file.read(length_bytes)
        while len(content) < length_bytes and (more := file.read(length_bytes - len(content))):
            content += more
    return BytesIO(content)


def _check(file: BinaryIO, limits: Limits) -> Header:
    """Makes all checks that need no decoder; returns the header."""
    start = file.read(BLOCK_BYTES)
    row = recognize(start[:LONGEST_SIGNATURE])
    header = _header(row, start, file)
    require_readable(header.format)
    check_pixels(header.width, header.height, 1, limits)
    if check := named(header.format).decoder.check:
        check(Seeking(file), header, limits)
    watch = None if row.decoder.screen else make_watch(limits, start)
    if watch:
        watch.feed(start)
        file.seek(len(start))
        check_file(file, watch)
    return header


def _header(row: Format, start: bytes, file: BinaryIO) -> Header:
    """The header, from the first block of the file alone if that tells all of it, as nearly always."""
    with suppress(NeedMore):
        header = row.read_header(Prefix(start, complete=False))
        if not header.awaits_orientation:
            return header
    return row.read_header(Seeking(file))


def _screened(source: Path, row: Format, warnings: list[str] | None, fills: bool, stack: ExitStack) -> Path | BinaryIO:
    """The source as the decoder may see it: the file itself, unless something in it must be hidden."""
    if row.decoder.screen is None:
        return source
    file = stack.enter_context(source.open("rb", buffering=0))
    screened = row.decoder.screen(file, warnings is not None)
    if screened.faulty_pixels and not fills:
        raise BrokenImage(f"The image is damaged: {screened.faulty_pixels}.")
    if warnings is not None:
        warnings += screened.warnings
        warnings += [f"The picture may be faulty: {fault}." for fault in [screened.faulty_pixels] if fault]
    if len(screened.parts) == 1 and screened.parts[0] == (0, os.fstat(file.fileno()).st_size):
        return source
    return stack.enter_context(splice(file, screened.parts))
