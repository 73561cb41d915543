"""Dropping the colors."""

from PIL import Image

from quickthumb.imaging.rendition import Rendition


def apply(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Luma of ITU-R BT.601; transparency is left alone."""
    if not rendition.output.grayscale or picture.mode == "L":
        return picture
    grey = picture.convert("L")
    if picture.mode != "RGBA":
        return grey
    alpha = picture.getchannel("A")
    return Image.merge("RGBA", (grey, grey, grey, alpha))
