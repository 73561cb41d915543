"""Gaussian blur."""

from PIL import Image, ImageFilter

from quickthumb.imaging.task import Task


def apply(picture: Image.Image, task: Task) -> Image.Image:
    """Blurs by `sigma` pixels of the result; premultiplied, so that no colour bleeds out of what is transparent."""
    if task.output.blur is None:
        return picture
    blur = ImageFilter.GaussianBlur(task.output.blur)
    if picture.mode != "RGBA":
        return picture.filter(blur)
    return picture.convert("RGBa").filter(blur).convert("RGBA")
