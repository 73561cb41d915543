"""GIF (89a): the logical screen, widened to the first frame where that is larger, as decoders do."""

from quickthumb.imaging.headers.window import Header, Window
from quickthumb.model.errors import BrokenImage

# Blocks of at most 255 bytes before the first frame: 5 MB of comments and metadata.
MOST_BLOCKS = 20_000
EXTENSION = 0x21
FRAME = 0x2C
TRAILER = 0x3B


def read_gif(window: Window) -> Header:
    screen = window.at(6, 7)
    left, top, width, height = _numbers(window.at(_first_frame(window, 13 + _table_bytes(screen[4])) + 1, 8))
    return Header(
        "gif",
        max(int.from_bytes(screen[0:2], "little"), left + width),
        max(int.from_bytes(screen[2:4], "little"), top + height),
    )


def _table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 0b111) + 1) if flags & 0b1000_0000 else 0


def _first_frame(window: Window, offset: int) -> int:
    within_extension = False
    for _ in range(MOST_BLOCKS):
        block = window.at(offset, 1)[0]
        if within_extension:
            within_extension = block != 0
            offset += 1 + block
        elif block == FRAME:
            return offset
        elif block == EXTENSION:
            within_extension = True
            offset += 2
        elif block == TRAILER:
            raise BrokenImage("The image is damaged: the GIF has no frame.")
        else:
            offset += 1  # decoders pass over stray bytes between blocks
    raise BrokenImage("The image is damaged: the GIF has too many blocks before its first frame.")


def _numbers(fields: bytes) -> list[int]:
    return [int.from_bytes(fields[start : start + 2], "little") for start in range(0, len(fields), 2)]
