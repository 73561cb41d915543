"""WebP (RFC 9649): lossy, lossless, or extended with a canvas."""

from quickthumb.imaging.headers.window import Header, Window
from quickthumb.model.errors import BrokenImage

CHUNKS_START = 12
CONTENT_START = 20


def read_webp(window: Window) -> Header:
    chunk = window.at(CHUNKS_START, 4)
    length = int.from_bytes(window.at(CHUNKS_START + 4, 4), "little")
    if chunk == b"VP8X" and length >= 10:
        return _canvas(window.at(CONTENT_START, 10))
    if chunk == b"VP8L" and length >= 5:
        return _lossless(window.at(CONTENT_START, 5))
    if chunk == b"VP8 " and length >= 10:
        return _lossy(window.at(CONTENT_START, 10))
    raise BrokenImage("The image is damaged: the WebP does not begin with an image.")


def _canvas(fields: bytes) -> Header:
    return Header("webp", 1 + int.from_bytes(fields[4:7], "little"), 1 + int.from_bytes(fields[7:10], "little"))


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
