"""Turns what a decoder made into plain samples of 8 bits in one of resampling's MODES, with transparency as alpha."""

from PIL import Image

from quickthumb.model.errors import UnsupportedImage


def check(image: Image.Image) -> None:
    """Raises UnsupportedImage for an opened file whose samples cannot be made plain."""
    if image.mode in ("I", "F"):
        raise UnsupportedImage("Images with 32-bit samples are not supported.")


def plain(image: Image.Image, transparent: object) -> Image.Image:
    """Converts a decoded picture to one of resampling's MODES: resolves its palette, key color and 16-bit samples.

    `transparent` is the color that stands for transparent, or what else Pillow's `info` says of transparency.
    """
    if image.mode.startswith("I;16"):
        # Divides 16-bit samples by 257 to get 8 bits. Pillow's own conversion would clip everything above 255.
        image = _with_key(image.convert("I").point(lambda sample: sample * (1 / 257) + 0.5).convert("L"), transparent)
    elif image.mode in ("RGB", "L", "1") and transparent is not None:
        image = _with_key(image.convert("L") if image.mode == "1" else image, transparent)
    if image.mode in ("L", "RGB", "RGBA", "CMYK"):
        return image
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _with_key(picture: Image.Image, transparent: object) -> Image.Image:
    if transparent is None:
        return picture
    picture = picture.copy()
    picture.info["transparency"] = transparent
    return picture.convert("RGBA")
