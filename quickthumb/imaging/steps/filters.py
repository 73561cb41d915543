"""Filters that compute each pixel from its surroundings: blurring and sharpening."""

from PIL import Image, ImageFilter

from quickthumb.imaging.rendition import Rendition

_UNSHARP = ImageFilter.GaussianBlur(1)


def blur(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Gaussian blur; the parameter is sigma in pixels of the result.

    Premultiplies transparent pictures, so that no color bleeds out of transparent areas.
    """
    if rendition.output.blur is None:
        return picture
    gaussian = ImageFilter.GaussianBlur(rendition.output.blur)
    if picture.mode != "RGBA":
        return picture.filter(gaussian)
    return picture.convert("RGBa").filter(gaussian).convert("RGBA")


def sharpen(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Unsharp mask of radius 1: moves each pixel away from the mean around it, by the parameter's percentage.

    Transparent pixels do not count in the mean, so that edges get no fringes. Alpha stays unchanged.
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
