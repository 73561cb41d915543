"""Orients, crops and resizes: one resampling of the wanted region, then a turn of the small result."""

from PIL import Image

from quickthumb.imaging import slant
from quickthumb.imaging.levels import Levels
from quickthumb.imaging.orientation import Box, Size
from quickthumb.imaging.rendition import Rendition


def cut(levels: Levels, rendition: Rendition) -> Image.Image:
    """The output's region at its size and upright, in the source's colors (a slanted picture: in sRGB)."""
    return cut_region(levels, rendition, rendition.plan.region, rendition.plan.size)


def cut_region(levels: Levels, rendition: Rendition, region: Box, size: Size) -> Image.Image:
    """Does what `cut` does, for any region and size.

    The region is in upright pixels. It is mapped back to the picture as stored, so only the small result is turned.
    """
    part = rendition.plan.part
    if rendition.slanted:
        window = rendition.window(region, size)
        return slant.show(levels, rendition.stored, rendition.turn, rendition.mirror, rendition.color, window, size)
    stored_region, stored_part = (rendition.turn.source_box(box, rendition.upright) for box in (region, part))
    return rendition.turn.apply(levels.cut(stored_region, rendition.turn.size(size), stored_part))
