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
MOST_WORDS = 2000
# Some programs end a packet in UTF-8 with a few zeros.
UTF_16_SHARE = 0.25
# Looking for names takes longer than reading.
STEP_BYTES = 128

# What a name says that tells of location.
WORDS = (b"gps", b"latitude", b"longitude", b"longtitude", b"iso6709", b"geotag")
# Vocabularies that tell of nothing else.
PREFIXES = (b"gps:", b"geo:", b"geo84:", b"wgs84:", b"wgs84_pos:", b"georss:", b"gml:")
_NAME = (
    rb"(?!xmlns:)(?:(?:[\w.-]{1,80}:)?[\w.-]{0,80}?(?:" + b"|".join(WORDS) + rb")[\w.-]{0,80}"
    rb"|(?:" + b"|".join(PREFIXES) + rb")[\w.-]{1,80})"
)
LOCATED = re.compile(rb"[<\s](" + _NAME + rb")(?=[\s=>/])", re.IGNORECASE)
LOCATED_NAME = re.compile(_NAME, re.IGNORECASE)
LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-"
LONGEST_NAME = 250
# The coordinates in keywords that tagging programs write.
TAGS = re.compile(rb"geo:(?:lat|lon|long|lng|alt)=([-+.\d]{1,40})", re.IGNORECASE)
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
    if packet.count(0) > len(packet) * UTF_16_SHARE:
        return [(0, len(packet))] if LOCATED.search(packet.replace(b"\0", b"")) else []
    lower = packet.lower()
    starts = _starts(packet, lower)
    if len(starts) > MOST_WORDS:
        return [(0, len(packet))]
    found = [tag.span(1) for tag in TAGS.finditer(packet)] if b"geo:" in lower else []
    at = 0
    for start in starts:
        match = LOCATED.match(packet, start - 1) if start > at else None
        if match:
            span = _element(packet, match) if match[0][:1] == b"<" else _attribute(packet, match)
            at = span[1] if span else at
            found += [span] if span else []
    return found if len(found) <= MOST_SPANS else [(0, len(packet))]


def _starts(packet: bytes, lower: bytes) -> list[int]:
    """Where names that may tell of location begin, in order; more than MOST_WORDS if there are very many."""
    found: list[int] = []
    for word in WORDS + PREFIXES:
        at = lower.find(word)
        while at >= 0 and len(found) <= MOST_WORDS:
            before = packet[max(0, at - LONGEST_NAME) : at]
            found.append(at - len(before) + len(before.rstrip(LETTERS)))
            at = lower.find(word, at + len(word))
    return sorted(found)


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
