"""Turns what a decoder made into plain samples of 8 bits in one of resampling's MODES, with transparency as alpha."""

from PIL import Image, ImageChops

from quickthumb.model.errors import UnsupportedImage


def check(image: Image.Image) -> None:
    """Raises UnsupportedImage for an opened file whose samples cannot be made plain."""
    if image.mode in ("I", "F"):
        raise UnsupportedImage("Images with 32-bit samples are not supported.")


def plain(image: Image.Image, transparent: object) -> Image.Image:
    """Converts a decoded picture to one of resampling's MODES: resolves its palette, key color and 16-bit samples.

    `transparent` is the color that stands for transparent, or what else Pillow's `info` says of transparency; or it is
    the alpha channel itself, as a picture of mode L.
    """
    if isinstance(transparent, Image.Image):
        return _with_alpha(image, transparent)
    if image.mode.startswith("I;16"):
        alpha = _alpha_of_16_bits(image, transparent) if isinstance(transparent, int) else None
        # Divides 16-bit samples by 257 to get 8 bits. Pillow's own conversion would clip everything above 255.
        image = image.convert("I").point(lambda sample: sample * (1 / 257) + 0.5).convert("L")
        return image if alpha is None else _with_alpha(image, alpha)
    if image.mode in ("RGB", "L", "1") and transparent is not None:
        image = _with_key(image.convert("L") if image.mode == "1" else image, transparent)
    if image.mode in ("L", "RGB", "RGBA", "CMYK"):
        return image
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _with_key(picture: Image.Image, key: object) -> Image.Image:
    picture = picture.copy()
    picture.info["transparency"] = key
    return picture.convert("RGBA")


def _with_alpha(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    colors = picture.split() if picture.mode == "RGB" else (picture.convert("L"),) * 3
    return Image.merge("RGBA", (*colors, alpha))


def _alpha_of_16_bits(image: Image.Image, key: int) -> Image.Image:
    """Alpha that is 0 where a gray picture has that sample. In 8 bits, its neighbors would be the same."""
    content = image.tobytes()
    halves = (key >> 8, key & 0xFF) if image.mode == "I;16B" else (key & 0xFF, key >> 8)
    first, second = (_differs(content[place::2], image.size, half) for place, half in enumerate(halves))
    return ImageChops.lighter(first, second)


def _differs(samples: bytes, size: tuple[int, int], key: int) -> Image.Image:
    return Image.frombytes("L", size, samples).point([0 if sample == key else 255 for sample in range(256)])
