"""The last step: the background, as padding for `contain` and behind what a format cannot keep transparent."""

from PIL import Image

from quickthumb.imaging.rendition import Rendition
from quickthumb.model import notation

_WHITE, _CLEAR = (255, 255, 255, 255), (0, 0, 0, 0)


def apply(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Pads to the canvas. Flattens if the format has no transparency, or if a given background must fill corners."""
    ground = _ground(rendition)
    if rendition.plan.canvas != picture.size:
        picture = _padded(picture, rendition, ground)
    if picture.mode == "RGBA" and (not rendition.encoder.alpha or (rendition.slanted and rendition.output.background)):
        picture = _flattened(picture, ground)
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        return picture.convert("RGB")
    return picture


def _ground(rendition: Rendition) -> tuple[int, int, int, int]:
    given = notation.rgba(rendition.output.background) if rendition.output.background else None
    if rendition.encoder.alpha:
        return given or _CLEAR
    if given is None or given[3] == 255:
        return given or _WHITE
    white, color = Image.new("RGBA", (1, 1), _WHITE), Image.new("RGBA", (1, 1), given)
    red, green, blue, alpha = Image.alpha_composite(white, color).tobytes()
    return red, green, blue, alpha


def _padded(picture: Image.Image, rendition: Rendition, ground: tuple[int, int, int, int]) -> Image.Image:
    canvas = Image.new("RGBA", rendition.plan.canvas, ground)
    canvas.paste(picture.convert("RGBA"), rendition.plan.offset)
    return canvas


def _flattened(picture: Image.Image, ground: tuple[int, int, int, int]) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture)
