"""Color: what a file says of its colors, and how its pictures come to sRGB.

A profile, code points (CICP) or a PNG's gamma and primaries describe the colors: `conversion` decides which of them
counts. `profiles` converts through profiles. `spaces` knows what the others mean, with the curves of `tone_mapping` for
HDR, and `made_profiles` makes profiles of them. `ink` converts CMYK without a profile, and `cielab` converts CIELAB.
"""

from quickthumb.imaging.color.cielab import CIELAB, from_cielab
from quickthumb.imaging.color.conversion import TAKEN_FOR_SRGB, UNCHANGED, Color, describes_colors, read
from quickthumb.imaging.color.profiles import Rgba

__all__ = ["CIELAB", "TAKEN_FOR_SRGB", "UNCHANGED", "Color", "Rgba", "describes_colors", "from_cielab", "read"]
