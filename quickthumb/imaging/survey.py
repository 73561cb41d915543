"""A look at a source's header, for whoever must decide whether there is memory for it."""

from collections.abc import Sequence
from pathlib import Path

from quickthumb.imaging.budget import estimate_decode_bytes
from quickthumb.imaging.decoders import decoding, opened
from quickthumb.imaging.limits import Limits
from quickthumb.imaging.parameters import Output
from quickthumb.imaging.source import count_frames, format_name


def estimate_file_bytes(source: Path, outputs: Sequence[Output], limits: Limits) -> int:
    """What `estimate_decode_bytes` says of a file, whose header is read and nothing decoded.

    Raises what rendering would raise at the header: UnsupportedImage, BrokenImage, TooManyPixels, TooManyFrames.
    """
    with opened(source, limits) as image:
        with decoding():
            frames = count_frames(image, source, limits)
        return estimate_decode_bytes(
            format=format_name(image),
            width=image.width,
            height=image.height,
            outputs=outputs,
            frames=frames,
            progressive="progressive" in image.info,
        )
