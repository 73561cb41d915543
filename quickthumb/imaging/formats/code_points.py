"""Code points: the colors of a file as numbers of ITU-T H.273 ("CICP"), where it needs no profile to tell them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodePoints:
    """The numbers of a file's color primaries and of its transfer characteristics.

    A PNG's outrank a profile (PNG 3rd edition, 4.3); those of AVIF and HEIF give way to one, as in libavif and
    browsers. The other two numbers, matrix coefficients and range, are the decoder's business.
    """

    primaries: int
    transfer: int
    outranks_profile: bool = False


# Both numbers are reserved: what a file says that is damaged, or that nobody supports.
UNUSABLE = CodePoints(0, 0)
