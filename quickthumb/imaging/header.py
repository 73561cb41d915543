"""An image's format and size, from its first bytes: for refusing early what is no image or has too many pixels.

It runs in the web process on whatever strangers send, so it uses no decoder: it reads a few numbers at places that the
formats' specifications name, in a bounded number of steps, and trusts none of them. That a header is in order says
nothing of the pixels behind it. To read another format, write its reader in `headers/` and add a row to `FORMATS`.
"""

from collections.abc import Callable
from pathlib import Path

from quickthumb.imaging.headers.bitmap import read_bmp, read_ico
from quickthumb.imaging.headers.gif import read_gif
from quickthumb.imaging.headers.iso_media import read_iso_media
from quickthumb.imaging.headers.jpeg import read_jpeg
from quickthumb.imaging.headers.png import read_png
from quickthumb.imaging.headers.tiff import read_tiff
from quickthumb.imaging.headers.webp import read_webp
from quickthumb.imaging.headers.window import Header, NeedMore, Prefix, Seeking, Window
from quickthumb.model.errors import BrokenImage, UnsupportedImage

__all__ = ["Header", "read_header", "read_header_of_file"]

# How a file of the format begins (? is any byte), the names it can have, and what reads its header. The order matters
# in one place: a long list of brands makes an AVIF begin like an ICO.
FORMATS: tuple[tuple[bytes, str, Callable[[Window], Header]], ...] = (
    (b"\xff\xd8\xff", "jpeg", read_jpeg),
    (b"\x89PNG\r\n\x1a\n", "png", read_png),
    (b"GIF87a", "gif", read_gif),
    (b"GIF89a", "gif", read_gif),
    (b"RIFF????WEBP", "webp", read_webp),
    (b"????ftyp", "avif or heif", read_iso_media),
    (b"II*\x00", "tiff", read_tiff),
    (b"MM\x00*", "tiff", read_tiff),
    (b"II+\x00", "tiff", read_tiff),
    (b"MM\x00+", "tiff", read_tiff),
    (b"BM", "bmp", read_bmp),
    (b"\x00\x00\x01\x00", "ico", read_ico),
)
LONGEST_SIGNATURE = max(len(signature) for signature, _, _ in FORMATS)
ANY_BYTE = ord("?")

# What is uploaded by mistake most often, to be refused by name.
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
    """The format and size of the image that begins with `data`; None if more bytes are needed to tell.

    `complete` says that `data` is the whole image: then the answer is never None. What is answered does not depend on
    how much more than the needed bytes is given. Raises UnsupportedImage as soon as the bytes can be no format of the
    table, and BrokenImage where a known format's header contradicts itself or ends too early.
    """
    if complete and not data:
        raise BrokenImage("The image is empty.")
    reader = _recognise(bytes(data[:LONGEST_SIGNATURE]), complete)
    if reader is None:
        return None
    try:
        return reader(Prefix(data, complete))
    except NeedMore:
        return None


def read_header_of_file(path: Path) -> Header:
    """The format and size of the image in the file at `path`, wherever in it they are told.

    For what the first bytes of an upload could not decide: a TIFF with its directory at the end, a JPEG behind a
    megabyte of metadata. It reads a few blocks, not the whole. Raises as `read_header` does, and OSError.
    """
    with path.open("rb") as file:
        start = file.read(LONGEST_SIGNATURE)
        if not start:
            raise BrokenImage("The image is empty.")
        reader = _recognise(start, complete=True)
        if reader is None:
            raise AssertionError("complete data are recognised or refused")
        return reader(Seeking(file))


def _recognise(start: bytes, complete: bool) -> Callable[[Window], Header] | None:
    """The reader for an image that begins with `start`; None if more of it could still decide."""
    for signature, _, reader in FORMATS:
        if _agrees(start, signature):
            if len(start) >= len(signature):
                return reader
            if not complete:
                return None
    raise UnsupportedImage(f"The file is {_name(start)}not an image of a format that is read here.")


def _agrees(start: bytes, signature: bytes) -> bool:
    return all(wanted in (ANY_BYTE, given) for given, wanted in zip(start, signature, strict=False))


def _name(start: bytes) -> str:
    """What the file seems to be, with a comma after it; empty if that is not known."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((f"{name}, " for mark, name in STRANGERS if text.startswith(mark.lower())), "")
