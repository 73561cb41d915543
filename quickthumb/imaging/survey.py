"""A look at a source's header, for whoever must decide whether there is memory for it."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from quickthumb.imaging.budget import estimate_decode_bytes
from quickthumb.imaging.decoders import decoding, opened
from quickthumb.imaging.source import count_frames, format_name
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output

# These decoders read the file whole, and take it apart in memory.
_READ_WHOLE = ("WEBP", "AVIF", "HEIF")
# A profile, text or EXIF block as read, put together, and handed over to those who look into it.
_METADATA_COPIES = 4


def estimate_file_bytes(source: Path, outputs: Sequence[Output], limits: Limits) -> int:
    """What `estimate_decode_bytes` says of a file, whose header is read and nothing decoded; and its metadata.

    Raises what rendering would raise at the header: UnsupportedImage, BrokenImage, TooManyPixels, TooManyFrames.
    """
    with opened(source, limits) as image:
        with decoding():
            frames = count_frames(image, source, limits)
        return _beside_pictures(image, source) + estimate_decode_bytes(
            format=format_name(image),
            width=image.width,
            height=image.height,
            outputs=outputs,
            frames=frames,
            progressive="progressive" in image.info,
        )


def _beside_pictures(image: Image.Image, source: Path) -> int:
    if image.format in _READ_WHOLE:
        return source.stat().st_size * _METADATA_COPIES
    blocks = (value for value in image.info.values() if isinstance(value, bytes | str))
    return sum(map(len, blocks)) * _METADATA_COPIES
