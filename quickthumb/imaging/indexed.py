"""Pictures with a palette that has all their colors."""

import sys
from collections.abc import Iterable, Iterator, Sequence

from PIL import Image

# Red, green, blue and alpha, each 0…255.
Color = tuple[int, int, int, int]

HIDDEN: Color = (0, 0, 0, 0)
MOST = 256
ANY = [0] + [255] * 255
_STRIP_PIXELS, _FEW_PIXELS = 1 << 18, 1 << 15


def colors_of(pictures: Iterable[Image.Image], most: int = MOST) -> list[Color] | None:
    """The colors of all pictures together (in mode L, RGB or RGBA), sorted, the most transparent first.

    All pixels of alpha 0 count as HIDDEN. None if there are more than `most` colors.
    """
    found: set[Color] = set()
    for picture in pictures:
        counted = without_hidden(picture).getcolors(most)
        if counted is None:
            return None
        found.update(color_of(color) for _, color in counted)
        if len(found) > most:
            return None
    return sorted(found, key=lambda color: (color[3], color))


def exact(picture: Image.Image, colors: Sequence[Color]) -> Image.Image:
    """A picture (in mode L, RGB or RGBA) that has no other than these colors, at most 256, with them as its palette."""
    return ExactColors(colors).of(picture)


class ExactColors:
    """A palette, at most 256 colors, for pictures that have no others."""

    def __init__(self, colors: Sequence[Color]) -> None:
        self._colors = colors
        self._places = {color: place for place, color in enumerate(colors)}
        self._by_pixel = {pixel_of(color): place for color, place in self._places.items()}
        self._cells: Image.Image | None = None

    def of(self, picture: Image.Image) -> Image.Image:
        """The picture (in mode L, RGB or RGBA) in mode P, as from `with_palette`. Pixels of alpha 0 are HIDDEN.

        Goes over strips of the picture, so that a large one takes no more memory than its indices.
        """
        if picture.mode == "L":
            places = [self._places.get((level, level, level, 255), 0) for level in range(MOST)]
            return with_palette(picture.point(places), self._colors)
        indices = Image.new("L", picture.size)
        for top, strip in strips(picture):
            indices.paste(self._quickly(strip) or self._one_by_one(strip), (0, top))
        return with_palette(indices, self._colors)

    def _quickly(self, strip: Image.Image) -> Image.Image | None:
        """The indices as Pillow finds them by cells of 4 × 4 × 4 levels: ten times faster than pixel by pixel, but for
        small pictures, as it fills the cells first. None if that misses any."""
        if strip.mode != "RGB" or strip.width * strip.height < _FEW_PIXELS:
            return None
        self._cells = self._cells or with_palette(Image.new("P", (1, 1)), self._colors)
        found = strip.quantize(palette=self._cells, dither=Image.Dither.NONE)
        return indices_of(found) if found.convert("RGB").tobytes() == strip.tobytes() else None

    def _one_by_one(self, strip: Image.Image) -> Image.Image:
        content = memoryview(without_hidden(strip).convert("RGBA").tobytes()).cast("I")
        return Image.frombytes("L", strip.size, bytes(map(self._by_pixel.__getitem__, content)))


def strips(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The picture in strips of whole rows, and where each begins."""
    rows = max(1, _STRIP_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def with_palette(indices: Image.Image, colors: Sequence[Color]) -> Image.Image:
    """Turns indices (in mode L or P) into a picture in mode P, in place.

    HIDDEN becomes the picture's `transparency`; other colors that are not opaque make a palette in RGBA instead.
    """
    plain = all(color[3] == 255 or color == HIDDEN for color in colors)
    channels = 3 if plain else 4
    indices.putpalette(bytes(level for color in colors for level in color[:channels]), "RGB" if plain else "RGBA")
    indices.info.pop("transparency", None)
    if plain and HIDDEN in colors:
        indices.info["transparency"] = colors.index(HIDDEN)
    return indices


def without_hidden(picture: Image.Image) -> Image.Image:
    """The picture with all pixels of alpha 0 as HIDDEN."""
    if picture.mode != "RGBA":
        return picture
    cleared = Image.new("RGBA", picture.size, HIDDEN)
    cleared.paste(picture, mask=picture.getchannel("A").point(ANY))
    return cleared


def indices_of(picture: Image.Image) -> Image.Image:
    """The indices of a picture in mode P, in mode L."""
    return Image.frombytes("L", picture.size, picture.tobytes())


def palette_of(picture: Image.Image) -> list[Color]:
    levels = picture.getpalette() or []
    return [color_of(tuple(levels[start : start + 3])) for start in range(0, len(levels), 3)]


def color_of(color: object) -> Color:
    """A color as Pillow counts it: a level of gray, or a tuple."""
    if isinstance(color, tuple):
        red, green, blue, *alpha = color
        return red, green, blue, alpha[0] if alpha else 255
    assert isinstance(color, int)  # noqa: S101 - pictures in mode L count levels
    return color, color, color, 255


def pixel_of(color: Color) -> int:
    """A pixel as memory holds it."""
    return int.from_bytes(bytes(color), sys.byteorder)
