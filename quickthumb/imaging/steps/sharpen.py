"""Sharpening by an unsharp mask."""

from PIL import Image, ImageFilter

from quickthumb.imaging.task import Task

_RADIUS_PIXELS = 1
# Differences below this many of 255 are noise, and stay as they are.
_THRESHOLD = 2


def apply(picture: Image.Image, task: Task) -> Image.Image:
    """Strength in percent, radius one pixel of the result; premultiplied, so that edges get no fringes."""
    if task.output.sharpen is None:
        return picture
    mask = ImageFilter.UnsharpMask(_RADIUS_PIXELS, round(task.output.sharpen), _THRESHOLD)
    if picture.mode != "RGBA":
        return picture.filter(mask)
    sharp = picture.convert("RGBa").filter(mask).convert("RGBA")
    sharp.putalpha(picture.getchannel("A"))
    return sharp
