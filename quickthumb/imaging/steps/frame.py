"""The last step: the background, as padding for `contain` and behind what a format cannot keep transparent."""

from PIL import Image

from quickthumb.imaging.color import Rgba
from quickthumb.imaging.rendition import Rendition
from quickthumb.model import notation

_WHITE, _CLEAR = (255, 255, 255, 255), (0, 0, 0, 0)
_ONE_WAY = "The background could not be converted to the kept color profile, so its color may look different."


def apply(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Pads to the canvas. Flattens if the format has no transparency, or if a given background must fill corners."""
    if rendition.plan.canvas != picture.size:
        picture = _padded(picture, rendition, _ground(rendition))
    if picture.mode == "RGBA" and (not rendition.encoder.alpha or (rendition.slanted and rendition.output.background)):
        picture = _flattened(picture, _ground(rendition))
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        return picture.convert("RGB")
    return picture


def _ground(rendition: Rendition) -> Rgba:
    """The background in the colors of the result: those of the source, if the result keeps them."""
    ground = _in_srgb(rendition)
    if not rendition.keeps_profile:
        return ground
    converted = rendition.color.from_srgb(ground)
    if converted is None:
        rendition.warnings.append(_ONE_WAY)
    return converted or ground


def _in_srgb(rendition: Rendition) -> Rgba:
    given = notation.rgba(rendition.output.background) if rendition.output.background else None
    if rendition.encoder.alpha:
        return given or _CLEAR
    if given is None or given[3] == 255:
        return given or _WHITE
    white, color = Image.new("RGBA", (1, 1), _WHITE), Image.new("RGBA", (1, 1), given)
    red, green, blue, alpha = Image.alpha_composite(white, color).tobytes()
    return red, green, blue, alpha


def _padded(picture: Image.Image, rendition: Rendition, ground: Rgba) -> Image.Image:
    canvas = Image.new("RGBA", rendition.plan.canvas, ground)
    canvas.paste(picture.convert("RGBA"), rendition.plan.offset)
    return canvas


def _flattened(picture: Image.Image, ground: Rgba) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture)
