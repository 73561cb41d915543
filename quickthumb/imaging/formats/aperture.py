"""The clean aperture (`clap`: ISO 14496-12, 12.1.4): the part of a coded picture that is to be shown."""

import math
from fractions import Fraction

Pixels = tuple[int, int, int, int]

APERTURE_BYTES = 32


def read_aperture(data: bytes, size: tuple[int, int]) -> Pixels | None:
    """The part of a picture of `size` pixels: left, top, right, bottom.

    The box holds width, height, and how far the center of the part is from that of the picture, as fractions. Where
    these are not whole pixels, this rounds as libheif does. None for the whole picture, or if the box makes no sense.
    """
    terms = [data[at : at + 4] for at in range(0, APERTURE_BYTES, 4)]
    below = [int.from_bytes(term, "big") for term in terms[1::2]]
    if not all(below):
        return None
    above = [int.from_bytes(term, "big", signed=at >= 2) for at, term in enumerate(terms[::2])]
    width, height, right, down = map(Fraction, above, below)
    left, top = math.trunc(_start(width, right, size[0])), _rounded(_start(height, down, size[1]))
    part = (max(0, left), max(0, top), min(size[0], left + _rounded(width)), min(size[1], top + _rounded(height)))
    if part[0] >= part[2] or part[1] >= part[3] or part == (0, 0, *size):
        return None
    return part


def _start(length: Fraction, offset: Fraction, side: int) -> Fraction:
    """Where a part of that length begins whose center is `offset` from the center of the side."""
    return offset + Fraction(side - 1, 2) - (length - 1) / 2


def _rounded(number: Fraction) -> int:
    return math.floor(number + Fraction(1, 2))
