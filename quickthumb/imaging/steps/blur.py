"""Gaussian blur."""

from PIL import Image, ImageFilter

from quickthumb.imaging.rendition import Rendition


def apply(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Blurs by `sigma` pixels of the result; premultiplied, so that no color bleeds out of what is transparent."""
    if rendition.output.blur is None:
        return picture
    blur = ImageFilter.GaussianBlur(rendition.output.blur)
    if picture.mode != "RGBA":
        return picture.filter(blur)
    return picture.convert("RGBa").filter(blur).convert("RGBA")
