"""Finds the gain map of a source.

A gain map is a small picture. There are three ways to say that a file has one: Ultra HDR (XMP of Adobe and Google,
https://developer.android.com/media/platform/hdr-image-format), ISO 21496-1, and Apple's own. A file may do it in
several. In a JPEG, the map is a second JPEG behind the first, and both must speak of it: an editor that changed the
picture and left the map there would otherwise make it shine in the wrong places.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from quickthumb.imaging.formats.jpeg import XMP
from quickthumb.imaging.formats.jpeg_segments import END_OF_IMAGE
from quickthumb.imaging.formats.window import Seeking, Window
from quickthumb.imaging.hdr import coded_maps
from quickthumb.imaging.hdr.apple_note import headroom_note
from quickthumb.imaging.hdr.heads import Head, read_first, read_map
from quickthumb.imaging.hdr.multi_picture import Place
from quickthumb.imaging.hdr.packet import APPLE_GAIN_MAP, GAIN_MAP
from quickthumb.imaging.hdr.segments import ISO_GAIN_MAP
from quickthumb.imaging.orientation import Size
from quickthumb.model.errors import BrokenImage

ULTRA_HDR, ISO, APPLE = "ultra-hdr", "iso-21496-1", "apple"
LOST = "The file says that it has an HDR gain map, but the map is missing."
_MOST_ITEMS = 16
_END_OF_PICTURE = bytes((0xFF, END_OF_IMAGE))
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in a JPEG file the map is, its size in pixels as stored, and what a JPEG made of it must say.

    `colors` is its number of components, and `in_scans` says that it has several scans. `metadata` are the segments
    that say how to apply the map, `base_metadata` those of the picture that say that there is one, all as they stand in
    the file; `in_xmp` says that the picture's XMP says so too. `apple_note` are the numbers that Apple's maps need;
    empty if there are none. `is_complete` is false if nothing says how to apply the map.
    """

    path: Path
    place: Place
    size: Size
    colors: int
    in_scans: bool
    metadata: tuple[bytes, ...]
    base_metadata: tuple[bytes, ...]
    in_xmp: bool
    apple_note: bytes
    is_complete: bool


@dataclass(frozen=True, slots=True)
class GainMap:
    """The gain map of a source: in which way the file tells of it, and where it is, for a JPEG."""

    kind: str
    spot: Spot | None = None


def find(image: Image.Image, path: Path) -> tuple[GainMap | None, list[str]]:
    """The gain map of an opened file, and warnings. Costs nothing for a JPEG that says nothing of other pictures."""
    try:
        if image.format in ("AVIF", "HEIF"):
            with path.open("rb") as file:
                kind = coded_maps.kind_of(Seeking(file), apple=APPLE, iso=ISO)
            return (GainMap(kind) if kind else None), []
        if image.format in ("JPEG", "MPO") and _may_have_one(image):
            with path.open("rb") as file:
                return _find_in_jpeg(path, Seeking(file), path.stat().st_size)
    except BrokenImage:  # whether the picture itself is broken, its decoder will tell
        pass
    return None, []


def _may_have_one(image: Image.Image) -> bool:
    if "mp" in image.info:
        return True
    segments = getattr(image, "applist", ())
    return any(content.startswith(ISO_GAIN_MAP) or _may_tell(content) for _, content in segments)


def _may_tell(content: bytes) -> bool:
    return content.startswith(XMP) and GAIN_MAP.encode() in content


def _find_in_jpeg(path: Path, window: Window, size_bytes: int) -> tuple[GainMap | None, list[str]]:
    base = read_first(window)
    for offset, length in _candidates(path, base, size_bytes):
        try:
            found = read_map(window, offset)
        except BrokenImage:
            continue
        if kind := _kind(base, found):
            end = min(offset + length, size_bytes) if length else size_bytes
            return GainMap(kind, _spot(path, (offset, end - offset), base, found)), []
    return None, [LOST] if base.in_xmp or base.iso else []


def _kind(base: Head, found: Head) -> str:
    """In which way both pictures say that the second is the gain map of the first; empty if they do not."""
    if base.in_xmp and (found.in_xmp or found.iso):
        return ULTRA_HDR
    if base.iso and (found.in_xmp or found.iso):
        return ISO
    return APPLE if found.is_apples else ""


def _spot(path: Path, place: Place, base: Head, found: Head) -> Spot:
    note = headroom_note(base.exif) if found.is_apples else b""
    told = found.packet.value(APPLE_GAIN_MAP, "HDRGainMapHeadroom") is not None
    return Spot(
        path=path,
        place=place,
        size=found.size,
        colors=found.colors,
        in_scans=found.in_scans,
        metadata=tuple(found.metadata),
        base_metadata=tuple(base.iso),
        in_xmp=base.in_xmp,
        apple_note=note,
        is_complete=bool(base.in_xmp or base.iso or note or told),
    )


def _candidates(path: Path, base: Head, size_bytes: int) -> Iterator[Place]:
    """Where the map may be: where the index of pictures says, or where the directory in the XMP says.

    The directory has lengths alone. They count from the end of the file; or, if something has been appended to it, from
    the end of the first picture, which has to be searched for.
    """
    yield from base.others
    items = [item for item in base.packet.items if item.get("Semantic")][:_MOST_ITEMS]
    lengths = [_length(item) for item in items]
    number = next((at for at, item in enumerate(items) if item["Semantic"] == "GainMap"), None)
    if number is None or not lengths[number]:
        return
    if (offset := size_bytes - sum(lengths[number:])) > 0:
        yield offset, lengths[number]
    if end := _end_of_first(path, base.end):
        yield end + sum(lengths[:number]), lengths[number]


def _length(item: dict[str, str]) -> int:
    """The bytes that an item of the directory takes behind the first picture, which may have padding."""
    return _whole_number(item.get("Padding" if item["Semantic"] == "Primary" else "Length"))


def _end_of_first(path: Path, start: int) -> int:
    """Where the first picture ends, of which the scans begin at `start`; 0 if it does not."""
    with path.open("rb") as file:
        file.seek(start)
        before = b""
        while block := file.read(_BLOCK_BYTES):
            start += len(block)
            if (at := (before + block).find(_END_OF_PICTURE)) >= 0:
                return start - len(block) - len(before) + at + len(_END_OF_PICTURE)
            before = block[-1:]
    return 0


def _whole_number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 10 else 0
