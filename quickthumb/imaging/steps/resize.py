"""Orienting, cropping and resizing: one resampling of the wanted region, then a turn of what came out of it."""

from PIL import Image

from quickthumb.imaging.levels import Level, Levels
from quickthumb.imaging.task import Task


def cut(levels: Levels, task: Task) -> Image.Image:
    """The output's region at its size, upright, in the source's colours.

    The plan is in upright pixels; it is carried back into the picture as stored, so that only the small result is
    turned. A turn by other than quarters is made first, as it changes what there is to cut.
    """
    if task.slanted:
        return _cut_slanted(levels, task)
    plan = task.plan
    region, part = (task.turn.source_box(box, task.upright) for box in (plan.region, plan.part))
    return task.turn.apply(levels.cut(region, task.turn.size(plan.size), part))


def _cut_slanted(levels: Levels, task: Task) -> Image.Image:
    width, height = task.stored
    shrink = max(1.0, task.plan.shrink / 2)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    upright = task.turn.apply(levels.cut((0, 0, width, height), size))
    colours = task.colour.to_srgb(upright).convert("RGBA")
    slanted = colours.rotate(-task.output.rotate, Image.Resampling.BICUBIC, expand=True)
    slanted = task.mirror.apply(slanted)
    scale = (slanted.width / task.upright[0], slanted.height / task.upright[1])
    level = Level(slanted, scale)
    return Levels(level, task.upright).cut(task.plan.region, task.plan.size, task.plan.part)
