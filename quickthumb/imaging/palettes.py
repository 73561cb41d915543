"""Palettes: the colors of pictures that have few, and a choice of colors for pictures that have many.

Pillow maps a picture to a given palette by cells of 4 × 4 × 4 levels, so that white can become 253,252,252. Here Pillow
maps several times, with the picture brighter by one level each time, and each pixel takes the nearest of the answers.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter

from quickthumb.imaging.indexed import (
    ANY,
    HIDDEN,
    MOST,
    Color,
    color_of,
    colors_of,
    exact,
    indices_of,
    palette_of,
    with_palette,
    without_hidden,
)

__all__ = ["HIDDEN", "Color", "Palette", "choose", "colors_of", "exact", "quantize", "with_palette"]

_NONE = [255] + [0] * 255

# Colors are chosen from at most so many distinct ones. If pictures have more, they are chosen from so many of their
# pixels, and if need be, colors that differ only in their last bits count as one.
_MOST_DISTINCT, _SAMPLES = 16_384, 32_768
# A color counts by the square root of its pixels, so that large areas leave colors to the small ones.
_WEIGHT = 0.5
# Colors are moved to the middle of their pixels until no more than this share of the pixels changes its color.
_SETTLED = 1 / 100
# A color that fills areas does so in at least so many pixels; such colors take at most a quarter of a palette.
_FLAT_SHARE, _FLAT_PIXELS = 1 / 1000, 8
# The sides of Pillow's cells, and how far colors must be apart for it to tell them from each other.
_CELL, _APART, _MOST_GROUPS = 4, 9, 4
# Dots only help where a picture differs from its surroundings by at most so many levels, and from its nearest colors by
# at least so many.
_SMOOTH_LEVELS, _SEEN_LEVELS = 2, 3
# By how many levels, in all bands together, the color of the frame before may be farther than the nearest one.
_HELD_LEVELS = 4


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


@dataclass(frozen=True, slots=True)
class Palette:
    """Colors for pictures that have more. `groups` are those that Pillow's cells may miss, and that must stay exact."""

    colors: tuple[Color, ...]
    groups: tuple[tuple[Color, ...], ...]

    def nearest(self, picture: Image.Image, before: Image.Image | None = None) -> Image.Image:
        """A picture (in mode L, RGB, or RGBA with no alpha but 0 and 255) in its nearest colors, in mode P.

        Equal pixels become equal, in all pictures. With `before`, the result for the frame before this one, a pixel
        whose color of before is nearly as near keeps that, so that what hardly changes stands still.
        """
        rgb = _as_rgb(picture)
        indices = self._nearest(rgb)
        if before is not None:
            self._hold(indices, indices_of(before), rgb)
        return self._finished(indices, picture)

    def dithered(self, picture: Image.Image) -> Image.Image:
        """As `nearest`, but with dots of two colors where a smooth area would become steps, by error diffusion (Floyd
        and Steinberg). Elsewhere the dots would only be noise."""
        rgb = _as_rgb(picture)
        indices = self._nearest(rgb)
        near = self._shown(indices)
        dots = _in_steps(rgb, near)
        dotted = ImageChops.darker(dots, _largest(ImageChops.difference(rgb, near)).point(ANY))
        near.paste(rgb, mask=dots)
        indices.paste(_mapped(near, self._opaque, Image.Dither.FLOYDSTEINBERG), mask=dotted)
        return self._finished(indices, picture)

    @property
    def _opaque(self) -> tuple[Color, ...]:
        return tuple(color for color in self.colors if color != HIDDEN)

    def _nearest(self, picture: Image.Image) -> Image.Image:
        indices = _mapped(picture, self._opaque)
        error = _distance(picture, self._shown(indices))
        for brighter in range(1, _CELL):
            raised = picture.point([min(255, level + brighter) for level in range(MOST)] * 3)
            error = self._improve(indices, _mapped(raised, self._opaque), picture, error)
        for group in self.groups:
            places = [self._opaque.index(color) for color in group]
            members = _mapped(picture, group).point(places + [0] * (MOST - len(places)))
            error = self._improve(indices, members, picture, error)
        return indices

    def _improve(
        self, indices: Image.Image, others: Image.Image, picture: Image.Image, error: Image.Image
    ) -> Image.Image:
        """Takes those of the other indices that are nearer to the picture; returns the error that is left."""
        other_error = _distance(picture, self._shown(others))
        indices.paste(others, mask=ImageChops.subtract(error, other_error).point(ANY))
        return ImageChops.darker(error, other_error)

    def _hold(self, indices: Image.Image, before: Image.Image, picture: Image.Image) -> None:
        """Takes the colors of before where they are nearly as near, but for colors that are exact."""
        error = _distance(picture, self._shown(indices))
        farther = ImageChops.subtract(_distance(picture, self._shown(before)), error)
        nearly = farther.point([255 if level <= _HELD_LEVELS else 0 for level in range(MOST)])
        visible = before.point([255 if index < len(self._opaque) else 0 for index in range(MOST)])
        indices.paste(before, mask=ImageChops.darker(ImageChops.darker(nearly, visible), error.point(ANY)))

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
    """How many pixels have each color, hidden ones left out; of few pixels or in few bits if there are many colors."""
    found = _counted(pictures)
    if found is None:
        samples = [_sampled(picture, -(-_SAMPLES // len(pictures))) for picture in pictures]
        tries = (_counted([_coarse(sample, bits) for sample in samples]) for bits in range(8))
        found = next(counted for counted in tries if counted is not None)
    return Counter({color[:3]: count for color, count in found.items() if color[3]})


def _counted(pictures: Sequence[Image.Image]) -> Counter[Color] | None:
    """How many pixels have each color; None if there are more than _MOST_DISTINCT."""
    found: Counter[Color] = Counter()
    for picture in pictures:
        counted = without_hidden(picture).getcolors(_MOST_DISTINCT)
        if counted is None:
            return None
        for count, color in counted:
            found[color_of(color)] += count
        if len(found) > _MOST_DISTINCT:
            return None
    return found


def _sampled(picture: Image.Image, pixels: int) -> Image.Image:
    """About so many of the picture's pixels, evenly spread."""
    scale = min(1.0, math.sqrt(pixels / (picture.width * picture.height)))
    size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
    return picture.resize(size, Image.Resampling.NEAREST)


def _coarse(picture: Image.Image, bits: int) -> Image.Image:
    """The picture without its last bits, each color in the middle of those that become one."""
    if not bits:
        return picture
    levels = [level >> bits << bits | 1 << bits - 1 for level in range(MOST)]
    bands = len(picture.getbands())
    return picture.point(levels * 3 + list(range(MOST)) if bands == 4 else levels * bands)


def _median_cut(weights: Counter[tuple[int, ...]], most: int) -> list[Color]:
    pixels = b"".join(bytes(color) * max(1, round(count**_WEIGHT)) for color, count in weights.items())
    length = len(pixels) // 3
    row = Image.frombytes("RGB", (length, 1), pixels)
    return palette_of(row.quantize(most, Image.Quantize.MEDIANCUT, kmeans=max(1, int(length * _SETTLED))))


def _flat_colors(pictures: Sequence[Image.Image], most: int) -> list[Color]:
    """The colors that fill areas, the largest first."""
    found: Counter[Color] = Counter()
    for picture in pictures:
        is_flat = _largest(_steps(_as_rgb(picture))).point(_NONE)
        flat = picture.convert("RGBA")
        flat.putalpha(ImageChops.darker(is_flat, flat.getchannel("A")))
        for count, color in without_hidden(flat).getcolors(_MOST_DISTINCT) or []:
            found[color_of(color)] += count
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
    smooth = rough.point([255 if level <= _SMOOTH_LEVELS else 0 for level in range(MOST)])
    off = _largest(ImageChops.difference(picture, near)).filter(ImageFilter.MaxFilter(5))
    seen = off.point([255 if level >= _SEEN_LEVELS else 0 for level in range(MOST)])
    return ImageChops.darker(ImageChops.darker(equal, smooth), seen)


def _as_rgb(picture: Image.Image) -> Image.Image:
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _steps(picture: Image.Image) -> Image.Image:
    """How far each pixel differs from those above and to its left, in each band."""
    steps = ImageChops.difference(picture, ImageChops.offset(picture, 1, 0))
    return ImageChops.lighter(steps, ImageChops.difference(picture, ImageChops.offset(picture, 0, 1)))


def _largest(picture: Image.Image) -> Image.Image:
    """The largest of the three bands."""
    largest = ImageChops.lighter(picture.getchannel(0), picture.getchannel(1))
    return ImageChops.lighter(largest, picture.getchannel(2))


def _distance(one: Image.Image, other: Image.Image) -> Image.Image:
    """How far the colors of two pictures are apart: the sum over their bands, at most 255."""
    red, green, blue = ImageChops.difference(one, other).split()
    return ImageChops.add(ImageChops.add(red, green), blue)


def _mapped(picture: Image.Image, colors: Sequence[Color], dither: Image.Dither = Image.Dither.NONE) -> Image.Image:
    """The indices of the colors for an RGB picture, in mode L, as near as Pillow's cells tell."""
    palette = with_palette(Image.new("P", (1, 1)), colors)
    return indices_of(picture.quantize(palette=palette, dither=dither))
