"""Tells whether an AVIF or HEIF has a gain map: as a tone-mapped item (ISO 23008-12, ISO 21496-1) or in Apple's way.

QuickThumb decodes only the picture itself, so nothing else is read of the map.
"""

from quickthumb.imaging.formats.boxes import FLAGS_BYTES, Box, boxes, child, children
from quickthumb.imaging.formats.window import Window
from quickthumb.imaging.hdr.packet import APPLE_AUXILIARY

_TONE_MAPPED = b"tmap"
_AUXILIARY = APPLE_AUXILIARY.encode() + b"\0"


def kind_of(window: Window, *, iso: str, apple: str) -> str:
    """`iso` or `apple` for the way in which the file tells of its gain map; empty if it has none.

    Raises BrokenImage.
    """
    for box in boxes(window, 0, None):
        if box.kind == b"meta":
            meta = Box(box.kind, box.content + FLAGS_BYTES, box.end)
            if _has_tone_mapped_item(window, child(window, meta, b"iinf")):
                return iso
            return apple if _has_apples_property(window, meta) else ""
    return ""


def _has_tone_mapped_item(window: Window, info: Box) -> bool:
    count_bytes = 4 if window.at(info.content, 1)[0] else 2
    for entry in boxes(window, info.content + FLAGS_BYTES + count_bytes, info.end):
        # The number of the item, whose length depends on the version, and that of its protection.
        numbers = (4 if window.at(entry.content, 1)[0] >= 3 else 2) + 2
        if window.at(entry.content + FLAGS_BYTES + numbers, 4) == _TONE_MAPPED:
            return True
    return False


def _has_apples_property(window: Window, meta: Box) -> bool:
    properties = child(window, child(window, meta, b"iprp"), b"ipco")
    for box in children(window, properties):
        name = box.content + FLAGS_BYTES
        fits = box.end is not None and name + len(_AUXILIARY) <= box.end
        if box.kind == b"auxC" and fits and window.at(name, len(_AUXILIARY)) == _AUXILIARY:
            return True
    return False
