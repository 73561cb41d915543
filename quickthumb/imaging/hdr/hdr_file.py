"""Writes a JPEG with a gain map: the picture, with its index and its claims, and the map right behind it.

It works on the bytes of an encoded JPEG, whatever that JPEG says of itself already: a profile, EXIF, XMP.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from quickthumb.imaging.formats.exif import PREFIX as EXIF
from quickthumb.imaging.formats.jpeg import XMP
from quickthumb.imaging.formats.window import Seeking
from quickthumb.imaging.hdr import packet
from quickthumb.imaging.hdr.apple_note import with_note
from quickthumb.imaging.hdr.multi_picture import SEGMENT_BYTES, index_segment
from quickthumb.imaging.hdr.segments import APP0, APP1, MOST_BYTES, START_OF_IMAGE, Segment, head, written

_COPIED_BYTES = 1024 * 1024


class NoRoomForClaims(ValueError):
    """The metadata of the picture leaves no room for what says that there is a gain map."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A gain map on its way into a file: the whole JPEG of it, the segments that the picture must have for it, whether
    the picture's XMP must say that there is one, and the note that its EXIF must have, if any."""

    jpeg: bytes
    base_metadata: tuple[bytes, ...]
    in_xmp: bool
    apple_note: bytes = b""

    def join(self, picture: BinaryIO, into: BinaryIO) -> None:
        """Writes the JPEG in `picture`, with all that is needed, and the map behind it. Raises NoRoomForClaims."""
        segments = list(_leading(head(Seeking(picture), 0)))
        end = segments[-1].end if segments else len(START_OF_IMAGE)
        lead = b"".join((START_OF_IMAGE, *self._lead(picture, segments), *self.base_metadata))
        rest_bytes = picture.seek(0, os.SEEK_END) - end
        into.write(lead)
        into.write(index_segment(len(lead), len(lead) + SEGMENT_BYTES + rest_bytes, len(self.jpeg)))
        picture.seek(end)
        shutil.copyfileobj(picture, into, _COPIED_BYTES)
        into.write(self.jpeg)

    def _lead(self, picture: BinaryIO, segments: list[Segment]) -> Iterator[bytes]:
        """The metadata that the picture begins with: JFIF, EXIF, XMP and the rest, with what the map needs."""
        exif = xmp = b""
        rest: list[bytes] = []
        for segment in segments:
            content = _content(picture, segment)
            if segment.marker == APP0:
                yield written(APP0, content)
            elif segment.named(APP1, EXIF) and not exif:
                exif = content
            elif segment.named(APP1, XMP) and not xmp:
                xmp = content
            else:
                rest.append(written(segment.marker, content))
        yield from self._claims(exif, xmp)
        yield from rest

    def _claims(self, exif: bytes, xmp: bytes) -> Iterator[bytes]:
        exif = with_note(exif, self.apple_note) if self.apple_note else exif
        xmp = XMP + packet.with_gain_map(xmp.removeprefix(XMP), len(self.jpeg)) if self.in_xmp else xmp
        for content in filter(None, (exif, xmp)):
            if len(content) > MOST_BYTES:
                raise NoRoomForClaims
            yield written(APP1, content)


def with_metadata(jpeg: bytes, segments: Iterable[bytes]) -> bytes:
    """An encoded JPEG with more segments, behind its first one."""
    first = 2 + 2 + int.from_bytes(jpeg[4:6], "big")
    return jpeg[:first] + b"".join(segments) + jpeg[first:]


def _leading(segments: Iterable[Segment]) -> Iterable[Segment]:
    """The metadata that a JPEG begins with."""
    for segment in segments:
        if not segment.is_metadata:
            return
        yield segment


def _content(file: BinaryIO, segment: Segment) -> bytes:
    file.seek(segment.content)
    return file.read(segment.end - segment.content)
