"""What the head of a gain map says of it, as far as the memory depends on it."""

import math
from dataclasses import dataclass

from quickthumb.imaging.hdr.gain_map import Spot
from quickthumb.imaging.orientation import Size


@dataclass(frozen=True, slots=True)
class StoredMap:
    """What is known of a map: its size in pixels, its number of components, whether it has several scans, and the bytes
    of its file."""

    size: Size
    colors: int
    in_scans: bool
    file_bytes: int


def told_by(spot: Spot) -> StoredMap:
    """What the head of a map tells."""
    return StoredMap(spot.size, spot.colors, spot.in_scans, spot.place[1])


def worst_for(size: Size) -> StoredMap:
    """The map that takes most memory, for a picture of that size."""
    return StoredMap(size, 3, True, 2 * math.prod(size))
