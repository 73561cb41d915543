"""How much memory the gain map of a result takes: decoding it, drawing it, and the files that it becomes a part of."""

import math

from quickthumb.imaging.decoding_memory import picture_bytes
from quickthumb.imaging.geometry import Plan
from quickthumb.imaging.hdr.scale import drafted
from quickthumb.imaging.hdr.stored_map import StoredMap

# The file of a map as it is read, its parts, and the parts together.
_READ_COPIES = 3
# The file of a drawn map as it is encoded, as it is read, and with its metadata; in bytes per pixel, with noise.
_WRITTEN_COPIES, _WRITTEN_BYTES = 3, 2.0
# Each coefficient of a picture in several scans takes two bytes.
_COEFFICIENT_BYTES = 2
_RGB = 4


def map_bytes(stored: StoredMap, planned: Plan) -> int:
    """The most bytes that drawing a map takes at any one time, until the picture with it is written."""
    pixel_bytes = 1 if stored.colors == 1 else _RGB
    draft = drafted(stored.size, planned.shrink)
    decoded = picture_bytes((-(-stored.size[0] // draft), -(-stored.size[1] // draft)), pixel_bytes)
    coefficients = math.prod(stored.size) * stored.colors * _COEFFICIENT_BYTES if stored.in_scans else 0
    # What is cut out of the map may be all of it. A result has at most as many pixels in its map; resampling takes one
    # more picture, and turning another.
    made = picture_bytes(planned.size, pixel_bytes)
    written = int(math.prod(planned.size) * _WRITTEN_BYTES) * _WRITTEN_COPIES
    return _READ_COPIES * stored.file_bytes + max(decoded + coefficients, 2 * decoded + 3 * made, made + written)
