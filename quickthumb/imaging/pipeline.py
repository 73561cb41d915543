"""The order of work, whatever the order of the parameters: orient, crop, resize, adjust, filter, encode."""

from collections.abc import Callable

from PIL import Image

from quickthumb.imaging.levels import Levels
from quickthumb.imaging.steps import blur, convert, frame, grayscale, resize, sharpen, tone
from quickthumb.imaging.task import Task

Step = Callable[[Image.Image, Task], Image.Image]

# `resize.cut` goes before these: it orients, crops and resizes in one. `encode` comes after them.
STEPS: tuple[Step, ...] = (
    convert.apply,
    grayscale.apply,
    tone.apply,
    blur.apply,
    sharpen.apply,
    frame.apply,
)


def run(levels: Levels, task: Task) -> Image.Image:
    """One frame of an output, ready to be encoded."""
    picture = resize.cut(levels, task)
    for step in STEPS:
        picture = step(picture, task)
    return picture
