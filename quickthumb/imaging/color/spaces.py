"""Color spaces by their primaries and their transfer curve: those of the code points, and those of a PNG's chunks.

Code points are numbers of ITU-T H.273 (07/2024), tables 2 and 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quickthumb.imaging.color import tone_mapping
from quickthumb.imaging.formats.code_points import CodePoints

Matrix = tuple[tuple[float, float, float], ...]
Pair = tuple[float, float]

_UNSPECIFIED = 2
_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
# The white of ICC profiles in XYZ (ICC.1:2022, 7.2.16), and the cone responses of Bradford (annex E).
D50 = (0.9642, 1.0, 0.8249)
_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
# Chromaticities and exponents that differ less than this show no difference.
_NEAR, _NEAR_SRGB_GAMMA = 0.003, 0.05
_SRGB_EXPONENT = 2.2
_EXPONENTS = (0.1, 10.0)
# The fixed-point numbers of ICC profiles hold more; those of real primaries are below 1.
_MOST = 16.0


@dataclass(frozen=True, slots=True)
class Primaries:
    """The chromaticities x, y of white and of the three primaries."""

    white: Pair
    red: Pair
    green: Pair
    blue: Pair

    @property
    def numbers(self) -> tuple[float, ...]:
        return (*self.white, *self.red, *self.green, *self.blue)

    def is_near(self, other: "Primaries") -> bool:
        """Whether nobody sees a difference."""
        return all(abs(mine - its) < _NEAR for mine, its in zip(self.numbers, other.numbers, strict=True))


@dataclass(frozen=True, slots=True)
class Curve:
    """Light for a sample in 0…1, as in ICC.1:2022, 10.18, type 3: (a × sample + b) ^ gamma from d on, below that
    c × sample."""

    gamma: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0


@dataclass(frozen=True, slots=True)
class Space:
    """A color space. Its curve is a formula, or the light for each of 256 samples."""

    name: str
    primaries: Primaries
    curve: Curve | tuple[float, ...]
    is_hdr: bool = False

    @property
    def is_srgb(self) -> bool:
        """Whether nobody would see a difference to sRGB."""
        return self.curve == SRGB_CURVE and self.primaries.is_near(BT_709)


BT_709 = Primaries(_D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
SRGB_CURVE = Curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

_SMPTE_170M = Primaries(_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
_PRIMARIES = {
    1: ("BT.709", BT_709),
    4: ("BT.470 System M", Primaries(_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08))),
    5: ("BT.601 with 625 lines", Primaries(_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06))),
    6: ("BT.601 with 525 lines", _SMPTE_170M),
    7: ("SMPTE ST 240", _SMPTE_170M),
    8: ("generic film", Primaries(_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049))),
    9: ("BT.2020", Primaries(_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    10: ("SMPTE ST 428", Primaries((1 / 3, 1 / 3), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0))),
    11: ("DCI-P3", Primaries((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
    12: ("Display P3", Primaries(_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
    22: ("EBU Tech. 3213", Primaries(_D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077))),
}
# The curves of BT.709, BT.601 and BT.2020 tell how cameras made the samples, not how displays show them. Chromium shows
# such AVIFs with sRGB's curve (ui/gfx/color_space.cc gives the reasons), and so do programs that ignore code points. To
# PNGs, Chromium 156 applies a gamma of 2.4, which is darker in the shadows; here, both formats are treated alike.
_LIKE_SRGB = (1, 6, 11, 12, 13, 14, 15)
_CURVES = {
    4: ("gamma 2.2", Curve(2.2)),
    5: ("gamma 2.8", Curve(2.8)),
    7: ("the curve of SMPTE ST 240", Curve(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913)),
    8: ("linear light", Curve(1.0)),
    17: ("the curve of SMPTE ST 428", Curve(2.6, (52.37 / 48) ** (1 / 2.6))),
}
_HDR = {16: ("PQ", tone_mapping.pq), 18: ("HLG", tone_mapping.hlg)}


def named_by(points: CodePoints) -> Space | None:
    """The space of code points; None for numbers that are reserved or have no use in pictures. What is unspecified is
    sRGB's, as in MIAF (ISO 23000-22, 7.3.6.4)."""
    found = _PRIMARIES.get(1 if points.primaries == _UNSPECIFIED else points.primaries)
    transfer = 13 if points.transfer == _UNSPECIFIED else points.transfer
    if found is None:
        return None
    name, primaries = found
    if transfer in _HDR:
        name = "BT.2100" if points.primaries == 9 else name
        curve_name, mapped = _HDR[transfer]
        return Space(f"{name} {curve_name}", primaries, mapped(), is_hdr=True)
    if transfer in _LIKE_SRGB:
        return Space(name, primaries, SRGB_CURVE)
    if transfer not in _CURVES:
        return None
    curve_name, curve = _CURVES[transfer]
    return Space(f"{name} with {curve_name}", primaries, curve)


