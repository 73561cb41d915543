"""Tells whether a result can keep its source's gain map, and if not, why.

A map only fits the picture that it was made for: it can be cut, turned and resized with it, but the colors of the
picture must stay as they are, because the map counts on them.
"""

import math

from quickthumb.imaging.geometry import Plan
from quickthumb.imaging.hdr.gain_map import GainMap
from quickthumb.imaging.orientation import Size
from quickthumb.model.output import Output

# A map with more pixels than this may not have more than the picture.
SMALL_PIXELS = 1 << 20

DROPPED = "The HDR gain map of the source was dropped."
DAMAGED = "The HDR gain map was dropped, because it is damaged."
TELLS_MORE = "The HDR gain map was dropped, because its XMP tells more than how to apply it."
TOO_LARGE = "The HDR gain map was dropped, because max_bytes leaves no room for it."
TOO_MUCH_METADATA = "The HDR gain map was dropped, because the metadata leaves no room to describe it."


def obstacle(found: GainMap, output: Output, plan: Plan, format_name: str, stored: Size, mode: str) -> str:
    """The warning for a result that does not keep the map of its source; empty if it can keep it.

    `stored` is the size, and `mode` the mode, of the source's picture.
    """
    if output.hdr != "keep":
        return DROPPED
    if found.spot is None or format_name != "jpeg":
        return "The HDR gain map was dropped, because only a JPEG made from a JPEG can keep it."
    if not found.spot.is_complete:
        return "The HDR gain map was dropped, because the file does not say how to apply it."
    pixels = math.prod(found.spot.size)
    if mode == "CMYK" or found.spot.colors not in (1, 3) or not 0 < pixels <= max(math.prod(stored), SMALL_PIXELS):
        return "The HDR gain map was dropped, because it does not fit the picture."
    change = _change(output, plan)
    return f"The HDR gain map was dropped, because it does not fit a picture changed by {change}." if change else ""


def _change(output: Output, plan: Plan) -> str:
    """The first of an output's changes that a map cannot follow."""
    changes = {
        "padding": plan.canvas != plan.size,
        "a slanted rotation": bool(output.rotate % 90),
        "grayscale": output.grayscale,
        "brightness": output.brightness != 1,
        "contrast": output.contrast != 1,
        "saturation": output.saturation != 1,
        "blur": output.blur is not None,
    }
    return next((name for name, is_asked in changes.items() if is_asked), "")
