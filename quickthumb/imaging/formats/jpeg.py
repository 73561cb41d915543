"""JPEG (ITU T.81, annex B): any number of metadata segments, then the frame header, which holds the size."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from quickthumb.imaging.formats.blocks import COMMENT, EXIF, IPTC, RESOLUTION, Blocks
from quickthumb.imaging.formats.blocks import XMP as XMP_KIND
from quickthumb.imaging.formats.exif import MOST_BYTES, PREFIX, told_by_exif, told_by_xmp, turned
from quickthumb.imaging.formats.jpeg_segments import (
    END_OF_IMAGE,
    FRAMES,
    LS_FRAME,
    MOST_STEPS,
    START_OF_SCAN,
    Segment,
    segments,
)
from quickthumb.imaging.formats.row import Asked, Decoder, Encoder, Format, Header, Options
from quickthumb.imaging.formats.watch import Steps
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, TooManyParts, UnsupportedImage
from quickthumb.model.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from quickthumb.imaging.formats.recovery import Failed, Recovered
    from quickthumb.imaging.formats.splice import Patched

# A marker with a segment behind it. Within a scan's data, 0xFF is followed by 0 or by the number of a restart.
SEGMENT = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
APP1 = 0xE1
APP13 = 0xED
# Start-of-frame markers of JPEGs without progression, whose first scan may be all there is.
SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
# Frames that are refined by others; and how much of a frame header tells all that matters here.
HIERARCHICAL = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})
FRAME_BYTES = 6
# A JPEG has one; a few programs continue a long block in further segments.
MOST_EXIF_BLOCKS = 4
# How much of a segment tells what there is to count.
SEGMENT_START_BYTES = 6
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
EXTENDED_PART_BYTES = 65_000
# What a segment has room for, beside the name of its content.
MOST_BLOCK_BYTES = 65_400

# How much of a file Pillow hands to libjpeg at once, in place of 64 KiB: near the end of each block, libjpeg looks at
# every byte for the end, which takes it twice as long. A small file is handed over whole (`decoders.SMALL_BYTES`).
READ_BYTES = 1024 * 1024
# With more pixels than this, a JPEG gets the standard Huffman tables instead of optimized ones.
OWN_TABLES_PIXELS = 150_000


def read_header(window: Window) -> Header:
    """The size from the frame header, and the orientation from the EXIF or XMP segments before the first scan: nearly
    always, EXIF comes before the size too."""
    told, found = _Told(window), segments(window)
    for marker, start, length in found:
        if marker in FRAMES or marker == LS_FRAME:
            fields = window.at(start, FRAME_BYTES)
            _refuse_strange(marker, fields)
            height, width = int.from_bytes(fields[1:3], "big"), int.from_bytes(fields[3:5], "big")
            header = Header("jpeg", width, height, told.orientation)
            return header if told.exif else turned(header, partial(told.take_all, found))
        told.take(marker, start, length)
    raise BrokenImage("The image is damaged: the JPEG has no frame header.")


class _Told:
    """What segments say of the orientation. As in Pillow, EXIF counts first, then the last XMP; a block of EXIF goes on
    in further segments."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._xmp = (0, 0)
        self.exif = b""

    def take(self, marker: int, start: int, length: int) -> None:
        if marker != APP1:
            return
        name = self._window.at(start, min(length, len(XMP)))
        if name.startswith(PREFIX) and len(self.exif) < MOST_BYTES:
            self.exif += self._window.at(start, length)[len(PREFIX) if self.exif else 0 :]
        elif name == XMP:
            self._xmp = start, length

    def take_all(self, found: Iterator[Segment]) -> int:
        for segment in found:
            self.take(*segment)
        return self.orientation

    @property
    def orientation(self) -> int:
        return told_by_exif(self.exif) or told_by_xmp(self._window.at(*self._xmp))


def _refuse_strange(marker: int, fields: bytes) -> None:
    """Raises UnsupportedImage for a frame that libjpeg or Pillow cannot read."""
    if marker in HIERARCHICAL:
        raise UnsupportedImage("This JPEG is hierarchical, which is not supported.")
    if marker == LS_FRAME:
        raise UnsupportedImage("This is a JPEG-LS, which is not supported.")
    if fields[0] != 8:
        raise UnsupportedImage(f"This JPEG has {fields[0]}-bit samples, which are not supported.")
    if fields[5] not in (1, 3, 4):
        raise UnsupportedImage(f"This JPEG has {fields[5]} colors per pixel, which is not supported.")


