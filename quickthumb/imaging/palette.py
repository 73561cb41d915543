"""Palettes for GIF: 255 colors by median cut, and one for what is transparent."""

from PIL import Image

_COLORS = 255
# Alpha below this is transparent in a GIF, which knows no half.
_OPAQUE = 128


def with_palette(frames: list[Image.Image]) -> list[Image.Image]:
    """Each frame with a palette of its own. Stills are dithered; in an animation the dots would seem to crawl."""
    dither = Image.Dither.FLOYDSTEINBERG if len(frames) == 1 else Image.Dither.NONE
    return [_quantized(frame, dither) for frame in frames]


def _quantized(picture: Image.Image, dither: Image.Dither) -> Image.Image:
    if picture.mode == "L":
        return picture
    rgb = picture.convert("RGB")
    made = rgb.quantize(_COLORS, Image.Quantize.MEDIANCUT)
    if dither is not Image.Dither.NONE:
        made = rgb.quantize(palette=made, dither=dither)
    if picture.mode == "RGBA":
        _cut_out(made, picture.getchannel("A"))
    return made


def _cut_out(picture: Image.Image, alpha: Image.Image) -> None:
    hidden = alpha.point([255 if sample < _OPAQUE else 0 for sample in range(256)])
    colors = (picture.getpalette() or [])[: 3 * _COLORS]
    picture.putpalette(colors + [0] * (768 - len(colors)))
    picture.paste(_COLORS, mask=hidden)
    picture.info["transparency"] = _COLORS
