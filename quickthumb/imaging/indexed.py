"""Pictures with a palette that has all their colors."""

from collections.abc import Iterable, Sequence

from PIL import Image

# Red, green, blue and alpha, each 0…255.
Color = tuple[int, int, int, int]

HIDDEN: Color = (0, 0, 0, 0)
MOST = 256
ANY = [0] + [255] * 255


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
    """A picture (in mode L, RGB or RGBA) that has no other than these colors, at most 256, with them as its palette.

    The result is in mode P, as from `with_palette`. Pixels of alpha 0 are HIDDEN.
    """
    index = {color: place for place, color in enumerate(colors)}
    if picture.mode == "L":
        made = picture.point([index.get((level, level, level, 255), 0) for level in range(MOST)])
    elif picture.mode == "RGB":
        made = _exact_opaque(picture, index)
    else:
        made = _exact_transparent(without_hidden(picture), index)
    return with_palette(made, colors)


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


def _exact_opaque(picture: Image.Image, index: dict[Color, int]) -> Image.Image:
    """Median cut keeps every color if there are not more than it may choose, and maps each to itself."""
    own = picture.quantize(MOST, Image.Quantize.MEDIANCUT)
    places = [index.get(color, 0) for color in palette_of(own)]
    return indices_of(own).point(places + [0] * (MOST - len(places)))


def _exact_transparent(picture: Image.Image, index: dict[Color, int]) -> Image.Image:
    """Finds the place of each pixel's color without alpha first, then that of each pair of such a place and alpha."""
    opaque = {color: place for place, color in enumerate(sorted({color[:3] for color in index}))}
    places = _exact_opaque(picture.convert("RGB"), {(*color, 255): place for color, place in opaque.items()})
    pairs = Image.merge("RGB", (places, picture.getchannel("A"), Image.new("L", picture.size)))
    return _exact_opaque(pairs, {(opaque[color[:3]], color[3], 0, 255): place for color, place in index.items()})
