"""The blocks of metadata that a file can hold beside its picture, and the kinds of them that formats know.

This module only names them: what goes into a result's blocks is decided in `imaging/metadata/`, and how Pillow writes
them is in the row of each format.
"""

from dataclasses import dataclass

EXIF, XMP, IPTC, TEXTS, COMMENT, RESOLUTION = "EXIF", "XMP", "IPTC", "texts", "comment", "resolution"
EXIF_PREFIX = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Blocks:
    """What a result shall hold, as bytes that are ready to be written; empty for what it shall not.

    `exif` is a TIFF structure without the prefix that JPEG puts before it; `xmp` is a packet in UTF-8, and
    `extended_xmp` what it has no room for; `iptc` are Photoshop's image resources that hold IPTC-IIM; `texts` are
    keywords and texts of a PNG; `resolution` is in dots per inch, across and down.
    """

    exif: bytes = b""
    xmp: bytes = b""
    extended_xmp: bytes = b""
    iptc: bytes = b""
    texts: tuple[tuple[str, str], ...] = ()
    comment: bytes = b""
    resolution: tuple[float, float] | None = None
