"""Colours into sRGB, unless the source's own are to be kept."""

from PIL import Image

from quickthumb.imaging.task import Task


def apply(picture: Image.Image, task: Task) -> Image.Image:
    """To sRGB through the source's profile."""
    if task.keeps_profile or task.slanted:  # what is slanted was converted before it was turned
        return picture
    return task.colour.to_srgb(picture)
