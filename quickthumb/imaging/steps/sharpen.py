"""Sharpening by an unsharp mask."""

from PIL import Image, ImageFilter

from quickthumb.imaging.rendition import Rendition

_BLUR = ImageFilter.GaussianBlur(1)


def apply(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Moves every pixel away from the mean around it: by a strength in percent, within a radius of one pixel.

    What is transparent has no part in the mean, so that edges get no fringes, and alpha stays.
    """
    if rendition.output.sharpen is None:
        return picture
    strength = 1 + rendition.output.sharpen / 100
    if picture.mode != "RGBA":
        return Image.blend(picture.filter(_BLUR), picture, strength)
    mean = picture.convert("RGBa").filter(_BLUR).convert("RGBA")
    sharp = Image.blend(mean.convert("RGB"), picture.convert("RGB"), strength)
    sharp.putalpha(picture.getchannel("A"))
    return sharp
