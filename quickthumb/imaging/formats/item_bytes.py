"""How many bytes decoders copy from the items of an AVIF or HEIF.

Pieces of data may overlap, an item may describe any number of pictures, and they may share a color profile: so a file
can make a decoder copy far more than the file has.
"""

from collections import Counter

from quickthumb.imaging.formats.boxes import Box
from quickthumb.imaging.formats.items import Reference
from quickthumb.imaging.formats.pieces import Ranges
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, TooManyParts

CODED = frozenset({b"hvc1", b"av01"})
# What all metadata may take, once for each picture that they belong to. A camera's take some kilobytes.
MOST_METADATA_BYTES = 16 * 1024 * 1024


def check_bytes(
    window: Window,
    kinds: dict[int, bytes],
    places: dict[int, Ranges],
    properties: dict[int, list[Box]],
    references: list[Reference],
) -> None:
    """Raises BrokenImage for an item that has more data than the file, and TooManyParts for too much metadata."""
    lengths = {item: sum(length for _, length in ranges) for item, ranges in places.items()}
    if any(window.ends_before(length - 1) for length in lengths.values() if length):
        raise BrokenImage("The image is damaged: a part of it is longer than the file.")
    described = Counter(one.item for one in references if one.kind == b"cdsc" for _ in one.others)
    metadata = sum(length * max(1, described[item]) for item, length in lengths.items() if kinds.get(item) not in CODED)
    profiles = sum(
        (box.end or 0) - box.content for found in properties.values() for box in found if box.kind == b"colr"
    )
    if metadata + profiles > MOST_METADATA_BYTES:
        raise TooManyParts(f"The image's metadata has more than {MOST_METADATA_BYTES} bytes.")
