"""Makes JPEGs with gain maps, and reads them, both from the specifications and without the code under test."""

import io
import struct
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

XMP = b"http://ns.adobe.com/xap/1.0/\0"
ISO = b"urn:iso:std:iso:ts:21496:-1\0"
MPF = b"MPF\0"
# The versions alone, as in a picture; and as in a map, with made-up numbers, which nobody reads.
ISO_OF_PICTURE = ISO + bytes(4)
ISO_OF_MAP = ISO + bytes(range(61))
MAP_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 5.1.2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"
   hdrgm:GainMapMin="-0.57609993" hdrgm:GainMapMax="4.7090898" hdrgm:Gamma="1" hdrgm:OffsetSDR="0.015625"
   hdrgm:OffsetHDR="0.015625" hdrgm:HDRCapacityMin="0" hdrgm:HDRCapacityMax="4.7090898"
   hdrgm:BaseRenditionIsHDR="False"/>
 </rdf:RDF>
</x:xmpmeta>"""
APPLE_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 6.0.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/"
   xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/">
   <HDRGainMap:HDRGainMapVersion>131072</HDRGainMap:HDRGainMapVersion>
   <HDRGainMap:HDRGainMapHeadroom>3.586164</HDRGainMap:HDRGainMapHeadroom>
   <apdi:AuxiliaryImageType>urn:com:apple:photo:2020:aux:hdrgainmap</apdi:AuxiliaryImageType>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""
PICTURE_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 5.1.2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
   xmlns:Container="http://ns.google.com/photos/1.0/container/"
   xmlns:Item="http://ns.google.com/photos/1.0/container/item/"
   xmlns:dc="http://purl.org/dc/elements/1.1/"
   xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0">
   <Container:Directory><rdf:Seq>
    <rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>
    <rdf:li rdf:parseType="Resource">
     <Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="{length}"/></rdf:li>
   </rdf:Seq></Container:Directory>
   <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">Jane Doe</rdf:li></rdf:Alt></dc:rights>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(picture: Image.Image, *segments: bytes, **options: object) -> bytes:
    """A JPEG with more segments behind its first one."""
    content = io.BytesIO()
    picture.save(content, "JPEG", **{"quality": 95, "subsampling": 0, **options})
    data = content.getvalue()
    first = 4 + struct.unpack(">H", data[4:6])[0]
    return data[:first] + b"".join(segments) + data[first:]


def index(before: int, places: list[tuple[int, int]]) -> bytes:
    """The MPF segment behind `before` bytes, for pictures of these offsets and lengths; in little-endian order."""
    entries = b""
    for number, (offset, length) in enumerate(places):
        entries += struct.pack("<IIIHH", 0 if number else 0x030000, length, offset - before - 8 if number else 0, 0, 0)
    directory = struct.pack("<H", 3)
    directory += struct.pack("<HHI4s", 0xB000, 7, 4, b"0100") + struct.pack("<HHII", 0xB001, 4, 1, len(places))
    directory += struct.pack("<HHIII", 0xB002, 7, len(entries), 8 + 2 + 36 + 4, 0)
    return segment(0xE2, MPF + b"II*\0\x08\0\0\0" + directory + entries)


def together(base: bytes, *others: bytes, indexed: bool = True) -> bytes:
    """One file of several JPEGs."""
    if not indexed:
        return b"".join((base, *others))
    lead = 4 + struct.unpack(">H", base[4:6])[0]
    extra = len(index(lead, [(lead + 8, 0)] * (1 + len(others))))
    places = [(0, len(base) + extra)]
    for other in others:
        places.append((sum(places[-1]), len(other)))
    return base[:lead] + index(lead, places) + b"".join((base[lead:], *others))


def ultra_hdr(picture: Image.Image, gain_map: Image.Image, *, indexed: bool = True, **options: object) -> bytes:
    """What Android's cameras write, with ISO 21496-1 beside the XMP."""
    the_map = jpeg(gain_map, segment(0xE1, XMP + MAP_XMP), segment(0xE2, ISO_OF_MAP))
    claims = segment(0xE1, XMP + PICTURE_XMP.format(length=len(the_map)).encode())
    return together(jpeg(picture, claims, segment(0xE2, ISO_OF_PICTURE), **options), the_map, indexed=indexed)


def iso(picture: Image.Image, gain_map: Image.Image, **options: object) -> bytes:
    """ISO 21496-1 alone."""
    return together(jpeg(picture, segment(0xE2, ISO_OF_PICTURE), **options), jpeg(gain_map, segment(0xE2, ISO_OF_MAP)))


def apple(picture: Image.Image, gain_map: Image.Image, xmp: bytes = APPLE_XMP, **options: object) -> bytes:
    """What iPhones export as JPEG."""
    return together(jpeg(picture, **options), jpeg(gain_map, segment(0xE1, XMP + xmp)))


@dataclass
class Picture:
    """One JPEG of a file: its metadata segments as (marker, content), and its bytes."""

    data: bytes
    segments: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def image(self) -> Image.Image:
        with Image.open(io.BytesIO(self.data), formats=["JPEG"]) as image:
            image.load()
            return image

    def named(self, name: bytes) -> list[bytes]:
        return [content[len(name) :] for _, content in self.segments if content.startswith(name)]


def pictures(path: Path) -> list[Picture]:
    """The pictures of a file, as its index says. Asserts that they follow each other without a gap, to the end."""
    data = path.read_bytes()
    first = Picture(data, _segments(data))
    (content,) = first.named(MPF)
    start = data.index(MPF + content) + len(MPF)
    order = {b"II*\0": "<", b"MM\0*": ">"}[content[:4]]
    (directory,) = struct.unpack(order + "I", content[4:8])
    (count,) = struct.unpack(order + "H", content[directory : directory + 2])
    tags = {}
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, _, length, value = struct.unpack(order + "HHII", content[at : at + 12])
        tags[tag] = (length, value)
    assert content[directory + 2 + 12 * count :][:4] == bytes(4)
    length, entries = tags[0xB002]
    assert (tags[0xB001][1], len(content)) == (length // 16, entries + length)
    found, end = [], 0
    for number in range(length // 16):
        attribute, size, offset = struct.unpack(order + "III", content[entries + 16 * number :][:12])
        assert attribute == (0 if number else 0x030000)
        offset = start + offset if number else 0
        assert offset == end
        end = offset + size
        one = data[offset:end]
        assert one[:2] == b"\xff\xd8"
        assert one[-2:] == b"\xff\xd9"
        found.append(Picture(one, _segments(one)))
    assert end == len(data)
    return found


def _segments(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 2
    while 0xE0 <= data[at + 1] <= 0xEF or data[at + 1] == 0xFE:
        length = struct.unpack(">H", data[at + 2 : at + 4])[0]
        found.append((data[at + 1], data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found
