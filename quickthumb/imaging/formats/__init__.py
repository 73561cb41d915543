"""The table of image formats, one row each: everything particular to a format is in the format's own file.

To add a format, write its file and add its row to `FORMATS`. The web process uses this table for signatures, header
readers and media types, so no module here imports Pillow until the engine calls a function that needs it.
"""

from quickthumb.imaging.formats.avif import AVIF
from quickthumb.imaging.formats.bmp import BMP
from quickthumb.imaging.formats.gif import GIF
from quickthumb.imaging.formats.heif import HEIF
from quickthumb.imaging.formats.ico import ICO
from quickthumb.imaging.formats.jpeg import JPEG
from quickthumb.imaging.formats.jxl import JXL
from quickthumb.imaging.formats.png import PNG
from quickthumb.imaging.formats.row import Encoder, Format
from quickthumb.imaging.formats.tiff import TIFF
from quickthumb.imaging.formats.webp import WEBP

__all__ = ["FORMATS", "WRITTEN", "Encoder", "Format", "named", "opened_as"]

# Signatures and Pillow's decoders are tried in this order. It matters in one case: an AVIF with a long list of brands
# begins like an ICO.
FORMATS: tuple[Format, ...] = (JPEG, PNG, WEBP, GIF, AVIF, HEIF, JXL, TIFF, BMP, ICO)

_BY_NAME = {row.name: row for row in FORMATS}
_BY_PILLOW_NAME = {name: row for row in FORMATS for name in row.decoder.pillow}

# The formats that results can have, by name.
WRITTEN: dict[str, Format] = {row.name: row for row in FORMATS if row.encoder is not None}


def named(name: str) -> Format:
    """The format of that name. Raises KeyError if there is none."""
    return _BY_NAME[name]


def opened_as(pillow_name: str | None) -> Format:
    """The format of a file that Pillow opened under that name. Raises KeyError for a decoder that no row allows."""
    return _BY_PILLOW_NAME[pillow_name or ""]
