"""CIELAB, whose conversion Pillow leaves to us."""

from PIL import Image, ImageCms

CIELAB = "CIELAB"


def from_cielab(image: Image.Image) -> Image.Image:
    """Converts CIELAB to sRGB. In a picture read as plain samples, a* and b* are signed (TIFF 6.0, section 23)."""
    if image.mode != "LAB":
        lightness, *others = image.split()
        a, b = (band.point([(sample + 128) % 256 for sample in range(256)]) for band in others)
        image = Image.merge("LAB", (lightness, a, b))
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(lab, srgb, "LAB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    return transform.apply(image)
