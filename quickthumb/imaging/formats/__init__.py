"""The formats of images, one row each: everything that is particular to a format stands in its own file.

To add a format, write its file and add its row to `FORMATS`. The web process asks this table for signatures, header
readers and media types, so nothing here imports Pillow, nor does any row until the engine calls what needs it.
"""

from quickthumb.imaging.formats.avif import AVIF
from quickthumb.imaging.formats.bmp import BMP
from quickthumb.imaging.formats.gif import GIF
from quickthumb.imaging.formats.heif import HEIF
from quickthumb.imaging.formats.ico import ICO
from quickthumb.imaging.formats.jpeg import JPEG
from quickthumb.imaging.formats.png import PNG
from quickthumb.imaging.formats.row import Encoder, Format
from quickthumb.imaging.formats.tiff import TIFF
from quickthumb.imaging.formats.webp import WEBP

__all__ = ["FORMATS", "WRITTEN", "Encoder", "Format", "named", "opened_as"]

# Signatures and Pillow's decoders are tried in this order. It matters once: an AVIF with a long list of brands begins
# like an ICO.
FORMATS: tuple[Format, ...] = (JPEG, PNG, WEBP, GIF, AVIF, HEIF, TIFF, BMP, ICO)

_BY_NAME = {row.name: row for row in FORMATS}
_BY_PILLOW_NAME = {name: row for row in FORMATS for name in row.decoder.pillow}

# The formats that results can have, by name.
WRITTEN: dict[str, Format] = {row.name: row for row in FORMATS if row.encoder is not None}


def named(name: str) -> Format:
    """The format of that name; raises KeyError where there is none."""
    return _BY_NAME[name]


def opened_as(pillow_name: str | None) -> Format:
    """The format of a file that Pillow opened under that name; raises KeyError for a decoder that no row allows."""
    return _BY_PILLOW_NAME[pillow_name or ""]
