"""The order of work, whatever the order of the parameters: orient, crop, resize, adjust, filter, encode."""

from collections.abc import Callable

from PIL import Image

from quickthumb.imaging.levels import Levels
from quickthumb.imaging.rendition import Rendition
from quickthumb.imaging.steps import blur, convert, frame, grayscale, resize, sharpen, tone

Step = Callable[[Image.Image, Rendition], Image.Image]

# `resize.cut` goes before these: it orients, crops and resizes in one. `encode` comes after them.
STEPS: tuple[Step, ...] = (
    convert.apply,
    grayscale.apply,
    tone.apply,
    blur.apply,
    sharpen.apply,
    frame.apply,
)


def run(levels: Levels, rendition: Rendition) -> Image.Image:
    """One frame of an output, ready to be encoded."""
    picture = resize.cut(levels, rendition)
    for step in STEPS:
        picture = step(picture, rendition)
    return picture
