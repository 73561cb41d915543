"""Colors into sRGB, unless the source's own are to be kept."""

from PIL import Image

from quickthumb.imaging.rendition import Rendition


def apply(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """To sRGB through the source's profile."""
    if rendition.keeps_profile or rendition.slanted:  # what is slanted was converted before it was turned
        return picture
    return rendition.color.to_srgb(picture)