class _Parts:
    """Counts what makes a JPEG slow. Each scan goes over the whole picture, however few bytes it has."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._frame = self._colors = self._scans = self._most_scans = self._exif_blocks = 0

    def frame(self, marker: int, start: bytes) -> None:
        """Takes a frame header. Raises BrokenImage for the second one."""
        if self._frame:
            raise BrokenImage("The image is damaged: the JPEG has two frame headers.")
        self._frame, self._colors = marker, start[5]
        height, width = int.from_bytes(start[1:3], "big"), int.from_bytes(start[3:5], "big")
        self._most_scans = self._limits.scans(width * height)

    def exif(self) -> None:
        """Takes a block of EXIF. Raises TooManyParts."""
        self._exif_blocks += 1
        if self._exif_blocks > MOST_EXIF_BLOCKS:
            raise TooManyParts(f"The JPEG has too many blocks of EXIF; at most {MOST_EXIF_BLOCKS} are accepted.")

    def scan(self, colors: int) -> bool:
        """Takes a scan; returns whether libjpeg reads no other. Raises TooManyParts.

        libjpeg reads no scan before the frame header. A wrong length may hide that: the file is then looked through
        again, without the segment that says so, before any decoder sees it.
        """
        if not self._frame:
            return False
        self._scans += 1
        if self._scans > self._most_scans:
            raise TooManyParts(f"The JPEG has too many scans; at most {self._most_scans} are accepted at its size.")
        return self._frame in SEQUENTIAL and colors == self._colors


def watch(limits: Limits) -> Steps:
    """Counts segments and scans, as libjpeg reads them, up to the end of the image: a phone may append a video."""
    parts = _Parts(limits)
    skipped = 2
    for _ in range(MOST_STEPS):
        marker = (yield skipped, SEGMENT)[1]
        if marker == END_OF_IMAGE:
            return
        length = int.from_bytes((yield 0, 2), "big") - 2
        start = yield 0, min(max(0, length), SEGMENT_START_BYTES)
        if marker in FRAMES and len(start) == SEGMENT_START_BYTES:
            parts.frame(marker, start)
        elif start == PREFIX and marker == APP1:
            parts.exif()
        elif marker == START_OF_SCAN and parts.scan(start[0] if start else 0):
            return
        skipped = max(0, length - len(start))
    raise TooManyParts(f"The JPEG has too many segments; at most {MOST_STEPS} are accepted.")


def load_at_scale(image: Image.Image, draft: int) -> tuple[float, float]:
    """Decodes an opened file at 1/`draft` of its size; returns the scale across and down."""
    width, height = image.size
    if not getattr(image, "quantization", None):
        draft = 1  # a lossless JPEG, which libjpeg decodes only at its full size
    if draft > 1:
        image.draft(None, (width // draft, height // draft))
    if image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow treats every CMYK JPEG as Adobe's, which stores ink inverted. Without Adobe's marker, ink is not
        # inverted.
        image.tile = [tile._replace(args=("CMYK", "")) for tile in image.tile]  # type: ignore[attr-defined]
    image.decodermaxblock = READ_BYTES  # type: ignore[attr-defined]
    image.load()
    return 1 / draft, 1 / draft


def _mend(path: Path, limits: Limits) -> Patched | None:
    from quickthumb.imaging.formats.jpeg_recovery import mend

    return mend(path, limits)


def _recover(failed: Failed) -> Recovered:
    from quickthumb.imaging.formats.jpeg_recovery import recover

    return recover(failed)


# libjpeg's own limit (JPEG_MAX_DIMENSION), a little below what the format could hold.
MAX_SIDE = 65_500


def _options(asked: Asked) -> Options:
    # From quality 90 on, colors keep their full resolution too. Optimized Huffman tables save a thumbnail 8 % of its
    # bytes, but a picture of a megapixel only 1 %, and double its encoding time.
    subsampling = 0 if (asked.quality or 0) >= 90 else 2
    return {"quality": asked.quality, "optimize": asked.pixels <= OWN_TABLES_PIXELS, "subsampling": subsampling}


def _embed(blocks: Blocks) -> Options:
    """What Pillow has no option for, or not in this order, goes into `extra` as whole segments."""
    segments = [(APP1, XMP + blocks.xmp)] if blocks.xmp else []
    segments += [(APP1, part) for part in _extended_parts(blocks.extended_xmp)]
    segments += [(APP13, blocks.iptc)] if blocks.iptc else []
    extra = b"".join(bytes((0xFF, kind)) + (len(part) + 2).to_bytes(2, "big") + part for kind, part in segments)
    options = {
        "exif": PREFIX + blocks.exif if blocks.exif else b"",
        "extra": extra,
        "comment": blocks.comment,
        "dpi": blocks.resolution,
    }
    return {name: value for name, value in options.items() if value}


def _extended_parts(packet: bytes) -> list[bytes]:
    """The content of the segments of an extended packet (XMP specification, part 3, section 1.1.3.1)."""
    digest = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    head = EXTENDED_XMP + digest + len(packet).to_bytes(4, "big")
    starts = range(0, len(packet), EXTENDED_PART_BYTES)
    return [head + at.to_bytes(4, "big") + packet[at : at + EXTENDED_PART_BYTES] for at in starts]


JPEG = Format(
    name="jpeg",
    media_type="image/jpeg",
    extensions=("jpg", "jpeg", "jpe", "jfif"),
    signatures=(b"\xff\xd8\xff",),
    read_header=read_header,
    # Pillow opens Ultra HDR and stereo files as MPO, through its JPEG decoder.
    decoder=Decoder(
        pillow=("JPEG", "MPO"),
        takes_file=True,
        load_at_scale=load_at_scale,
        watch=watch,
        mend=_mend,
        recover=_recover,
    ),
    encoder=Encoder(
        "JPEG",
        _options,
        alpha=False,
        animation=False,
        quality=80,
        max_side=MAX_SIDE,
        holds=frozenset({EXIF, XMP_KIND, IPTC, COMMENT, RESOLUTION}),
        most_block_bytes=MOST_BLOCK_BYTES,
        embed=_embed,
    ),
)
