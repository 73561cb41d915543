"""PNG (ISO 15948) and APNG, whose frames all lie within the size given in the first chunk."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

from quickthumb.imaging.formats.blocks import EXIF, RESOLUTION, TEXTS, Blocks
from quickthumb.imaging.formats.blocks import XMP as XMP_KIND
from quickthumb.imaging.formats.exif import MOST_BYTES, if_arrived, told_by_exif, told_by_xmp
from quickthumb.imaging.formats.row import (
    Asked,
    Decoder,
    Encoder,
    Format,
    Header,
    NeedMore,
    Options,
    Window,
    count_with_pillow,
)
from quickthumb.imaging.formats.watch import Allowance
from quickthumb.model.errors import BrokenImage
from quickthumb.model.limits import Limits

if TYPE_CHECKING:
    from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_SIDE = 2**31 - 1
MOST_CHUNKS = 1024
# Length and name.
CHUNK_HEAD_BYTES = 8
# Encoders cut pixels into chunks of 8 KiB or more; Pillow takes about 10 µs for each.
MOST_SHORT_CHUNKS = 10_000
AVERAGE_CHUNK_BYTES = 1024
# The offset behind the signature and the first chunk: length and name, 13 bytes, a checksum.
SECOND_CHUNK = len(SIGNATURE) + 8 + 13 + 4
MOST_TEXT_BYTES = 16 * 1024 * 1024
XMP = "XML:com.adobe.xmp"
MOST_KEYWORD_LETTERS = 80
# ImageMagick and libvips store blocks as texts: a name, a length, and hexadecimal digits (PNG specification, 1.2).
RAW_PROFILE = "Raw profile type "


def read_header(window: Window) -> Header:
    """The size from the first chunk; the orientation if its chunk comes before the pixels and has arrived."""
    return Header("png", *read_size(window, 0), if_arrived(partial(_orientation, window)))


def read_size(window: Window, start: int) -> tuple[int, int]:
    """Width and height of the PNG whose signature is at `start`."""
    chunk = window.at(start + len(SIGNATURE), 16)
    if chunk[:8] != b"\x00\x00\x00\x0dIHDR":
        raise BrokenImage("The image is damaged: the PNG does not begin with its header.")
    width, height = int.from_bytes(chunk[8:12], "big"), int.from_bytes(chunk[12:16], "big")
    if max(width, height) > LARGEST_SIDE:
        raise BrokenImage("The image is damaged: the PNG's size is impossible.")
    return width, height


def _orientation(window: Window) -> int:
    xmp = b""
    offset = SECOND_CHUNK
    for _ in range(MOST_CHUNKS):
        chunk = window.at(offset, 8)
        length, name = int.from_bytes(chunk[:4], "big"), chunk[4:]
        if name == b"IDAT":
            break
        if name in (b"eXIf", b"iTXt"):
            content = window.at(offset + 8, min(length, MOST_BYTES))
            told = told_by_exif(content) if name == b"eXIf" else None
            if told is not None:
                return told
            if content.startswith(XMP.encode() + b"\0"):
                xmp = content
        offset += 8 + length + 4
    return told_by_xmp(xmp)


def watch(_: Limits) -> Generator[tuple[int, int], bytes, None]:
    """Counts chunks up to the last one. Raises BrokenImage at a second header: decoders would believe that one."""
    chunks = Allowance("chunks", MOST_SHORT_CHUNKS, AVERAGE_CHUNK_BYTES)
    is_first, skipped = True, len(SIGNATURE)
    while True:
        head = yield skipped, CHUNK_HEAD_BYTES
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        chunks.take(length)
        if name == b"IEND":
            return
        if name == b"IHDR" and not is_first:
            raise BrokenImage("The image is damaged: the PNG has two headers.")
        is_first, skipped = False, length + 4


def require_sound_chunks(window: Window, start: int) -> None:
    """Does what `watch` does for the PNG at `start` within another file, as far as that has arrived."""
    steps = watch(Limits())
    at = start + next(steps)[0]
    with contextlib.suppress(NeedMore, StopIteration):
        while not window.ends_before(at + CHUNK_HEAD_BYTES - 1):
            skipped, _ = steps.send(window.at(at, CHUNK_HEAD_BYTES))
            at += CHUNK_HEAD_BYTES + skipped


def unwrapped(text: str) -> bytes:
    """The block that a text of the kind "Raw profile type …" holds; empty if the text is damaged."""
    parts = text.split(maxsplit=2)
    try:
        return bytes.fromhex(parts[2]) if len(parts) == 3 else b""
    except ValueError:
        return b""


def _key_color(image: Image.Image) -> object:
    """The color that stands for transparent, in 8 bits; Pillow leaves it in 16 bits for 16-bit pictures."""
    key = image.info.get("transparency")
    sixteen = any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    if sixteen and isinstance(key, tuple):
        return tuple(sample >> 8 for sample in key)
    if image.mode.startswith("I;16") and isinstance(key, int):
        return round(key / 257)
    return key


def _set_up() -> None:
    """Bounds what the texts of one file unfold to: they are read, but only XMP is ever used."""
    from PIL import PngImagePlugin

    PngImagePlugin.MAX_TEXT_MEMORY = MOST_TEXT_BYTES


def _options(_: Asked) -> Options:
    return {"compress_level": 6}


def _embed(blocks: Blocks) -> Options:
    """A PNG stores XMP in a text chunk of that name (XMP specification, part 3)."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    if blocks.xmp:
        texts.add_itxt(XMP, blocks.xmp.decode("utf-8", "replace"))
    for keyword, text in blocks.texts:
        if 0 < len(keyword) < MOST_KEYWORD_LETTERS and "\0" not in text:
            texts.add_text(keyword, text)
    options = {"exif": blocks.exif, "dpi": blocks.resolution, "pnginfo": texts if texts.chunks else None}
    return {name: value for name, value in options.items() if value}


PNG = Format(
    name="png",
    media_type="image/png",
    extensions=("png", "apng"),
    signatures=(SIGNATURE,),
    read_header=read_header,
    decoder=Decoder(
        pillow=("PNG",),
        set_up=_set_up,
        watch=watch,
        count_frames=count_with_pillow,
        key_color=_key_color,
        late_metadata=True,
    ),
    encoder=Encoder(
        "PNG",
        _options,
        lossless=True,
        ticks_milliseconds=(1, 10, 1000),
        most_ticks=2**16 - 1,
        max_side=LARGEST_SIDE,
        holds=frozenset({EXIF, XMP_KIND, TEXTS, RESOLUTION}),
        embed=_embed,
    ),
)
