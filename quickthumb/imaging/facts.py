"""The facts that a job reports about its source."""

import base64
from collections import Counter
from dataclasses import dataclass
from struct import iter_unpack

from PIL import Image

from quickthumb.imaging.color import Color
from quickthumb.imaging.levels import Levels
from quickthumb.imaging.metadata import Provenance
from quickthumb.imaging.orientation import Turn
from quickthumb.imaging.placeholder import thumbhash
from quickthumb.imaging.source import Source

# A ThumbHash keeps at most 7 waves per side: more pixels than this would only take more time.
_HASH_PIXELS = 20
_SIXTEENTHS = bytes((sample >> 4) * 17 for sample in range(256))


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a source after decoding. Width and height are in pixels of the upright picture.

    `dominant_color` is the most frequent color, rounded, as `#rrggbb` in sRGB. `thumbhash` is a placeholder of about 25
    bytes (https://evanw.github.io/thumbhash/), in base64. `hdr` says in which way the file has an HDR gain map:
    `ultra-hdr`, `iso-21496-1` or `apple`; the first of them if it has one in several ways, None if it has none.
    `provenance` is what the file says about the picture's origin, None if it says nothing.
    """

    format: str
    width: int
    height: int
    frames: int
    has_alpha: bool
    dominant_color: str
    thumbhash: str
    hdr: str | None = None
    provenance: Provenance | None = None


def gather(source: Source, levels: Levels, color: Color, provenance: Provenance | None) -> Facts:
    """Gathers the facts from the source and its first frame."""
    small = _small(source, levels, color)
    rgba = small.tobytes()
    return Facts(
        format=source.format.name,
        width=source.upright[0],
        height=source.upright[1],
        frames=source.frame_count,
        has_alpha=source.has_alpha,
        dominant_color=_dominant_color(rgba),
        thumbhash=base64.b64encode(thumbhash(*small.size, rgba)).decode(),
        hdr=source.gain_map.kind if source.gain_map else None,
        provenance=provenance,
    )


def _small(source: Source, levels: Levels, color: Color) -> Image.Image:
    scale = min(1.0, _HASH_PIXELS / max(source.size))
    size = (max(1, round(source.size[0] * scale)), max(1, round(source.size[1] * scale)))
    turn: Turn = source.turn
    return turn.apply(color.to_srgb(levels.cut((0, 0, *source.size), size))).convert("RGBA")


def _dominant_color(rgba: bytes) -> str:
    """The most frequent of 16 × 16 × 16 colors, as in sharp's statistics; transparent pixels do not count."""
    counted = Counter(iter_unpack("4B", rgba.translate(_SIXTEENTHS)))
    seen = [(count, color) for color, count in counted.items() if color[3] >= 128]
    if not seen:
        return "#000000"
    red, green, blue, _ = max(seen)[1]
    return f"#{red:02x}{green:02x}{blue:02x}"
