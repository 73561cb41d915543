"""Reads the samples of TIFFs that Pillow does not know, or would mix up: gray, RGB or CMYK of 8 or 16 bits, in one
plane or several, with any other samples beside it.

libtiff still unpacks them. It is handed the same file with another directory, which calls the bytes of each row a gray
picture of 8 bits; what these bytes mean is decided here, some rows at a time.
"""

import io
import shutil
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image, ImageChops, ImageMath, TiffImagePlugin

from quickthumb.imaging.color import Color
from quickthumb.imaging.formats import tiff_layout as tags
from quickthumb.imaging.formats.tiff_layout import Layout
from quickthumb.model.errors import BrokenImage

# How many bytes of samples are taken apart at once.
_BAND_BYTES = 1 << 18
_HEADER, _ENTRY, _COUNT, _LONG_TYPE, _LONG = struct.Struct("<2sHL"), struct.Struct("<HHLL"), "<H", 4, "<L"
_LARGEST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """Rows of bytes, in the order of the file: of one sample, or of `step` samples that take turns. The differences
    that a predictor leaves begin anew every `run` bytes; 0 if there are none."""

    rows: Image.Image
    step: int
    run: int


def decode(file: BinaryIO, found: Mapping[int, Any], is_big: bool, layout: Layout, ink: Color) -> Image.Image:
    """The picture in `layout.mode`, with samples of 8 bits. `found` are the tags of the file's directory; `is_big` says
    that the file is big-endian. Ink is converted by `ink` if some of it is transparent: no mode holds that.

    Raises BrokenImage, and what Pillow raises for damaged data.
    """
    sources = _unpack(file, found, layout)
    picture = Image.new(layout.mode, (layout.width, layout.height))
    rows = max(1, _BAND_BYTES // max(1, layout.width * layout.samples * layout.bits // 8))
    for top in range(0, layout.height, rows):
        bottom = min(top + rows, layout.height)
        planes = [plane for source in sources for plane in _planes(source, top, bottom, is_big, layout)]
        picture.paste(_picture(planes, layout, ink), (0, top))
    return picture


def _unpack(file: BinaryIO, found: Mapping[int, Any], layout: Layout) -> list[_Unpacked]:
    whole = io.BytesIO()
    file.seek(0)
    shutil.copyfileobj(file, whole)
    step = 1 if layout.planar else layout.samples
    pixel_bytes = step * layout.bits // 8
    run = pixel_bytes * found.get(tags.TILE_WIDTH, layout.width) if layout.predictor == 2 else 0
    unpacked = []
    for plane in range(layout.samples if layout.planar else 1):
        entries = _entries(found, layout, plane, pixel_bytes)
        unpacked.append(_Unpacked(_as_gray(whole, entries), step, run))
    return unpacked


def _entries(found: Mapping[int, Any], layout: Layout, plane: int, pixel_bytes: int) -> dict[int, tuple[int, ...]]:
    """The tags of a gray picture of 8 bits, whose samples are the bytes of one plane."""
    is_tiled = tags.TILE_OFFSETS in found
    entries: dict[int, tuple[int, ...]] = {
        tags.IMAGE_WIDTH: (layout.width * pixel_bytes,),
        tags.IMAGE_LENGTH: (layout.height,),
        tags.BITS: (8,),
        tags.COMPRESSION: (layout.compression,),
        tags.PHOTOMETRIC: (tags.BLACK_IS_ZERO,),
        tags.FILL_ORDER: (found.get(tags.FILL_ORDER, 1),),
    }
    if is_tiled:
        entries[tags.TILE_WIDTH] = (found.get(tags.TILE_WIDTH, 0) * pixel_bytes,)
        entries[tags.TILE_LENGTH] = (found.get(tags.TILE_LENGTH, 0),)
    else:
        entries[tags.ROWS_PER_STRIP] = (min(found.get(tags.ROWS_PER_STRIP, layout.height), layout.height),)
    for tag in (tags.TILE_OFFSETS, tags.TILE_BYTES) if is_tiled else (tags.STRIP_OFFSETS, tags.STRIP_BYTES):
        if tag in found:
            entries[tag] = _share(found[tag], plane, layout)
    return entries


def _share(values: Any, plane: int, layout: Layout) -> tuple[int, ...]:
    """The part of a list of strips or tiles that belongs to one plane."""
    listed = values if isinstance(values, tuple) else (values,)
    count = len(listed) // (layout.samples if layout.planar else 1)
    share = listed[plane * count : (plane + 1) * count]
    if not share or not all(isinstance(value, int) and 0 <= value <= _LARGEST for value in share):
        raise BrokenImage("The image is damaged: the TIFF's list of strips or tiles makes no sense.")
    return share


def _as_gray(whole: io.BytesIO, entries: dict[int, tuple[int, ...]]) -> Image.Image:
    """Reads the file again by another directory, which is put behind it."""
    start = whole.seek(0, io.SEEK_END)
    start += whole.write(bytes(start % 2))
    lists_start = start + struct.calcsize(_COUNT) + _ENTRY.size * len(entries) + struct.calcsize(_LONG)
    directory, lists = struct.pack(_COUNT, len(entries)), b""
    for tag, values in sorted(entries.items()):
        at = values[0] if len(values) == 1 else lists_start + len(lists)
        directory += _ENTRY.pack(tag, _LONG_TYPE, len(values), at)
        lists += struct.pack(f"<{len(values)}L", *values) if len(values) > 1 else b""
    whole.write(directory + struct.pack(_LONG, 0) + lists)
    whole.seek(0)
    whole.write(_HEADER.pack(b"II", 42, start))
    whole.seek(0)
    image = TiffImagePlugin.TiffImageFile(whole)
    image.load()
    return image


def _planes(source: _Unpacked, top: int, bottom: int, is_big: bool, layout: Layout) -> list[Image.Image]:
    """The samples of some rows, each a gray picture of 8 bits."""
    strip = source.rows.crop((0, top, source.rows.width, bottom))
    if source.run:
        strip, is_big = _summed(strip, source, layout.bits, is_big), is_big and layout.bits == 8
    data, size = strip.tobytes(), (layout.width, bottom - top)
    if layout.bits == 8:
        return [Image.frombytes("L", size, data[place :: source.step]) for place in range(source.step)]
    if layout.is_cielab:  # two of its samples are signed: their high bytes are their values in 8 bits
        high = 0 if is_big else 1
        return [Image.frombytes("L", size, data[2 * place + high :: 2 * source.step]) for place in range(source.step)]
    return [_of_sixteen_bits(data, size, place, source.step, is_big) for place in range(source.step)]


def _of_sixteen_bits(data: bytes, size: tuple[int, int], place: int, step: int, is_big: bool) -> Image.Image:
    low = 2 * place + (1 if is_big else 0)
    samples = bytearray(2 * size[0] * size[1])
    samples[0::2] = data[low :: 2 * step]
    samples[1::2] = data[low ^ 1 :: 2 * step]
    picture = Image.frombytes("I;16", size, bytes(samples)).convert("I")
    return picture.point(lambda sample: sample * (1 / 257) + 0.5).convert("L")


def _summed(strip: Image.Image, source: _Unpacked, bits: int, is_big: bool) -> Image.Image:
    """Undoes the horizontal predictor (TIFF 6.0, section 14), run by run; leaves samples of 16 bits little-endian."""
    for left in range(0, strip.width, source.run):
        box = (left, 0, min(left + source.run, strip.width), strip.height)
        run = strip.crop(box)
        strip.paste(_sums(run, source.step) if bits == 8 else _sums_of_sixteen(run, source.step, is_big), box)
    return strip


def _sums(run: Image.Image, step: int) -> Image.Image:
    """Adds to each sample all before it, by doubling: one pass for each power of two."""
    while step < run.width:
        run = ImageChops.add_modulo(run, _moved(run, step))
        step *= 2
    return run


def _sums_of_sixteen(run: Image.Image, step: int, is_big: bool) -> Image.Image:
    size = (run.width // 2, run.height)
    wide = Image.frombytes("I;16B" if is_big else "I;16", size, run.tobytes()).convert("I")
    while step < wide.width:
        wide = ImageMath.lambda_eval(
            lambda given: (given["run"] + given["moved"]) & 0xFFFF, run=wide, moved=_moved(wide, step)
        )
        step *= 2
    return Image.frombytes("L", run.size, wide.convert("I;16").tobytes())


def _moved(run: Image.Image, step: int) -> Image.Image:
    moved = Image.new(run.mode, run.size)
    moved.paste(run.crop((0, 0, run.width - step, run.height)), (step, 0))
    return moved


def _picture(planes: list[Image.Image], layout: Layout, ink: Color) -> Image.Image:
    colors = planes[: layout.colors]
    if layout.photometric == tags.WHITE_IS_ZERO:
        colors = [ImageChops.invert(colors[0])]
    if layout.alpha is None:
        return Image.merge(layout.mode, colors)
    alpha = planes[layout.alpha]
    if layout.colors == 4:
        colors = list(ink.to_srgb(Image.merge("CMYK", colors)).split())
    merged = Image.merge(
        "RGBa" if layout.premultiplied else "RGBA", [*(colors * 3)[:3], alpha] if len(colors) == 1 else [*colors, alpha]
    )
    return merged.convert("RGBA")
