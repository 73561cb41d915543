"""Color: what a file says of its colors, and how its pictures come to sRGB.

A profile, code points (CICP) or a PNG's gamma and primaries describe the colors: `conversion` decides which of them
counts. `spaces` knows what code points mean, with the curves of `tone_mapping` for HDR, and `made_profiles` makes
profiles of them for littleCMS. `ink` converts CMYK without a profile, and `cielab` converts CIELAB.
"""

from quickthumb.imaging.color.conversion import TAKEN_FOR_SRGB, UNCHANGED, Color, Rgba, describes_colors, read

__all__ = ["TAKEN_FOR_SRGB", "UNCHANGED", "Color", "Rgba", "describes_colors", "read"]
