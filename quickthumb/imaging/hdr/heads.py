"""What the heads of the JPEGs of one file say: of gain maps, of each other, and of their sizes."""

import contextlib
from dataclasses import dataclass, field

from quickthumb.imaging.formats.exif import PREFIX as EXIF
from quickthumb.imaging.formats.jpeg import SEQUENTIAL, XMP
from quickthumb.imaging.formats.jpeg_segments import FRAMES, MOST_STEPS, START_OF_SCAN
from quickthumb.imaging.formats.window import Window
from quickthumb.imaging.hdr import multi_picture, packet
from quickthumb.imaging.hdr.multi_picture import Place
from quickthumb.imaging.hdr.packet import APPLE_AUXILIARY, APPLE_GAIN_MAP, APPLE_PIXELS, GAIN_MAP, NotReadable, Packet
from quickthumb.imaging.hdr.segments import APP1, APP2, ISO_GAIN_MAP, MULTI_PICTURE, PROFILE, Segment, head
from quickthumb.imaging.orientation import Size
from quickthumb.model.errors import BrokenImage

# What says how to apply a map is a few hundred bytes, and a color profile. No map needs as many segments as this.
MOST_METADATA_BYTES = 256 * 1024
_MOST_MAP_STEPS = 256


@dataclass(slots=True)
class Head:
    """What one head says. `iso` are its segments of ISO 21496-1, `metadata` all of a map that say how to apply it, both
    as they stand in the file. `others` are the places of further pictures. `size` is in
    pixels, `colors` the number of components, and `in_scans` says that there are several scans. `end` is where the head
    ends."""

    packet: Packet = field(default_factory=Packet)
    iso: list[bytes] = field(default_factory=list)
    metadata: list[bytes] = field(default_factory=list)
    others: list[Place] = field(default_factory=list)
    exif: bytes = b""
    size: Size = (0, 0)
    colors: int = 0
    in_scans: bool = False
    end: int = 0

    @property
    def in_xmp(self) -> bool:
        """Whether the XMP speaks of a gain map, in the picture as in the map."""
        return self.packet.value(GAIN_MAP, "Version") is not None

    @property
    def is_apples(self) -> bool:
        told = self.packet.value(APPLE_PIXELS, "AuxiliaryImageType")
        return told == APPLE_AUXILIARY or self.packet.value(APPLE_GAIN_MAP, "HDRGainMapVersion") is not None

    def take(self, window: Window, segment: Segment) -> None:
        """Reads a segment; of those that a head has once, the first."""
        content = (segment.content, segment.end - segment.content)
        self.end = segment.end
        if segment.marker in FRAMES:
            fields = window.at(segment.content, 6)
            self.size = int.from_bytes(fields[3:5], "big"), int.from_bytes(fields[1:3], "big")
            self.colors, self.in_scans = fields[5], segment.marker not in SEQUENTIAL
        elif segment.marker == START_OF_SCAN:
            self.in_scans = self.in_scans or not segment.name.startswith(bytes((self.colors,)))
        elif segment.named(APP1, EXIF):
            self.exif = self.exif or window.at(*content)
        elif segment.named(APP1, XMP) and not self.packet.properties:
            with contextlib.suppress(NotReadable):
                self.packet = packet.read(window.at(*content)[len(XMP) :])
        elif segment.named(APP2, ISO_GAIN_MAP):
            self.iso = self.iso or [window.at(segment.start, segment.end - segment.start)]
        elif segment.named(APP2, MULTI_PICTURE) and not self.others:
            start = segment.content + len(MULTI_PICTURE)
            self.others = multi_picture.other_pictures(window.at(start, segment.end - start), start)


def read_first(window: Window) -> Head:
    """The head of the picture that a file begins with. Raises BrokenImage."""
    told = Head()
    for segment in head(window, 0, MOST_STEPS):
        told.take(window, segment)
    return told


def read_map(window: Window, start: int) -> Head:
    """The head of the JPEG at `start`, which may be a gain map. Raises BrokenImage if it is none of a sensible size."""
    told, most = Head(), MOST_METADATA_BYTES
    for segment in head(window, start, _MOST_MAP_STEPS):
        told.take(window, segment)
        if _tells_how(segment):
            told.metadata.append(window.at(segment.start, segment.end - segment.start))
            most -= len(told.metadata[-1])
            if most < 0:
                raise BrokenImage("The image is damaged: its gain map tells too much.")
    return told


def _tells_how(segment: Segment) -> bool:
    """Whether a segment of a map says how to apply it. The profile is that of the HDR picture."""
    return segment.named(APP1, XMP) or segment.named(APP2, ISO_GAIN_MAP) or segment.named(APP2, PROFILE)
