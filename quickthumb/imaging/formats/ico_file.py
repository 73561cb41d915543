"""Pillow's reader of ICO, with what browsers do: of several pictures of one size, they show the one with most colors.

Pillow takes the one with fewest. It also believes the directory where the picture itself knows better: how many bits a
pixel has, and where the mask begins.
"""

import io
from typing import IO, Any

from PIL import IcoImagePlugin, Image, PngImagePlugin

from quickthumb.imaging.formats.bmp import CORE_HEADER
from quickthumb.imaging.formats.png_chunks import SIGNATURE

NAME = "QUICKTHUMB_ICO"
_HEADER_BYTES = 40
_WITH_ALPHA = 32
_WITH_MASK = 24


class Icons(IcoImagePlugin.IcoFile):
    """The pictures of an icon: the largest first, and of equally large ones, that with most colors."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        found = [_as_stored(file, entry) for entry in self.entry]
        self.entry = sorted(found, key=lambda entry: (entry.square, entry.bpp), reverse=True)

    def frame(self, idx: int) -> Image.Image:
        """As Windows and browsers do, takes the mask of a bitmap whose alpha is zero everywhere: it was never set."""
        picture, entry = super().frame(idx), self.entry[idx]
        if isinstance(picture, PngImagePlugin.PngImageFile) or entry.bpp != _WITH_ALPHA:
            return picture
        if picture.getchannel("A").getextrema() == (0, 0):
            del picture
            self.entry[idx] = entry._replace(bpp=_WITH_MASK)
            return super().frame(idx)
        return picture


class IconFile(IcoImagePlugin.IcoImageFile):
    """An opened ICO."""

    def _open(self) -> None:
        file: Any = self.fp
        self.ico = Icons(file)
        self.info["sizes"] = self.ico.sizes()
        self.size = self.ico.entry[0].dim
        self.load()


def _as_stored(file: IO[bytes], entry: IcoImagePlugin.IconHeader) -> IcoImagePlugin.IconHeader:
    """An entry of the directory with the bits of its picture, and with its length, at whose end Pillow looks for the
    mask. Where a file ends before that, its own word counts."""
    file.seek(entry.offset)
    header = file.read(_HEADER_BYTES)
    if header.startswith(SIGNATURE):
        return entry._replace(bpp=entry.bpp or _WITH_ALPHA)
    if len(header) < _HEADER_BYTES or int.from_bytes(header[:4], "little") == CORE_HEADER:
        return entry
    bits, length = _measured(header)
    is_there = entry.offset + length <= file.seek(0, io.SEEK_END)
    return entry._replace(bpp=bits, size=length if is_there else entry.size)


def _measured(header: bytes) -> tuple[int, int]:
    """The bits of a pixel, and the bytes of a bitmap with its mask, whose rows are as many."""
    head, width, doubled = (int.from_bytes(header[at : at + 4], "little") for at in (0, 4, 8))
    bits, colors = int.from_bytes(header[14:16], "little"), int.from_bytes(header[32:36], "little")
    palette = 4 * (colors or 1 << bits) if bits <= 8 else 0
    stride = (width * bits + 31) // 32 * 4 + (width + 31) // 32 * 4
    return bits, head + palette + stride * (doubled // 2)


def set_up() -> None:
    """Registers this reader with Pillow under a name of its own, beside Pillow's."""
    Image.register_open(NAME, IconFile, lambda prefix: prefix.startswith(b"\0\0\1\0"))
