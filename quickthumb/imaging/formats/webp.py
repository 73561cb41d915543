"""WebP (RFC 9649): lossy, lossless, or extended with a canvas, animation and metadata."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from quickthumb.imaging.formats.exif import MOST_BYTES, told_by_exif, told_by_xmp, turned
from quickthumb.imaging.formats.row import Asked, Decoder, Encoder, Format, Header, Options, count_with_pillow
from quickthumb.imaging.formats.splice import Patched
from quickthumb.imaging.formats.window import Seeking, Window
from quickthumb.model.errors import BrokenImage
from quickthumb.model.limits import Limits

if TYPE_CHECKING:
    from PIL import Image

CHUNKS_START = 12
CONTENT_START = 20
# The offset behind the chunk that holds the canvas size. One chunk per frame follows, and a few more.
NEXT_CHUNK = CONTENT_START + 10
MOST_CHUNKS = 4096
# Flags of the extended format: the file holds EXIF, or XMP.
METADATA_FLAGS = 0x08 | 0x04
ALPHA_FLAG = 0x10
ANIMATION_FLAG = 0x02


def read_header(window: Window) -> Header:
    """The size from the first chunk; the orientation if the metadata, which come after the pixels, have arrived."""
    chunk = window.at(CHUNKS_START, 4)
    length = int.from_bytes(window.at(CHUNKS_START + 4, 4), "little")
    if chunk == b"VP8X" and length >= 10:
        return _extended(window)
    if chunk == b"VP8L" and length >= 5:
        return _lossless(window.at(CONTENT_START, 5))
    if chunk == b"VP8 " and length >= 10:
        return _lossy(window.at(CONTENT_START, 10))
    raise BrokenImage("The image is damaged: the WebP does not begin with an image.")


def _extended(window: Window) -> Header:
    fields = window.at(CONTENT_START, 10)
    width, height = int.from_bytes(fields[4:7], "little"), int.from_bytes(fields[7:10], "little")
    header = Header("webp", width + 1, height + 1)
    return turned(header, partial(_orientation, window)) if fields[0] & METADATA_FLAGS else header


def _lossless(fields: bytes) -> Header:
    if fields[0] != 0x2F:
        raise BrokenImage("The image is damaged: the WebP's lossless data has no signature.")
    bits = int.from_bytes(fields[1:5], "little")
    return Header("webp", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))


def _lossy(fields: bytes) -> Header:
    if fields[3:6] != b"\x9d\x01\x2a":
        raise BrokenImage("The image is damaged: the WebP's data has no start code.")
    # The two highest bits of each side are a hint for upscaling.
    width, height = int.from_bytes(fields[6:8], "little"), int.from_bytes(fields[8:10], "little")
    return Header("webp", width & 0x3FFF, height & 0x3FFF)


def _orientation(window: Window) -> int:
    """What the first chunk of EXIF says, or else the first one of XMP: they may come in any order."""
    offset, end = NEXT_CHUNK, 8 + int.from_bytes(window.at(4, 4), "little")
    found: dict[bytes, bytes] = {}
    for _ in range(MOST_CHUNKS):
        if offset + 8 > end:
            break
        chunk = window.at(offset, 8)
        name, length = chunk[:4], int.from_bytes(chunk[4:], "little")
        if name in (b"EXIF", b"XMP ") and name not in found:
            found[name] = window.at(offset + 8, min(length, MOST_BYTES))
            if told := told_by_exif(found.get(b"EXIF", b"")):
                return told
        offset += 8 + length + length % 2
    return told_by_xmp(found.get(b"XMP ", b""))


def _mend(path: Path, _: Limits) -> Patched | None:
    """The file with its true length in its header, if it says another one but has whole chunks.

    None for an animation that should be longer: frames may be missing. Of a still, only metadata can be.
    """
    with path.open("rb") as file:
        window, length = Seeking(file), file.seek(0, os.SEEK_END)
        head = window.at(0, CHUNKS_START)
        told, real = int.from_bytes(head[4:8], "little"), (length - 8) // 2 * 2
        if told == real or not _has_whole_chunks(window, length) or (told > real and _is_animated(window)):
            return None
    head = head[:4] + real.to_bytes(4, "little") + head[8:]
    return Patched(
        path, head=head, begin=CHUNKS_START, reason="The length in the header of the WebP is wrong and was ignored."
    )


def _is_animated(window: Window) -> bool:
    return window.at(CHUNKS_START, 4) == b"VP8X" and bool(window.at(CONTENT_START, 1)[0] & ANIMATION_FLAG)


def _has_whole_chunks(window: Window, end: int) -> bool:
    offset = content_end = CHUNKS_START
    for _ in range(MOST_CHUNKS):
        if offset + 8 > end:
            break
        length = int.from_bytes(window.at(offset + 4, 4), "little")
        content_end = offset + 8 + length
        offset = content_end + length % 2
    return content_end <= end <= offset


def _options(asked: Asked) -> Options:
    if asked.lossless:
        return {"lossless": True, "quality": 75, "method": 4, "exact": True}
    return {"quality": asked.quality, "method": 4}


def _mark_alpha(file: BinaryIO, frames: Sequence[Image.Image]) -> None:
    """Says in the header that the animation has transparent pixels. libwebp says so only if a frame's data has; it cuts
    frames to what is visible, so what is left may be opaque, and readers would take the rest for black."""
    file.seek(0)
    start = file.read(CONTENT_START + 1)
    if start[CHUNKS_START:].startswith(b"VP8X") and any(frame.mode == "RGBA" for frame in frames):
        file.seek(CONTENT_START)
        file.write(bytes([start[CONTENT_START] | ALPHA_FLAG]))


WEBP = Format(
    name="webp",
    media_type="image/webp",
    extensions=("webp",),
    signatures=(b"RIFF????WEBP",),
    read_header=read_header,
    decoder=Decoder(pillow=("WEBP",), reads_whole=True, count_frames=count_with_pillow, mend=_mend),
    encoder=Encoder(
        "WEBP", _options, lossless=True, quality=80, gray=False, max_side=16_383, finish_animation=_mark_alpha
    ),
)
