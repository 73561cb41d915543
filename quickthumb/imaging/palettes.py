"""Stills with a palette: all their colors where these are few, and otherwise chosen ones, with dots where they help."""

from PIL import Image, ImageChops, ImageFilter

from quickthumb.imaging.color_choice import choose, largest_band, steps
from quickthumb.imaging.indexed import ANY, MOST, colors_of, exact
from quickthumb.imaging.nearest_colors import NONE, Palette, as_rgb

# Dots only help where a picture differs from its surroundings by at most so many levels, and from its nearest colors by
# at least so many.
_SMOOTH_LEVELS, _SEEN_LEVELS = 2, 3


def quantize(picture: Image.Image, most: int, dither: bool) -> Image.Image:
    """A picture (in mode L or RGB, or in RGBA with no alpha but 0 and 255) with at most `most` colors, in mode P.

    If it has no more colors, all are kept. Otherwise colors that fill areas stay exact, and `dither` mixes dots of two
    colors where one alone would turn a smooth area into steps. Equal pixels become equal, except for such dots.
    """
    colors = colors_of([picture], most)
    if colors is not None:
        return exact(picture, colors)
    palette = choose([picture], most)
    return _dithered(picture, palette) if dither else palette.nearest(picture)


def _dithered(picture: Image.Image, palette: Palette) -> Image.Image:
    """The picture in its nearest colors, with dots where a smooth area would become steps. Elsewhere the dots would
    only be noise."""
    rgb = as_rgb(picture)
    indices = palette.indices(rgb)
    near = palette.shown(indices)
    dots = _in_steps(rgb, near)
    dotted = ImageChops.darker(dots, largest_band(ImageChops.difference(rgb, near)).point(ANY))
    near.paste(rgb, mask=dots)
    indices.paste(palette.dotted(near), mask=dotted)
    return palette.finished(indices, picture)


def _in_steps(picture: Image.Image, near: Image.Image) -> Image.Image:
    """A mask of where a smooth picture has become steps of equal pixels, which can be seen."""
    equal = largest_band(steps(near)).point(NONE)
    rough = largest_band(ImageChops.difference(picture, picture.filter(ImageFilter.BoxBlur(1))))
    smooth = rough.point([255 if level <= _SMOOTH_LEVELS else 0 for level in range(MOST)])
    off = largest_band(ImageChops.difference(picture, near)).filter(ImageFilter.MaxFilter(5))
    seen = off.point([255 if level >= _SEEN_LEVELS else 0 for level in range(MOST)])
    return ImageChops.darker(ImageChops.darker(equal, smooth), seen)
