"""Finds the gain map of a source.

A gain map is a small picture. There are three ways to say that a file has one: Ultra HDR (XMP of Adobe and Google,
https://developer.android.com/media/platform/hdr-image-format), ISO 21496-1, and Apple's own. A file may do it in
several. In a JPEG, the map is a second JPEG behind the first, and both must speak of it: an editor that changed the
picture and left the map there would otherwise make it shine in the wrong places.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from quickthumb.imaging.formats.jpeg import FRAMES, MOST_STEPS, XMP
from quickthumb.imaging.formats.row import Seeking, Window
from quickthumb.imaging.hdr import coded_maps, multi_picture, packet
from quickthumb.imaging.hdr.multi_picture import Place
from quickthumb.imaging.hdr.packet import APPLE_AUXILIARY, APPLE_GAIN_MAP, APPLE_PIXELS, GAIN_MAP, NotReadable, Packet
from quickthumb.imaging.hdr.segments import APP1, APP2, ISO_GAIN_MAP, MULTI_PICTURE, PROFILE, Segment, head
from quickthumb.imaging.orientation import Size
from quickthumb.model.errors import BrokenImage

ULTRA_HDR, ISO, APPLE = "ultra-hdr", "iso-21496-1", "apple"
LOST = "The file says that it has an HDR gain map, but the map is missing."
# What says how to apply a map is a few hundred bytes, and a color profile.
MOST_METADATA_BYTES = 256 * 1024
# Of a directory of files, and of the head of a map. Each is looked at.
_MOST_ITEMS, _MOST_SEGMENTS = 16, 256


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in a JPEG file the map is, its size in pixels as stored, and what a JPEG made of it must say.

    `metadata` are the segments that say how to apply the map, `base_metadata` those of the picture that say that there
    is one; all as they stand in the file. `in_xmp` says that the picture's XMP says so too. `is_complete` is false if
    a part of what says how to apply the map is elsewhere.
    """

    path: Path
    place: Place
    size: Size
    metadata: tuple[bytes, ...]
    base_metadata: tuple[bytes, ...]
    in_xmp: bool
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class GainMap:
    """The gain map of a source: in which way the file tells of it, and where it is, for a JPEG."""

    kind: str
    spot: Spot | None = None


@dataclass(slots=True)
class _Head:
    """What the head of one JPEG of a file says: of gain maps, of other pictures, and of its size."""

    packet: Packet = field(default_factory=Packet)
    iso: list[bytes] = field(default_factory=list)
    metadata: list[bytes] = field(default_factory=list)
    others: list[Place] = field(default_factory=list)
    size: Size = (0, 0)

    @property
    def in_xmp(self) -> bool:
        return self.packet.value(GAIN_MAP, "Version") is not None

    @property
    def is_apples(self) -> bool:
        told = self.packet.value(APPLE_PIXELS, "AuxiliaryImageType")
        return told == APPLE_AUXILIARY or self.packet.value(APPLE_GAIN_MAP, "HDRGainMapVersion") is not None


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
    base = _read_head(window, 0)
    for offset, length in _candidates(base, size_bytes):
        try:
            found = _read_head(window, offset)
        except BrokenImage:
            continue
        if kind := _kind(base, found):
            end = min(offset + length, size_bytes) if length else size_bytes
            return GainMap(kind, _spot(path, (offset, end - offset), base, found)), []
    return None, [LOST] if base.in_xmp or base.iso else []


def _kind(base: _Head, found: _Head) -> str:
    """In which way both pictures say that the second is the gain map of the first; empty if they do not."""
    tells_how = found.packet.value(GAIN_MAP, "GainMapMax") is not None
    if base.in_xmp and (tells_how or found.iso):
        return ULTRA_HDR
    if base.iso and (tells_how or found.iso):
        return ISO
    return APPLE if found.is_apples else ""


def _spot(path: Path, place: Place, base: _Head, found: _Head) -> Spot:
    is_complete = bool(base.in_xmp or base.iso)
    is_complete = is_complete or found.packet.value(APPLE_GAIN_MAP, "HDRGainMapHeadroom") is not None
    return Spot(path, place, found.size, tuple(found.metadata), tuple(base.iso), base.in_xmp, is_complete)


def _candidates(base: _Head, size_bytes: int) -> Iterator[Place]:
    """Where the map may be: where the index of pictures says, or where the directory in the XMP says.

    The lengths in the directory count from the end of the file, since the length of the first picture is not in it.
    """
    yield from base.others
    end = size_bytes
    items = [item for item in base.packet.items if item.get("Semantic")][:_MOST_ITEMS]
    for item in reversed(items):
        length, padding = _whole_number(item.get("Length")), _whole_number(item.get("Padding"))
        end -= length
        if item["Semantic"] == "GainMap" and 0 < length and 0 < end:
            yield end, length
        end -= padding


def _whole_number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 10 else 0


def _read_head(window: Window, start: int) -> _Head:
    """Reads a head. Raises BrokenImage if there is none, or if it tells too much."""
    told = _Head()
    most = MOST_METADATA_BYTES
    for segment in head(window, start, _MOST_SEGMENTS if start else MOST_STEPS):
        if segment.marker in FRAMES:
            fields = window.at(segment.content, 5)
            told.size = int.from_bytes(fields[3:5], "big"), int.from_bytes(fields[1:3], "big")
        elif segment.named(APP2, MULTI_PICTURE) and not told.others:
            index = segment.content + len(MULTI_PICTURE)
            told.others = multi_picture.other_pictures(window.at(index, segment.end - index), index)
        elif segment.named(APP1, XMP) and not told.packet.properties:
            with contextlib.suppress(NotReadable):
                told.packet = packet.read(window.at(segment.content, segment.end - segment.content)[len(XMP) :])
        if start and _tells_how(segment):
            most -= segment.end - segment.start
            told.metadata += [window.at(segment.start, segment.end - segment.start)] if most >= 0 else []
        if segment.named(APP2, ISO_GAIN_MAP) and not told.iso:
            told.iso.append(window.at(segment.start, segment.end - segment.start))
    if most < 0:
        raise BrokenImage("The image is damaged: its gain map tells too much.")
    return told


def _tells_how(segment: Segment) -> bool:
    """Whether a segment of a map says how to apply it. The profile is that of the HDR picture."""
    return segment.named(APP1, XMP) or segment.named(APP2, ISO_GAIN_MAP) or segment.named(APP2, PROFILE)
