"""PNG (ISO 15948) and its animated kind, whose frames all lie within the size of the first chunk."""

from quickthumb.imaging.headers.window import Header, Window
from quickthumb.model.errors import BrokenImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_SIDE = 2**31 - 1


def read_png(window: Window) -> Header:
    return Header("png", *read_png_size(window, 0))


def read_png_size(window: Window, start: int) -> tuple[int, int]:
    """Width and height of the PNG whose signature is at `start`."""
    chunk = window.at(start + len(SIGNATURE), 16)
    if chunk[:8] != b"\x00\x00\x00\x0dIHDR":
        raise BrokenImage("The image is damaged: the PNG does not begin with its header.")
    width, height = int.from_bytes(chunk[8:12], "big"), int.from_bytes(chunk[12:16], "big")
    if max(width, height) > LARGEST_SIDE:
        raise BrokenImage("The image is damaged: the PNG's size is impossible.")
    return width, height
