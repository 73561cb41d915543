"""The blocks of a GIF that are not frames: comments, and extensions of applications (GIF89a, appendix B), such as XMP
(XMP specification, part 3) and Content Credentials (C2PA).

The walkers of `formats` go from frame to frame and do not tell what extensions hold; this one keeps nothing of frames,
and ends in silence where a file does.
"""

from collections.abc import Iterator

from quickthumb.imaging.formats.gif_blocks import EXTENSION, FRAME, table_bytes
from quickthumb.imaging.formats.gif_xmp import TRAILER, XMP_NAME
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage

COMMENT, APPLICATION = 0xFE, 0xFF
C2PA_NAME = b"C2PA_GIF"
MOST_BYTES = 2 * 1024 * 1024
_MOST_BLOCKS = 100_000


def read(window: Window, *, stops_at_frame: bool) -> Iterator[tuple[int, bytes, bytes]]:
    """The kind, the name and the content of each extension that is a comment or an application's, as far as the file
    goes: up to its first frame, or to its end. Comments have no name. Contents are cut at MOST_BYTES."""
    try:
        yield from _read(window, stops_at_frame)
    except BrokenImage:
        return  # decoding tells whether the file is complete


def _read(window: Window, stops_at_frame: bool) -> Iterator[tuple[int, bytes, bytes]]:
    offset = 13 + table_bytes(window.at(10, 1)[0])
    for _ in range(_MOST_BLOCKS):
        kind = window.at(offset, 1)[0]
        if kind == EXTENSION:
            label, first = window.at(offset + 1, 2)
            named = label == APPLICATION
            name = window.at(offset + 3, first) if named else b""
            start = offset + (3 + first if named else 2)
            offset = _end(window, start)
            if label in (COMMENT, APPLICATION):
                yield label, name, _content(window, start, offset, is_packet=name == XMP_NAME)
        elif kind == FRAME and not stops_at_frame:
            fields = window.at(offset + 1, 9)
            offset = _end(window, offset + 10 + table_bytes(fields[8]) + 1)
        else:
            return


def _content(window: Window, start: int, end: int, *, is_packet: bool) -> bytes:
    if is_packet:
        # It is stored without the lengths of blocks: what looks like one leads to the end of its trailer.
        return window.at(start, min(max(0, end - start - len(TRAILER)), MOST_BYTES))
    content = window.at(start, min(end - start, MOST_BYTES))
    parts, offset = [], 0
    while offset < len(content) and (size := content[offset]):
        parts.append(content[offset + 1 : offset + 1 + size])
        offset += 1 + size
    return b"".join(parts)


def _end(window: Window, offset: int) -> int:
    """The offset behind a chain of blocks."""
    while size := window.at(offset, 1)[0]:
        offset += 1 + size
    return offset + 1
