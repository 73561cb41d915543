"""The order of work, whatever the order of the parameters: orient, crop, resize, adjust, filter, encode."""

from collections.abc import Callable

from PIL import Image

from quickthumb.imaging.levels import Levels
from quickthumb.imaging.rendition import Rendition
from quickthumb.imaging.steps import adjust, filters, frame, resize

Step = Callable[[Image.Image, Rendition], Image.Image]

# `resize.cut` goes before these: it orients, crops and resizes in one. `encode` comes after them. A step returns the
# picture untouched where it isn't asked for.
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
