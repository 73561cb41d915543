"""At what scales gain maps are decoded and drawn."""

from quickthumb.imaging.levels import draft_scale
from quickthumb.imaging.orientation import Size

# A map with shorter sides is decoded at its full size.
LEAST_DRAFTED_PIXELS = 64


def drafted(size: Size, shrink: float) -> int:
    """By how much to shrink a map of `size` while decoding it, for a result that shrinks the picture by `shrink`."""
    return draft_scale([shrink], size) if min(size) >= LEAST_DRAFTED_PIXELS else 1


def drawn_size(result: Size, gain_map: Size, stored: Size) -> Size:
    """The size of the map for a result: in proportion to that of the source's picture, which is of size `stored`, but
    never larger than the result. All are as they are stored, before turning."""
    across, down = (min(1.0, gain_map[side] / stored[side]) for side in (0, 1))
    return max(1, round(result[0] * across)), max(1, round(result[1] * down))
