"""Which formats can be read here, told without loading a decoder: the web process asks before it accepts an image."""

from importlib.util import find_spec

from quickthumb.model.errors import UnsupportedImage

# What `header` recognises and `decoders` reads, whatever is installed.
ALWAYS = frozenset({"jpeg", "png", "gif", "webp", "avif", "tiff", "bmp", "ico"})


def require_readable(format_name: str) -> None:
    """Raises UnsupportedImage for a format that no decoder here can read."""
    if format_name in ALWAYS or (format_name == "heif" and find_spec("pillow_heif") is not None):
        return
    raise UnsupportedImage(f"The image is {format_name.upper()}, a format that is not read here.")
