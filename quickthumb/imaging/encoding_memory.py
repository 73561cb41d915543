"""How much memory encoding takes beside the pictures that are encoded.

The numbers are bytes per pixel, measured (libwebp 1.6, libavif 1.4 with libaom, Pillow 13) with noise, which takes
several times more than photos; `tests/imaging/test_memory.py` holds them against real encodings.
"""

from dataclasses import dataclass

from quickthumb.imaging.png_palettes import MOST_CHOSEN_PIXELS
from quickthumb.model.output import Output

# A JPEG of fewer pixels gets tables of its own, for which libjpeg keeps the whole picture.
_OWN_TABLES_PIXELS, _OWN_TABLES_BYTES = 150_000, 8


@dataclass(frozen=True, slots=True)
class _Costs:
    """What an encoder takes in bytes per pixel: for an opaque picture, for one with transparency, and for a gray one;
    for each frame of an animation; and the largest file, which is in memory once."""

    opaque: float
    alpha: float
    gray: float
    frame: float
    file: float


_COSTS = {
    "jpeg": _Costs(0, 0, 0, 0, 1.5),
    # A copy with a palette takes a byte, and then the file takes no more than another.
    "png": _Costs(0, 0, 0, 5, 4),
    "webp": _Costs(17, 30, 19, 4, 2),
    "avif": _Costs(23, 27, 18, 3, 1.5),
    "gif": _Costs(26, 28, 2, 5, 1.4),
}
_LOSSLESS_WEBP = _Costs(30, 30, 30, 4, 4)
# What choosing the colors of a palette takes.
_CHOOSING_COLORS_BYTES = 40
# A lossy WebP of the highest qualities keeps more of each block.
_FINE_WEBP_QUALITY, _FINE_WEBP_BYTES = 96, 4


def encoding_bytes(
    output: Output,
    format_name: str,
    pixels: int,
    frames: int,
    *,
    is_gray: bool,
    has_alpha: bool,
    from_palette: bool = False,
) -> int:
    """The most bytes that encoding `frames` pictures of `pixels` takes at any one time, beside these pictures.
    `from_palette` says that the source may have had a palette."""
    costs = _LOSSLESS_WEBP if format_name == "webp" and output.lossless else _COSTS[format_name]
    codec = costs.gray if is_gray else costs.alpha if has_alpha else costs.opaque
    if format_name == "jpeg" and pixels <= _OWN_TABLES_PIXELS:
        codec += _OWN_TABLES_BYTES
    if format_name == "webp" and not output.lossless and (output.quality or 0) >= _FINE_WEBP_QUALITY:
        codec += _FINE_WEBP_BYTES
    if from_palette and format_name == "png" and not output.lossless and frames == 1 and pixels <= MOST_CHOSEN_PIXELS:
        codec += _CHOOSING_COLORS_BYTES
    files = 2 if output.max_bytes is not None else 1  # the best so far, and the one that is being made
    file = min(costs.file, 1.1) if is_gray and format_name != "webp" else costs.file
    more = frames * costs.frame if frames > 1 else 0
    return int(pixels * (codec + more + files * file * frames))
