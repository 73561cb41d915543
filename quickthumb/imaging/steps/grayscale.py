"""Dropping the colours."""

from PIL import Image

from quickthumb.imaging.task import Task


def apply(picture: Image.Image, task: Task) -> Image.Image:
    """Luma of ITU-R BT.601; transparency is left alone."""
    if not task.output.grayscale or picture.mode == "L":
        return picture
    grey = picture.convert("L")
    if picture.mode != "RGBA":
        return grey
    alpha = picture.getchannel("A")
    return Image.merge("RGBA", (grey, grey, grey, alpha))
