"""Orients, crops and resizes: one resampling of the wanted region, then a turn of the small result."""

from PIL import Image

from quickthumb.imaging.levels import Level, Levels
from quickthumb.imaging.rendition import Rendition


def cut(levels: Levels, rendition: Rendition) -> Image.Image:
    """The output's region at its size and upright, in the source's colors (a slanted picture: in sRGB).

    The plan is in upright pixels. It is mapped back to the picture as stored, so that only the small result is turned.
    A rotation by anything other than a multiple of 90 degrees is made first, as it changes what there is to cut.
    """
    if rendition.slanted:
        return _cut_slanted(levels, rendition)
    plan = rendition.plan
    region, part = (rendition.turn.source_box(box, rendition.upright) for box in (plan.region, plan.part))
    return rendition.turn.apply(levels.cut(region, rendition.turn.size(plan.size), part))


def _cut_slanted(levels: Levels, rendition: Rendition) -> Image.Image:
    width, height = rendition.stored
    shrink = max(1.0, rendition.plan.shrink / 2)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    upright = rendition.turn.apply(levels.cut((0, 0, width, height), size))
    colors = rendition.color.to_srgb(upright).convert("RGBA")
    slanted = colors.rotate(-rendition.output.rotate, Image.Resampling.BICUBIC, expand=True)
    slanted = rendition.mirror.apply(slanted)
    scale = (slanted.width / rendition.upright[0], slanted.height / rendition.upright[1])
    level = Level(slanted, scale)
    return Levels(level, rendition.upright).cut(rendition.plan.region, rendition.plan.size, rendition.plan.part)
