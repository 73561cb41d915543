"""Location in XMP (ISO 16684-1): properties whose names say so, as elements or as attributes, become spaces.

Every vocabulary counts: EXIF's `exif:GPSLatitude`, those of drones and of geography, under any prefix. Names of places
that people wrote into a caption, such as `photoshop:City`, are no coordinates and stay.
"""

import hashlib
import re
from collections.abc import Iterator

from quickthumb.imaging.location.patches import SPACE, Patch, Stretch

# A longer packet is blanked without a look into it.
MOST_PACKET_BYTES = 16 * 1024 * 1024
MOST_SPANS = 500
# Looking for names takes longer than reading.
STEP_BYTES = 64

_NAME = (
    rb"(?!xmlns:)(?:[\w.-]{1,80}:)?(?:[\w.-]{0,80}?(?:gps|latitude|longt?itude|iso6709|geotag)[\w.-]{0,80})"
    rb"|(?:gps|geo|geo84|wgs84|wgs84_pos|georss|gml):[\w.-]{1,80}"
)
LOCATED = re.compile(rb"[<\s](" + _NAME + rb")(?=[\s=>/])", re.IGNORECASE)
LOCATED_NAME = re.compile(_NAME, re.IGNORECASE)
_VALUE = re.compile(rb"""\s*=\s*(?:"[^"]*"|'[^']*'|(["']))""")

Span = tuple[int, int]


def find_in_xmp(packet: Stretch) -> Iterator[Patch]:
    """Location in an XMP packet."""
    if packet.length > MOST_PACKET_BYTES:
        yield from packet.blank(SPACE)
        return
    packet.spend(packet.length // STEP_BYTES)
    for begin, end in spans(packet.at(0, packet.length)):
        yield from packet.patch(begin, end - begin, SPACE)


def spans(packet: bytes) -> list[Span]:
    """Where a packet holds location. All of it, if it holds some and is not in UTF-8, or holds very much."""
    if b"\0" in packet:
        return [(0, len(packet))] if LOCATED.search(packet.replace(b"\0", b"")) else []
    found: list[Span] = []
    at = 0
    while match := LOCATED.search(packet, at):
        span = _element(packet, match) if match[0][:1] == b"<" else _attribute(packet, match)
        at = span[1] if span else match.end()
        found += [span] if span else []
        if len(found) > MOST_SPANS:
            return [(0, len(packet))]
    return found


def _element(packet: bytes, match: re.Match[bytes]) -> Span:
    """An element with all that is in it; up to the end of the packet if the element does not end."""
    head = packet.find(b">", match.end())
    if head < 0:
        return match.start(), len(packet)
    if packet[head - 1 : head] == b"/":
        return match.start(), head + 1
    tail = re.compile(rb"</" + re.escape(match[1]) + rb"\s*>").search(packet, head)
    return match.start(), tail.end() if tail else len(packet)


def _attribute(packet: bytes, match: re.Match[bytes]) -> Span | None:
    """An attribute with its value; None if it is text that only looks like one."""
    value = _VALUE.match(packet, match.end())
    if value is None:
        return None
    return match.start(1), len(packet) if value[1] else value.end()


def new_digest(packet: bytes) -> bytes | None:
    """The MD5 in hexadecimal of a packet without location; None if it holds none."""
    found = spans(packet)
    if not found:
        return None
    patched = bytearray(packet)
    for begin, end in found:
        patched[begin:end] = SPACE * (end - begin)
    return hashlib.md5(patched, usedforsecurity=False).hexdigest().upper().encode()