def told_by_png(gamma: float | None, chromaticities: Sequence[float] | None) -> Space | None:
    """The space of a PNG's chunks gAMA and cHRM; what is not given is sRGB's. None if one of them is nonsense.

    `gamma` is that of the file, such as 0.45455; `chromaticities` are white, red, green and blue.
    """
    primaries = BT_709
    if chromaticities is not None:
        primaries = _paired(chromaticities)
        if not _is_real(primaries):
            return None
    exponent = _SRGB_EXPONENT if gamma is None else 1 / gamma if gamma > 0 else 0.0
    if not _EXPONENTS[0] <= exponent <= _EXPONENTS[1]:
        return None
    is_common = primaries.is_near(BT_709)
    if gamma is None or (is_common and abs(exponent - _SRGB_EXPONENT) < _NEAR_SRGB_GAMMA):
        return Space("RGB with primaries of its own", primaries, SRGB_CURVE)
    name = "RGB with " if is_common else "RGB with primaries of its own and "
    return Space(f"{name}gamma {exponent:.3g}", primaries, Curve(exponent))


def colorants(primaries: Primaries) -> Matrix:
    """The matrix from linear RGB to XYZ, adapted to D50 by Bradford's method (ICC.1:2022, annex E).

    Raises ZeroDivisionError for primaries that lie on one line, and for a white without light.
    """
    shares = _shares(primaries)
    to_xyz = [[value * share for value, share in zip(row, shares, strict=True)] for row in _columns(primaries)]
    have, wanted = applied(_BRADFORD, _white(primaries)), applied(_BRADFORD, D50)
    scaled = [[value * want / has for value in row] for row, want, has in zip(_BRADFORD, wanted, have, strict=True)]
    return product(inverse(_BRADFORD), product(scaled, to_xyz))


def _white(primaries: Primaries) -> tuple[float, float, float]:
    """White in XYZ, of luminance 1."""
    x, y = primaries.white
    return x / y, 1.0, (1 - x - y) / y


def _columns(primaries: Primaries) -> list[tuple[float, float, float]]:
    """The rows of the matrix whose columns are the primaries' chromaticities x, y, z."""
    corners = [(x, y, 1 - x - y) for x, y in (primaries.red, primaries.green, primaries.blue)]
    return list(zip(*corners, strict=True))


def _shares(primaries: Primaries) -> tuple[float, float, float]:
    """How much of each primary makes white."""
    return applied(inverse(_columns(primaries)), _white(primaries))


def inverse(matrix: Sequence[Sequence[float]]) -> Matrix:
    """The inverse of a matrix. Raises ZeroDivisionError if there is none."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    one, two, three = e * i - f * h, f * g - d * i, d * h - e * g
    size = a * one + b * two + c * three
    return (
        (one / size, (c * h - b * i) / size, (b * f - c * e) / size),
        (two / size, (a * i - c * g) / size, (c * d - a * f) / size),
        (three / size, (b * g - a * h) / size, (a * e - b * d) / size),
    )


def product(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> Matrix:
    """The matrix that does what `other` does, and then what `one` does."""
    columns = [applied(one, column) for column in zip(*other, strict=True)]
    (a, b, c), (d, e, f), (g, h, i) = columns
    return (a, d, g), (b, e, h), (c, f, i)


def applied(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> tuple[float, float, float]:
    """The matrix times the vector."""
    x, y, z = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return x, y, z


def _paired(numbers: Sequence[float]) -> Primaries:
    white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
    return Primaries(white, red, green, blue)


def _is_real(primaries: Primaries) -> bool:
    """Whether these are chromaticities, white is a mixture of the primaries, and a profile can hold the matrix."""
    if not all(0 <= number <= 1 for number in primaries.numbers):
        return False
    try:
        most = max(abs(value) for row in colorants(primaries) for value in row)
        return min(_shares(primaries)) > 0 and most < _MOST
    except ZeroDivisionError:
        return False
