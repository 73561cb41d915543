"""The formats of results: one row of capabilities each. To add a format is to add a row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quickthumb.model.output import Output

Options = dict[str, Any]
# Above as many pixels, a JPEG takes the standard's Huffman tables.
OWN_TABLES_PIXELS = 150_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What an encoder's options depend on: the quality, whether to be lossless, and the pixels of one frame."""

    quality: int | None
    lossless: bool
    pixels: int


@dataclass(frozen=True, slots=True)
class Format:
    """What a format can hold, and how it is written.

    `pillow` is Pillow's name; `quality` the default, None where there is no such thing; `max_side` the most pixels a
    side; `options` are what Pillow's encoder is given.
    """

    name: str
    pillow: str
    extension: str
    options: Callable[[Asked], Options]
    alpha: bool = True
    animation: bool = True
    lossless: bool = False
    quality: int | None = None
    profile: bool = True
    metadata: bool = True
    tick_milliseconds: int = 1
    max_side: int = 65_535


def _jpeg(asked: Asked) -> Options:
    # From 90 on, whoever asks wants the colors at full resolution too. Huffman tables of its own save a thumbnail
    # 8 % of its bytes, but a picture of a megapixel 1 %, and take it twice the time.
    subsampling = 0 if (asked.quality or 0) >= 90 else 2
    return {"quality": asked.quality, "optimize": asked.pixels <= OWN_TABLES_PIXELS, "subsampling": subsampling}


def _png(_: Asked) -> Options:
    return {"compress_level": 6}


def _webp(asked: Asked) -> Options:
    if asked.lossless:
        return {"lossless": True, "quality": 75, "method": 4, "exact": True}
    return {"quality": asked.quality, "method": 4}


def _avif(asked: Asked) -> Options:
    return {"quality": asked.quality, "speed": 8, "max_threads": 1}


def _gif(_: Asked) -> Options:
    return {}


FORMATS = {
    row.name: row
    for row in (
        Format("jpeg", "JPEG", "jpg", _jpeg, alpha=False, animation=False, quality=80),
        Format("png", "PNG", "png", _png, lossless=True, max_side=2**31 - 1),
        Format("webp", "WEBP", "webp", _webp, lossless=True, quality=80, max_side=16_383),
        Format("avif", "AVIF", "avif", _avif, quality=60),
        Format("gif", "GIF", "gif", _gif, profile=False, metadata=False, tick_milliseconds=10),
    )
}


def choose(output: Output, source_format: str, has_alpha: bool, animated: bool) -> Format:
    """The row for an output, which is the one it names.

    `auto` keeps a web format, unless that lacks what else is asked for: to be lossless, or to have a quality that can
    be lowered for `max_bytes`. All others become jpeg, or webp where jpeg would lose something.
    """
    if output.format != "auto":
        return FORMATS[output.format]
    substitute = FORMATS["webp"] if has_alpha or animated or output.lossless else FORMATS["jpeg"]
    row = FORMATS.get(source_format, substitute)
    if output.lossless and not row.lossless:
        return FORMATS["webp"]
    return substitute if output.max_bytes is not None and row.quality is None else row
