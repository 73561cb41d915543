"""Reads an image's format, size and orientation from its first bytes, to refuse unsuitable uploads early.

The web process runs this on untrusted uploads, so it uses no decoder: it reads a few numbers at offsets that the
formats' specifications name, in a bounded number of steps, and trusts none of them. A valid header says nothing about
the pixels behind it. The header reader of each format is in the format's row in `formats/`.
"""

from pathlib import Path

from quickthumb.imaging.formats import FORMATS, Format, named
from quickthumb.imaging.formats.row import Header
from quickthumb.imaging.formats.watch import Watch
from quickthumb.imaging.formats.window import NeedMore, Prefix, Seeking
from quickthumb.model.errors import BrokenImage, UnsupportedImage
from quickthumb.model.limits import Limits

__all__ = [
    "LONGEST_SIGNATURE",
    "Header",
    "make_watch",
    "read_header",
    "read_header_of_file",
    "recognize",
    "require_readable",
]

LONGEST_SIGNATURE = max(len(signature) for row in FORMATS for signature in row.signatures)
ANY_BYTE = ord("?")

# What clients most often upload by mistake; the refusal names it.
STRANGERS = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document"),
    (b"<!", "a web page"),
    (b"<html", "a web page"),
)


def read_header(data: bytes | bytearray | memoryview, *, complete: bool) -> Header | None:
    """The header of the image that begins with `data`; None if more bytes are needed to tell format and size.

    `complete` says that `data` is the whole image: then the answer is never None. More bytes than needed never change
    format and size; they may add the orientation, in formats that store it behind the size. Raises UnsupportedImage as
    soon as the bytes can belong to no format of the table, and BrokenImage if the header of a known format contradicts
    itself or ends too early, and TooManyParts for a header that lists far too many.
    """
    if complete and not data:
        raise BrokenImage("The image is empty.")
    start = bytes(data[:LONGEST_SIGNATURE])
    row = recognize(start) if complete else _recognize_early(start)
    if row is None:
        return None
    try:
        return row.read_header(Prefix(data, complete))
    except NeedMore:
        return None


def read_header_of_file(path: Path) -> Header:
    """The header of the image in the file at `path`, wherever in the file the size is stored.

    For images whose first bytes do not tell: a TIFF with its directory at the end, a JPEG with a megabyte of metadata
    before its size. Reads a few blocks, not the whole file. Raises what `read_header` raises, and OSError.
    """
    with path.open("rb") as file:
        start = file.read(LONGEST_SIGNATURE)
        if not start:
            raise BrokenImage("The image is empty.")
        return recognize(start).read_header(Seeking(file))


def make_watch(limits: Limits, start: bytes) -> Watch | None:
    """The watch that counts the parts of an image which begins with `start`; feed it the image from its first byte.

    None if the image's format has no parts to count. Raises UnsupportedImage if `start` belongs to no format.
    """
    make_steps = recognize(start).decoder.watch
    return Watch(make_steps(limits)) if make_steps else None


def require_readable(format_name: str) -> None:
    """Raises UnsupportedImage for a format that this installation cannot decode. Loads no decoder to find out."""
    if not named(format_name).readable:
        raise UnsupportedImage(f"The image is {format_name.upper()}, a format that this server cannot read.")


def recognize(start: bytes) -> Format:
    """The format of a file that begins with `start`: LONGEST_SIGNATURE bytes, or the whole file if it is shorter.

    If formats share a signature, this is the first one's row: its header reader tells them apart. Raises
    UnsupportedImage if no format begins like this.
    """
    for row in FORMATS:
        if any(len(start) >= len(signature) and _agrees(start, signature) for signature in row.signatures):
            return row
    raise _unsupported(start)


def _recognize_early(start: bytes) -> Format | None:
    """Does what `recognize` does, for bytes that are still arriving; returns None if more of them could decide."""
    for row in FORMATS:
        for signature in row.signatures:
            if _agrees(start, signature):
                return row if len(start) >= len(signature) else None
    raise _unsupported(start)


def _agrees(start: bytes, signature: bytes) -> bool:
    return all(wanted in (ANY_BYTE, given) for given, wanted in zip(start, signature, strict=False))


def _unsupported(start: bytes) -> UnsupportedImage:
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    name = next((f"{name}, " for mark, name in STRANGERS if text.startswith(mark.lower())), "")
    return UnsupportedImage(f"The file is {name}not an image in a supported format.")
