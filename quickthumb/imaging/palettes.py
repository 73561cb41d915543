"""Palettes: the colors of pictures that have few, and a choice of colors for pictures that have many.

Pillow maps a picture to a given palette by cells of 4 × 4 × 4 levels, so that white can become 253,252,252. Here Pillow
maps several times, with the picture brighter by one level each time, and each pixel takes the nearest of the answers.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter

# Red, green, blue and alpha, each 0…255.
Color = tuple[int, int, int, int]

HIDDEN: Color = (0, 0, 0, 0)
_MOST = 256
_ANY = [0] + [255] * 255
_NONE = [255] + [0] * 255

# Colors are chosen from at most so many distinct ones: if pictures have more, those that differ only in their last bits
# count as one. A color counts by the square root of its pixels, so that large areas leave colors to the small ones.
_MOST_DISTINCT, _WEIGHT = 32_768, 0.5
# Colors are moved to the middle of their pixels until no more than this share of the pixels changes its color.
_SETTLED = 1 / 100
# A color that fills areas does so in at least so many pixels; such colors take at most a quarter of a palette.
_FLAT_SHARE, _FLAT_PIXELS = 1 / 1000, 8
# The sides of Pillow's cells, and how far colors must be apart for it to tell them from each other.
_CELL, _APART, _MOST_GROUPS = 4, 9, 4
# Dots only help where a picture differs from its surroundings by at most so many levels, and from its nearest colors by
# at least so many.
_SMOOTH_LEVELS, _SEEN_LEVELS = 2, 3


def colors_of(pictures: Iterable[Image.Image], most: int = _MOST) -> list[Color] | None:
    """The colors of all pictures together (in mode L, RGB or RGBA), sorted, the most transparent first.

    All pixels of alpha 0 count as HIDDEN. None if there are more than `most` colors.
    """
    found: set[Color] = set()
    for picture in pictures:
        counted = _without_hidden(picture).getcolors(most)
        if counted is None:
            return None
        found.update(_color(color) for _, color in counted)
        if len(found) > most:
            return None
    return sorted(found, key=lambda color: (color[3], color))


def exact(picture: Image.Image, colors: Sequence[Color]) -> Image.Image:
    """A picture (in mode L, RGB or RGBA) that has no other than these colors, at most 256, with them as its palette.

    The result is in mode P, as from `with_palette`. Pixels of alpha 0 are HIDDEN.
    """
    index = {color: place for place, color in enumerate(colors)}
    if picture.mode == "L":
        made = picture.point([index.get((level, level, level, 255), 0) for level in range(_MOST)])
    elif picture.mode == "RGB":
        made = _exact_opaque(picture, index)
    else:
        made = _exact_transparent(_without_hidden(picture), index)
    return with_palette(made, colors)


def quantize(picture: Image.Image, most: int, dither: bool) -> Image.Image:
    """A picture (in mode L or RGB, or in RGBA with no alpha but 0 and 255) with at most `most` colors, in mode P.

    If it has no more colors, all are kept. Otherwise colors that fill areas stay exact, and `dither` mixes dots of two
    colors where one alone would turn a smooth area into steps. Equal pixels become equal, except for such dots.
    """
    colors = colors_of([picture], most)
    if colors is not None:
        return exact(picture, colors)
    palette = choose([picture], most)
    return palette.dithered(picture) if dither else palette.nearest(picture)


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


@dataclass(frozen=True, slots=True)
class Palette:
    """Colors for pictures that have more. `groups` are those that Pillow's cells may miss, and that must stay exact."""

    colors: tuple[Color, ...]
    groups: tuple[tuple[Color, ...], ...]

    def nearest(self, picture: Image.Image) -> Image.Image:
        """A picture (in mode L, RGB, or RGBA with no alpha but 0 and 255) in its nearest colors, in mode P.

        Equal pixels become equal, in all pictures.
        """
        indices = self._nearest(picture.convert("RGB"))
        return self._finished(indices, picture)

    def dithered(self, picture: Image.Image) -> Image.Image:
        """As `nearest`, but with dots of two colors where a smooth area would become steps, by error diffusion (Floyd
        and Steinberg). Elsewhere the dots would only be noise."""
        rgb = picture.convert("RGB")
        indices = self._nearest(rgb)
        near = self._shown(indices)
        dots = _in_steps(rgb, near)
        mixed = near.copy()
        mixed.paste(rgb, mask=dots)
        off = _largest(ImageChops.difference(rgb, near)).point(_ANY)
        indices.paste(_mapped(mixed, self._opaque, Image.Dither.FLOYDSTEINBERG), mask=ImageChops.darker(dots, off))
        return self._finished(indices, picture)

    @property
    def _opaque(self) -> tuple[Color, ...]:
        return tuple(color for color in self.colors if color != HIDDEN)

    def _nearest(self, picture: Image.Image) -> Image.Image:
        indices = _mapped(picture, self._opaque)
        error = _distance(picture, self._shown(indices))
        for brighter in range(1, _CELL):
            raised = picture.point([min(255, level + brighter) for level in range(_MOST)] * 3)
            error = self._improve(indices, _mapped(raised, self._opaque), picture, error)
        for group in self.groups:
            places = [self._opaque.index(color) for color in group]
            members = _mapped(picture, group).point(places + [0] * (_MOST - len(places)))
            error = self._improve(indices, members, picture, error)
        return indices

    def _improve(
        self, indices: Image.Image, others: Image.Image, picture: Image.Image, error: Image.Image
    ) -> Image.Image:
        """Takes those of the other indices that are nearer to the picture; returns the error that is left."""
        other_error = _distance(picture, self._shown(others))
        indices.paste(others, mask=ImageChops.subtract(error, other_error).point(_ANY))
        return ImageChops.darker(error, other_error)

    def _shown(self, indices: Image.Image) -> Image.Image:
        return with_palette(indices.copy(), self._opaque).convert("RGB")

    def _finished(self, indices: Image.Image, picture: Image.Image) -> Image.Image:
        if HIDDEN in self.colors and picture.mode == "RGBA":
            indices.paste(self.colors.index(HIDDEN), mask=picture.getchannel("A").point(_NONE))
        return with_palette(indices, self.colors)


