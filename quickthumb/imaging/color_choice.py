"""Chooses the colors of a palette for pictures that have more."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from PIL import Image, ImageChops

from quickthumb.imaging.indexed import HIDDEN, MOST, Color, color_of, palette_of, without_hidden
from quickthumb.imaging.nearest_colors import NONE, Palette, as_rgb, distance

# Colors are chosen from at most so many distinct ones. If pictures have more, they are chosen from so many of their
# pixels, and if need be, colors that differ only in their last bits count as one.
_MOST_DISTINCT, _SAMPLES = 16_384, 32_768
_STACK_PIXELS = 1 << 19
# A color counts by the square root of its pixels, so that large areas leave colors to the small ones.
_WEIGHT = 0.5
# Colors are moved to the middle of their pixels until no more than this share of the pixels changes its color.
_SETTLED = 1 / 100
# A color that fills areas does so in at least so many pixels; such colors take at most a quarter of a palette.
_FLAT_SHARE, _FLAT_PIXELS = 1 / 1000, 8
# How far colors must be apart for Pillow's cells to tell them from each other, and how many groups are made of those
# that are not.
_APART, _MOST_GROUPS = 9, 4


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
    found: Counter[object] = Counter()  # as Pillow counts colors
    for picture in _stacked(pictures):
        counted = without_hidden(picture).getcolors(_MOST_DISTINCT)
        if counted is None:
            return None
        for count, color in counted:
            found[color] += count
        if len(found) > _MOST_DISTINCT:
            return None
    return Counter({color_of(color): count for color, count in found.items()})


def _stacked(pictures: Sequence[Image.Image]) -> Iterator[Image.Image]:
    """Pictures of one size and mode in stacks, as colors that many of them have are counted faster in one."""
    (width, height), mode = pictures[0].size, pictures[0].mode
    several = max(1, _STACK_PIXELS // (width * height))
    for start in range(0, len(pictures), several):
        some = pictures[start : start + several]
        if len(some) == 1:
            yield some[0]
            continue
        stack = Image.new(mode, (width, height * len(some)))
        for place, picture in enumerate(some):
            stack.paste(picture, (0, height * place))
        yield stack


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
        is_flat = largest_band(steps(as_rgb(picture))).point(NONE)
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
    off = distance(row, Palette(tuple(colors), ()).nearest(row).convert("RGB")).tobytes()
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


def steps(picture: Image.Image) -> Image.Image:
    """How far each pixel differs from those above and to its left, in each band."""
    steps = ImageChops.difference(picture, ImageChops.offset(picture, 1, 0))
    return ImageChops.lighter(steps, ImageChops.difference(picture, ImageChops.offset(picture, 0, 1)))


def largest_band(picture: Image.Image) -> Image.Image:
    """The largest of the three bands."""
    largest = ImageChops.lighter(picture.getchannel(0), picture.getchannel(1))
    return ImageChops.lighter(largest, picture.getchannel(2))
