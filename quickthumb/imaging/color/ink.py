"""CMYK without a profile: common offset printing.

The profile is "CGATS001Compat-v2-micro" of Clinton Ingram's Compact ICC Profiles
(https://github.com/saucecontrol/Compact-ICC-Profiles), which are in the public domain (CC0 1.0: swop.license.txt). It
describes the same printing as "U.S. Web Coated (SWOP) v2", which nobody may pass on: solid inks are equal, and on a
photo the mean CIE76 difference is 0.4. libvips uses it for the same purpose.
"""

import io
from functools import lru_cache
from importlib.resources import files

from PIL import Image, ImageCms

SWOP = "CMYK without a profile, assumed to be SWOP,"
# Read at import: a sandbox process may read no files later.
_PROFILE = files(__package__).joinpath("swop.icc").read_bytes()


def to_srgb(picture: Image.Image) -> Image.Image:
    """Converts a CMYK picture to RGB."""
    return _transform().apply(picture)


@lru_cache(maxsize=1)
def _transform() -> ImageCms.ImageCmsTransform:
    """Made once, since that takes a tenth of a second. Threads may share it: littleCMS changes nothing in it."""
    swop, srgb = ImageCms.ImageCmsProfile(io.BytesIO(_PROFILE)), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(swop, srgb, "CMYK", "RGB", ImageCms.Intent.PERCEPTUAL)
