"""Filters, which make each pixel of what is around it: blur and sharpening."""

from PIL import Image, ImageFilter

from quickthumb.imaging.rendition import Rendition

_UNSHARP = ImageFilter.GaussianBlur(1)


def blur(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Blurs by `sigma` pixels of the result; premultiplied, so that no color bleeds out of what is transparent."""
    if rendition.output.blur is None:
        return picture
    gaussian = ImageFilter.GaussianBlur(rendition.output.blur)
    if picture.mode != "RGBA":
        return picture.filter(gaussian)
    return picture.convert("RGBa").filter(gaussian).convert("RGBA")


def sharpen(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Sharpens by an unsharp mask of radius 1: moves every pixel away from the mean around it, by so many percent.

    What is transparent has no part in the mean, so that edges get no fringes, and alpha stays.
    """
    if rendition.output.sharpen is None:
        return picture
    strength = 1 + rendition.output.sharpen / 100
    if picture.mode != "RGBA":
        return Image.blend(picture.filter(_UNSHARP), picture, strength)
    mean = picture.convert("RGBa").filter(_UNSHARP).convert("RGBA")
    sharp = Image.blend(mean.convert("RGB"), picture.convert("RGB"), strength)
    sharp.putalpha(picture.getchannel("A"))
    return sharp
