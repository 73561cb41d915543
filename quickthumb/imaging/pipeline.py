"""The order of the steps, whatever the order of the parameters: orient, crop, resize, adjust, filter, encode."""

from collections.abc import Callable

from PIL import Image

from quickthumb.imaging.levels import Levels
from quickthumb.imaging.rendition import Rendition
from quickthumb.imaging.steps import adjust, filters, frame, resize

Step = Callable[[Image.Image, Rendition], Image.Image]

# `resize.cut` runs before these and orients, crops and resizes in one; `encode` runs after them. A step that the output
# does not ask for returns the picture unchanged.
STEPS: tuple[Step, ...] = (
    adjust.convert,
    adjust.grayscale,
    adjust.tone,
    filters.blur,
    filters.sharpen,
    frame.apply,
)


def run(levels: Levels, rendition: Rendition, checkpoint: Callable[[], None]) -> Image.Image:
    """One frame of an output, ready to be encoded. Calls `checkpoint` before each step."""
    checkpoint()
    picture = resize.cut(levels, rendition)
    for step in STEPS:
        checkpoint()
        picture = step(picture, rendition)
    return picture
