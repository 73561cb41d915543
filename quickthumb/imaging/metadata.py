"""The metadata that a result keeps from its source: none, unless asked for.

EXIF tells where people live and which camera they own; XMP, comments and thumbnails may show what was cropped away.
"""

import re
from typing import Any

from PIL import ExifTags, Image

from quickthumb.imaging.formats.row import Options
from quickthumb.imaging.rendition import Rendition
from quickthumb.imaging.source import Source

# EXIF tags, and the PNG texts that hold the same.
_RIGHTS = {ExifTags.Base.Artist: "Author", ExifTags.Base.Copyright: "Copyright"}
# Tags that no longer hold for the new picture, or that are not known to be harmless in it.
_STALE = (
    ExifTags.Base.Orientation,
    ExifTags.Base.ImageWidth,
    ExifTags.Base.ImageLength,
    ExifTags.Base.BitsPerSample,
    ExifTags.Base.Compression,
    ExifTags.Base.PhotometricInterpretation,
    ExifTags.Base.StripOffsets,
    ExifTags.Base.StripByteCounts,
    ExifTags.Base.RowsPerStrip,
    ExifTags.Base.SamplesPerPixel,
    ExifTags.Base.TileOffsets,
    ExifTags.Base.TileByteCounts,
)
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation="[0-9]"|<tiff:Orientation>[0-9]</tiff:Orientation>')
_MAX_BLOCK_BYTES = 65_000


def kept(source: Source, rendition: Rendition) -> tuple[Options, str, list[str]]:
    """The encoder's options, the words for the receipt, and warnings."""
    wanted, encoder = rendition.output.metadata, rendition.encoder
    if wanted == "strip":
        return {}, "stripped", []
    if not encoder.metadata:
        return {}, "stripped", [f"{rendition.format.name} holds no metadata; none was kept."]
    options = _rights(source) if wanted == "copyright" else _everything(source)
    warnings: list[str] = []
    for name, block in list(options.items()):
        if len(block) > _MAX_BLOCK_BYTES:
            del options[name]
            warnings.append(f"The {name.upper()} data is too large and was left out.")
    if "xmp" in options:
        options |= encoder.xmp(options.pop("xmp"))
    done = "artist and copyright kept" if wanted == "copyright" else "kept"
    return options, done if options else "none found", warnings


def _rights(source: Source) -> Options:
    rights = Image.Exif()
    for tag, text in _RIGHTS.items():
        value = (source.exif.get(tag) if source.exif else None) or source.info.get(text)
        if value:
            rights[tag] = str(value)
    return {"exif": rights.tobytes()} if len(rights) else {}


def _everything(source: Source) -> Options:
    options: dict[str, Any] = {}
    if source.exif:
        exif = Image.Exif()
        exif.load(source.exif.tobytes())
        for tag in _STALE:
            exif.pop(tag, None)
        if len(exif):
            options["exif"] = exif.tobytes()
    xmp = source.info.get("xmp")
    if isinstance(xmp, bytes) and xmp:
        options["xmp"] = _XMP_ORIENTATION.sub(b"", xmp)
    return options
