"""The boxes of ISO media files (ISO 14496-12): each has a length, a kind and a content, which may be boxes again."""

from collections.abc import Iterator
from dataclasses import dataclass

from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage

MOST_BOXES = 1024
# In a box that begins with a version and flags, children or values start after these bytes.
FLAGS_BYTES = 4


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its kind, where its content begins, and where it ends (None: at the end of the file)."""

    kind: bytes
    content: int
    end: int | None


def child(window: Window, parent: Box, kind: bytes) -> Box:
    """The first box of a kind within another. Raises BrokenImage if there is none."""
    for box in children(window, parent):
        if box.kind == kind:
            return box
    raise BrokenImage("The image is damaged: its size is missing.")


def children(window: Window, parent: Box) -> Iterator[Box]:
    """The boxes within another."""
    return boxes(window, parent.content, parent.end)


def boxes(window: Window, start: int, end: int | None) -> Iterator[Box]:
    """The boxes between two offsets (None: to the end of the file). Raises BrokenImage for more than MOST_BOXES."""
    for _ in range(MOST_BOXES):
        if window.ends_before(start) if end is None else start >= end:
            return
        box = _box(window, start)
        if end is not None and (box.end is None or box.end > end):
            raise BrokenImage("The image is damaged: one of its boxes is longer than the box that holds it.")
        yield box
        if box.end is None:
            return
        start = box.end
    raise BrokenImage("The image is damaged: it has too many boxes.")


def _box(window: Window, start: int) -> Box:
    length = int.from_bytes(window.at(start, 4), "big")
    kind = window.at(start + 4, 4)
    content = start + 8
    if length == 1:
        length = int.from_bytes(window.at(start + 8, 8), "big")
        content = start + 16
    if length == 0:
        return Box(kind, content, None)
    if start + length < content:
        raise BrokenImage("The image is damaged: one of its boxes has an impossible length.")
    return Box(kind, content, start + length)
