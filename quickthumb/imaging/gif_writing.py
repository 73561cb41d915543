"""Writes the frames of an animated GIF: each draws only what changes.

All frames share one palette and are mapped to it without dithering, so what stands still in the source stays still. A
frame is cut to the box of its changes, and unchanged pixels in it are transparent where that makes the file smaller.
Where a visible pixel becomes transparent, the frame before is cleared.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, cast

from PIL import Image, ImageChops

from quickthumb.imaging.color_choice import choose
from quickthumb.imaging.formats.gif_blocks import CLEAR, KEEP, Control
from quickthumb.imaging.indexed import ExactColors, colors_of
from quickthumb.imaging.palettes import quantize

Box = tuple[int, int, int, int]
_ToPalette = Callable[[Image.Image, Image.Image | None], Image.Image]
_COLORS = 256
# Alpha below this becomes transparent: a GIF has no partial transparency.
_OPAQUE = 128
_ALPHA = [0] * _OPAQUE + [255] * (256 - _OPAQUE)
# A source may have too few colors for the edges that resizing makes soft.
_FEWEST = 64
_ANY = [0] + [255] * 255


def give_palette(
    frames: list[Image.Image], dither: bool, source_colors: int | None, checkpoint: Callable[[], None]
) -> None:
    """Turns the frames (in mode L, RGB or RGBA) into mode P, in place, all with the same palette.

    All colors are kept if a GIF can hold them. Otherwise an animation has no more colors than its source, if that has
    `source_colors`, lest it become larger. Only a still is dithered: in an animation the dots would seem to crawl.
    Calls `checkpoint` before each frame.
    """
    for index, frame in enumerate(frames):
        frames[index] = _hard_edged(frame)
    if len(frames) == 1:
        checkpoint()
        frames[0] = quantize(frames[0], _COLORS, dither)
        return
    colors = colors_of(frames)
    if colors is not None:
        palette = ExactColors(colors)
        _map(frames, lambda part, _: palette.of(part), checkpoint)
        return
    most = max(_FEWEST, source_colors or _COLORS)
    most = min((1 << _palette_bits(most)) - 1, _COLORS - 1)  # one index is left for pixels that a frame leaves alone
    _map(frames, choose(frames, most).nearest, checkpoint)


def _map(frames: list[Image.Image], to_palette: _ToPalette, checkpoint: Callable[[], None]) -> None:
    """Maps each frame to the palette, in place; of all but the first, only the part that changes, which is given with
    what the frame before shows there."""
    seen, before = frames[0], None
    for index, frame in enumerate(frames):
        checkpoint()
        if before is None:
            before = to_palette(frame, None)
        elif box := ImageChops.difference(frame, seen).getbbox(alpha_only=False):
            part = to_palette(frame.crop(box), before.crop(box))
            before = before.copy()
            before.paste(part, box)
        seen, frames[index] = frame, before


def write(frames: Sequence[Image.Image], milliseconds: Sequence[int], loop: int | None, file: BinaryIO) -> None:
    """Writes an animation of frames in mode P that have the same size and palette. `loop` is how often it is repeated,
    0 forever; None leaves that out, and it is shown once."""
    hidden = frames[0].info.get("transparency")
    order = _order(frames, hidden)
    colors = frames[0].getpalette() or []
    palette = bytes(level for index in order for level in colors[3 * index : 3 * index + 3])
    file.write(_head(frames[0].size, palette, loop))
    places = [0] * _COLORS
    for place, index in enumerate(order):
        places[index] = place
    clear = None if hidden is None else places[hidden]
    for part, shown in zip(_parts(frames, hidden), milliseconds, strict=True):
        transparent, bits, codes = _encoded(part, places, clear, 1 << _palette_bits(len(order)))
        file.write(_frame(Control(transparent, part.disposal, shown), part.box, bits))
        file.write(codes)
    file.write(b";")


def _hard_edged(frame: Image.Image) -> Image.Image:
    """The picture with no alpha but 0 and 255."""
    if frame.mode != "RGBA":
        return frame
    frame = frame.copy()
    frame.putalpha(frame.getchannel("A").point(_ALPHA))
    return frame


@dataclass(frozen=True, slots=True)
class _Part:
    """What one frame draws: a box, its indices in mode L, a mask of those that differ from what was there, and what is
    done to the box afterwards."""

    box: Box
    indices: Image.Image
    changed: Image.Image | None  # None: all
    disposal: int


def _parts(frames: Sequence[Image.Image], hidden: int | None) -> Iterator[_Part]:
    """What each frame draws; the first fills the screen. `hidden` is the index of pixels that show nothing."""
    before: Image.Image | None = None
    for (picture, visible), (_, visible_later) in pairwise(_with_visible([*frames, frames[-1]], hidden)):
        gone = ImageChops.subtract(visible, visible_later).getbbox() if visible and visible_later else None
        disposal = CLEAR if gone else KEEP
        if before is None:
            box: Box = (0, 0, *picture.size)
            yield _Part(box, picture, None, disposal)
        else:
            changed = ImageChops.difference(picture, before).point(_ANY)
            box = _around(changed.getbbox(), gone)
            yield _Part(box, picture.crop(box), changed.crop(box), disposal)
        before = picture
        if gone and hidden is not None:
            before.paste(hidden, box)


def _with_visible(
    frames: Sequence[Image.Image], hidden: int | None
) -> Iterator[tuple[Image.Image, Image.Image | None]]:
    """The indices of each frame, and a mask of those that are visible; None if all are."""
    is_visible = [0 if index == hidden else 255 for index in range(_COLORS)]
    for frame in frames:
        indices = _indices(frame)
        yield indices, None if hidden is None else indices.point(is_visible)


def _order(frames: Sequence[Image.Image], hidden: int | None) -> list[int]:
    """The indices of the palette in the order in which they are written: those that most frames draw after the first
    come first, since small indices make small codes; the hidden one comes first of all."""
    uses = [0] * _COLORS
    for part in _parts(frames, hidden):
        if part.changed is not None:
            uses = [use + bool(pixels) for use, pixels in zip(uses, part.indices.histogram(part.changed), strict=True)]
    if hidden is not None:
        uses[hidden] = len(frames)
    count = len(frames[0].getpalette() or []) // 3
    return sorted(range(count), key=lambda index: -uses[index])


def _around(one: Box | None, other: Box | None) -> Box:
    """The box of both; a box of one pixel if there are none, since a frame has at least that."""
    boxes = [box for box in (one, other) if box]
    if not boxes:
        return (0, 0, 1, 1)
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _encoded(part: _Part, places: list[int], clear: int | None, count: int) -> tuple[int | None, int, bytes]:
    """The transparent index of a part, the size of its first code in bits, and its codes.

    `places` are the indices that are written, for all of the 256 that frames may have. Unchanged pixels are transparent
    where that takes fewer bytes. Any of the `count` indices that no changed pixel has can stand for transparent; if
    pixels are hidden in this animation, theirs does: `clear`.
    """
    indices = part.indices.point(places)
    whole = (clear, *_codes(indices))
    if part.changed is None:
        return whole
    used = indices.histogram(part.changed)
    free = next((index for index in range(count) if not used[index]), None) if clear is None else clear
    if free is None:
        return whole
    indices.paste(free, mask=ImageChops.invert(part.changed))
    return min((free, *_codes(indices)), whole, key=lambda encoded: len(encoded[2]))


def _codes(indices: Image.Image) -> tuple[int, bytes]:
    """Indices in LZW: the size of the first code in bits, and blocks."""
    _, most = cast("tuple[int, int]", indices.getextrema())
    bits = max(2, most.bit_length())
    return bits, indices.tobytes("gif", "L", bits, 0) + b"\0"


def _indices(frame: Image.Image) -> Image.Image:
    return Image.frombytes("L", frame.size, frame.tobytes())


def _head(size: tuple[int, int], colors: bytes, loop: int | None) -> bytes:
    """The screen, its palette, and Netscape's extension that says how often the animation is repeated."""
    bits = _palette_bits(len(colors) // 3)
    screen = _words(*size) + bytes((0x80 | bits - 1, 0, 0))
    repeats = b"" if loop is None else b"!\xff\x0bNETSCAPE2.0\x03\x01" + _words(loop) + b"\0"
    return b"GIF89a" + screen + colors.ljust(3 * 2**bits, b"\0") + repeats


def _palette_bits(count: int) -> int:
    """A palette's size is a power of two."""
    return max(1, (count - 1).bit_length())


def _frame(control: Control, box: Box, bits: int) -> bytes:
    """How a frame is shown, its box, and the size of its first code."""
    left, top, right, bottom = box
    flags = control.disposal << 2 | (control.transparent is not None)
    shown = bytes((flags,)) + _words(control.milliseconds // 10) + bytes((control.transparent or 0, 0))
    return b"!\xf9\x04" + shown + b"," + _words(left, top, right - left, bottom - top) + bytes((0, bits))


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "little") for number in numbers)
