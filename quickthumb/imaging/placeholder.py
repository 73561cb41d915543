"""ThumbHash: a blurred placeholder of about 25 bytes, with transparency and proportions.

The algorithm is Evan Wallace's (https://github.com/evanw/thumbhash). The library of that name on the package index
cannot hash transparent pictures, and evaluates every cosine for every pixel; this module transforms rows first, then
columns.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from operator import mul, sub

Channel = list[float]
_UNITS = [sample / 255 for sample in range(256)]


def thumbhash(width: int, height: int, rgba: bytes) -> bytes:
    """The ThumbHash of a picture of at most 100 pixels per side, given as RGBA samples row by row."""
    lightness, yellow_blue, red_green, alpha, transparent = _channels(rgba)
    longer = max(width, height)
    most = 5 if transparent else 7
    across, down = (max(1, math.floor(most * side / longer + 0.5)) for side in (width, height))
    l_dc, l_ac, l_scale = _encode(lightness, width, height, max(3, across), max(3, down))
    p_dc, p_ac, p_scale = _encode(yellow_blue, width, height, 3, 3)
    q_dc, q_ac, q_scale = _encode(red_green, width, height, 3, 3)
    landscape = width > height
    first = _level(63, l_dc) | _level(31.5, 1 + p_dc) << 6 | _level(31.5, 1 + q_dc) << 12 | _level(31, l_scale) << 18
    second = (down if landscape else across) | _level(63, p_scale) << 3 | _level(63, q_scale) << 9
    head = (first | transparent << 23).to_bytes(3, "little") + (second | landscape << 15).to_bytes(2, "little")
    waves = l_ac + p_ac + q_ac
    if transparent:
        a_dc, a_ac, a_scale = _encode(alpha, width, height, 5, 5)
        head += bytes([_level(15, a_dc) | _level(15, a_scale) << 4])
        waves += a_ac
    halves = [_level(15, wave) for wave in waves] + [0] * (len(waves) % 2)
    return head + bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))


def _channels(rgba: bytes) -> tuple[Channel, Channel, Channel, Channel, bool]:
    """Lightness, yellow against blue, red against green, alpha, and whether any pixel is transparent.

    Transparent pixels are blended with the average color. Opaque pictures, which most are, are spared the blending, and
    their alpha is left empty.
    """
    transparent = min(rgba[3::4]) < 255
    alpha = _in_units(rgba[3::4]) if transparent else []
    bands = (rgba[band::4] for band in range(3))
    red, green, blue = (_over_average(band, alpha) if transparent else _in_units(band) for band in bands)
    lightness = [(r + g + b) / 3 for r, g, b in zip(red, green, blue, strict=True)]
    yellow_blue = [(r + g) / 2 - b for r, g, b in zip(red, green, blue, strict=True)]
    return lightness, yellow_blue, list(map(sub, red, green)), alpha, transparent


def _in_units(band: bytes) -> Channel:
    """The samples of a band as 0…1."""
    return list(map(_UNITS.__getitem__, band))


def _over_average(band: bytes, alpha: Channel) -> Channel:
    weight = sum(alpha)
    average = _dot(band, alpha) / (255 * weight) if weight else 0.0
    return [sample / 255 * share + average * (1 - share) for sample, share in zip(band, alpha, strict=True)]


def _encode(channel: Channel, width: int, height: int, across: int, down: int) -> tuple[float, Channel, float]:
    """The channel's mean, its low frequencies (a triangle of a discrete cosine transform) in 0…1, and their scale."""
    rows = [channel[start : start + width] for start in range(0, width * height, width)]
    waves_x, waves_y = _cosines(width, across), _cosines(height, down)
    by_row = [list(map(sum, rows)), *([sum(map(mul, row, wave)) for row in rows] for wave in waves_x[1:])]
    mean, *factors = [
        _dot(by_row[x], waves_y[y]) / (width * height)
        for y, x in product(range(down), range(across))
        if x * down < across * (down - y)
    ]
    scale = max(map(abs, factors), default=0.0)
    return mean, [0.5 + 0.5 / scale * factor if scale else 0.0 for factor in factors], scale


@lru_cache(maxsize=64)
def _cosines(length: int, count: int) -> list[Channel]:
    return [[math.cos(math.pi / length * wave * (at + 0.5)) for at in range(length)] for wave in range(count)]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)))


def _level(levels: float, value: float) -> int:
    return math.floor(levels * value + 0.5)