def choose(pictures: Sequence[Image.Image], most: int) -> Palette:
    """A palette of at most `most` colors (3…256) for those pictures (in mode L, RGB, or RGBA with no alpha but 0 and
    255), by median cut and k-means. HIDDEN comes last, if any picture is in mode RGBA."""
    hidden = [HIDDEN] if any(picture.mode == "RGBA" for picture in pictures) else []
    most -= len(hidden)
    flat = _flat_colors(pictures, most // 4)
    weights = _histogram(pictures)
    for color in flat:
        weights.pop(color[:3], None)
    colors = [*flat, *(_median_cut(weights, most - len(flat)) if weights else [])]
    return Palette((*colors, *hidden), tuple(_groups(_missed(flat, colors))))


def _histogram(pictures: Sequence[Image.Image]) -> Counter[tuple[int, ...]]:
    """How many pixels have each color, in as many bits as leave at most _MOST_DISTINCT colors; hidden ones left out."""
    bits = 0
    while True:
        found: Counter[tuple[int, ...]] = Counter()
        for picture in pictures:
            counted = _without_hidden(_coarse(picture, bits)).getcolors(_MOST_DISTINCT)
            if counted is None or len(found) > _MOST_DISTINCT:
                break
            for count, color in counted:
                found[_color(color)] += count
        else:
            return Counter({color[:3]: count for color, count in found.items() if color[3]})
        bits += 1


def _coarse(picture: Image.Image, bits: int) -> Image.Image:
    """The picture without its last bits, each color in the middle of those that become one."""
    if not bits:
        return picture
    levels = [level >> bits << bits | 1 << bits - 1 for level in range(_MOST)]
    bands = len(picture.getbands())
    return picture.point(levels * 3 + list(range(_MOST)) if bands == 4 else levels * bands)


def _median_cut(weights: Counter[tuple[int, ...]], most: int) -> list[Color]:
    pixels = b"".join(bytes(color) * max(1, round(count**_WEIGHT)) for color, count in weights.items())
    length = len(pixels) // 3
    row = Image.frombytes("RGB", (length, 1), pixels)
    return _palette(row.quantize(most, Image.Quantize.MEDIANCUT, kmeans=max(1, int(length * _SETTLED))))


def _flat_colors(pictures: Sequence[Image.Image], most: int) -> list[Color]:
    """The colors that fill areas, the largest first."""
    found: Counter[Color] = Counter()
    for picture in pictures:
        rgb, flat = picture.convert("RGB"), picture.convert("RGBA")
        steps = _largest(_steps(rgb)).point(_NONE)
        flat.putalpha(ImageChops.darker(steps, flat.getchannel("A")))
        for count, color in _without_hidden(flat).getcolors(_MOST_DISTINCT) or []:
            found[_color(color)] += count
    pixels = sum(picture.width * picture.height for picture in pictures)
    fewest = max(_FLAT_PIXELS, int(pixels * _FLAT_SHARE))
    large = sorted(((count, color) for color, count in found.items() if count >= fewest and color[3]), reverse=True)
    return [color for _, color in large][:most]


def _missed(flat: Sequence[Color], colors: Sequence[Color]) -> list[Color]:
    """Those of the flat colors that `nearest` would not find by Pillow's cells alone."""
    if not flat:
        return []
    row = Image.frombytes("RGB", (len(flat), 1), b"".join(bytes(color[:3]) for color in flat))
    off = _distance(row, Palette(tuple(colors), ()).nearest(row).convert("RGB")).tobytes()
    return [color for color, error in zip(flat, off, strict=True) if error]


def _groups(colors: Sequence[Color]) -> list[tuple[Color, ...]]:
    """The colors in groups within which Pillow's cells tell all colors apart; after a few groups, the rest is left."""
    groups: list[tuple[Color, ...]] = []
    rest = list(colors)
    while rest and len(groups) < _MOST_GROUPS:
        group: list[Color] = []
        for color in rest:
            if all(max(abs(one - other) for one, other in zip(color, taken, strict=True)) >= _APART for taken in group):
                group.append(color)
        groups.append(tuple(group))
        rest = [color for color in rest if color not in group]
    return groups


def _in_steps(picture: Image.Image, near: Image.Image) -> Image.Image:
    """A mask of where a smooth picture has become steps of equal pixels, which can be seen."""
    equal = _largest(_steps(near)).point(_NONE)
    rough = _largest(ImageChops.difference(picture, picture.filter(ImageFilter.BoxBlur(1))))
    smooth = rough.point([255 if level <= _SMOOTH_LEVELS else 0 for level in range(_MOST)])
    off = _largest(ImageChops.difference(picture, near)).filter(ImageFilter.MaxFilter(5))
    seen = off.point([255 if level >= _SEEN_LEVELS else 0 for level in range(_MOST)])
    return ImageChops.darker(ImageChops.darker(equal, smooth), seen)


def _steps(picture: Image.Image) -> Image.Image:
    """How far each pixel differs from those above and to its left, in each band."""
    above, left = ImageChops.offset(picture, 0, 1), ImageChops.offset(picture, 1, 0)
    return ImageChops.lighter(ImageChops.difference(picture, above), ImageChops.difference(picture, left))


def _largest(picture: Image.Image) -> Image.Image:
    """The largest of the three bands."""
    red, green, blue = picture.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _distance(one: Image.Image, other: Image.Image) -> Image.Image:
    """How far the colors of two pictures are apart: the sum over their bands, at most 255."""
    red, green, blue = ImageChops.difference(one, other).split()
    return ImageChops.add(ImageChops.add(red, green), blue)


def _mapped(picture: Image.Image, colors: Sequence[Color], dither: Image.Dither = Image.Dither.NONE) -> Image.Image:
    """The indices of the colors for an RGB picture, in mode L, as near as Pillow's cells tell."""
    palette = with_palette(Image.new("P", (1, 1)), colors)
    return _indices(picture.quantize(palette=palette, dither=dither))


def _exact_opaque(picture: Image.Image, index: dict[Color, int]) -> Image.Image:
    """Median cut keeps every color if there are not more than it may choose, and maps each to itself."""
    own = picture.quantize(_MOST, Image.Quantize.MEDIANCUT)
    places = [index.get(color, 0) for color in _palette(own)]
    return _indices(own).point(places + [0] * (_MOST - len(places)))


def _exact_transparent(picture: Image.Image, index: dict[Color, int]) -> Image.Image:
    """Finds the place of each pixel's color without alpha first, then that of each pair of such a place and alpha."""
    opaque = {color: place for place, color in enumerate(sorted({color[:3] for color in index}))}
    places = _exact_opaque(picture.convert("RGB"), {(*color, 255): place for color, place in opaque.items()})
    pairs = Image.merge("RGB", (places, picture.getchannel("A"), Image.new("L", picture.size)))
    return _exact_opaque(pairs, {(opaque[color[:3]], color[3], 0, 255): place for color, place in index.items()})


def _without_hidden(picture: Image.Image) -> Image.Image:
    """The picture with all pixels of alpha 0 as HIDDEN."""
    if picture.mode != "RGBA":
        return picture
    cleared = Image.new("RGBA", picture.size, HIDDEN)
    cleared.paste(picture, mask=picture.getchannel("A").point(_ANY))
    return cleared


def _indices(picture: Image.Image) -> Image.Image:
    """The indices of a picture in mode P, in mode L."""
    return Image.frombytes("L", picture.size, picture.tobytes())


def _palette(picture: Image.Image) -> list[Color]:
    levels = picture.getpalette() or []
    return [_color(tuple(levels[start : start + 3])) for start in range(0, len(levels), 3)]


def _color(color: object) -> Color:
    """A color as Pillow counts it: a level of gray, or a tuple."""
    if isinstance(color, tuple):
        red, green, blue, *alpha = color
        return red, green, blue, alpha[0] if alpha else 255
    assert isinstance(color, int)  # noqa: S101 - pictures in mode L count levels
    return color, color, color, 255
