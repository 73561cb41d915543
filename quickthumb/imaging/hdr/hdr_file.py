"""Writes a JPEG with a gain map: the picture, with its index and its claims, and the map right behind it.

It works on the bytes of an encoded JPEG, whatever that JPEG says of itself already: a profile, EXIF, XMP.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from quickthumb.imaging.formats.jpeg import XMP
from quickthumb.imaging.formats.row import Seeking
from quickthumb.imaging.hdr import packet
from quickthumb.imaging.hdr.multi_picture import SEGMENT_BYTES, index_segment
from quickthumb.imaging.hdr.segments import APP0, APP1, MOST_BYTES, START_OF_IMAGE, Segment, head, written

_COPIED_BYTES = 1024 * 1024


class NoRoomForClaims(ValueError):
    """The XMP of the picture leaves no room for what says that there is a gain map."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A gain map on its way into a file: the whole JPEG of it, the segments that the picture must have for it, and
    whether the picture's XMP must say that there is one."""

    jpeg: bytes
    base_metadata: tuple[bytes, ...]
    in_xmp: bool

    def join(self, picture: BinaryIO, into: BinaryIO) -> None:
        """Writes the JPEG in `picture`, with all that is needed, and the map behind it. Raises NoRoomForClaims."""
        segments = list(_leading(head(Seeking(picture), 0)))
        end = segments[-1].end if segments else len(START_OF_IMAGE)
        lead = START_OF_IMAGE + b"".join(self._lead(picture, segments)) + b"".join(self.base_metadata)
        rest_bytes = picture.seek(0, 2) - end
        into.write(lead)
        into.write(index_segment(len(lead), len(lead) + SEGMENT_BYTES + rest_bytes, len(self.jpeg)))
        picture.seek(end)
        shutil.copyfileobj(picture, into, _COPIED_BYTES)
        into.write(self.jpeg)

    def _lead(self, picture: BinaryIO, segments: list[Segment]) -> list[bytes]:
        """The segments that the picture begins with; its XMP comes behind its EXIF and says that there is a map."""
        if not self.in_xmp:
            return [_bytes(picture, segment) for segment in segments]
        xmp = [_bytes(picture, segment)[4 + len(XMP) :] for segment in segments if segment.named(APP1, XMP)]
        others = [segment for segment in segments if not segment.named(APP1, XMP)]
        first = [segment for segment in others if segment.marker in (APP0, APP1)]
        content = XMP + packet.with_gain_map(xmp[0] if xmp else None, len(self.jpeg))
        if len(content) > MOST_BYTES:
            raise NoRoomForClaims
        rest = [segment for segment in others if segment not in first]
        return [
            *(_bytes(picture, segment) for segment in first),
            written(APP1, content),
            *(_bytes(picture, segment) for segment in rest),
        ]


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


def _bytes(file: BinaryIO, segment: Segment) -> bytes:
    file.seek(segment.start)
    return file.read(segment.end - segment.start)
