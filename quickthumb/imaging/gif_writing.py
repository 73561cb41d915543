"""Writes the frames of an animated GIF: each draws only what changes.

All frames share one palette and are mapped to it without dithering, so what stands still in the source stays still. A
frame is cut to the box of its changes, and unchanged pixels in it are transparent where that makes the file smaller.
Where a visible pixel becomes transparent, the frame before is cleared.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import BinaryIO

from PIL import Image, ImageChops

from quickthumb.imaging.formats.gif_blocks import CLEAR, KEEP, Control
from quickthumb.imaging.palettes import choose, colors_of, exact, quantize

Box = tuple[int, int, int, int]
_COLORS = 256
# Alpha below this becomes transparent: a GIF has no partial transparency.
_OPAQUE = 128
_ALPHA = [0] * _OPAQUE + [255] * (256 - _OPAQUE)
# A source may have too few colors for the edges that resizing makes soft.
_FEWEST = 64
# The palette of a long animation is chosen from so many of its frames.
_MOST_SAMPLES = 32
_SAME = [255] + [0] * 255


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
    if colors is None:
        _choose_for(frames, min(_COLORS - 1, max(_FEWEST, source_colors or _COLORS)), checkpoint)
        return
    for index, frame in enumerate(frames):
        checkpoint()
        frames[index] = exact(frame, colors)


def _choose_for(frames: list[Image.Image], most: int, checkpoint: Callable[[], None]) -> None:
    palette = choose(frames[:: -(-len(frames) // _MOST_SAMPLES)], most)
    before = None
    for index, frame in enumerate(frames):
        checkpoint()
        before = frames[index] = palette.nearest(frame, before)


def write(frames: Sequence[Image.Image], milliseconds: Sequence[int], loop: int | None, file: BinaryIO) -> None:
    """Writes an animation of frames in mode P that have the same size and palette. `loop` is how often it is repeated,
    0 forever; None leaves that out, and it is shown once."""
    colors = bytes(frames[0].getpalette() or ())
    hidden = frames[0].info.get("transparency")
    count = len(colors) // 3
    transparent = hidden if hidden is not None else count if count < _COLORS else None
    bits = max(2, (max(count, (transparent or 0) + 1) - 1).bit_length())
    file.write(_head(frames[0].size, colors, bits, loop))
    for drawn, shown in zip(_drawn(frames, hidden, transparent, bits), milliseconds, strict=True):
        control, box, codes = drawn
        file.write(_frame(Control(transparent, control, shown), box, bits))
        file.write(codes)
    file.write(b";")
    file.seek(0)


def _hard_edged(frame: Image.Image) -> Image.Image:
    """The picture with no alpha but 0 and 255."""
    if frame.mode != "RGBA":
        return frame
    frame = frame.copy()
    frame.putalpha(frame.getchannel("A").point(_ALPHA))
    return frame


def _drawn(
    frames: Sequence[Image.Image], hidden: int | None, transparent: int | None, bits: int
) -> Iterator[tuple[int, Box, bytes]]:
    """What is done to each frame's box afterwards, the box, and its codes. The first frame fills the screen.

    `hidden` is the index of pixels that nothing is shown in, `transparent` that of pixels that a frame leaves alone.
    """
    screen = (0, 0, *frames[0].size)
    before: Image.Image | None = None
    for frame, following in pairwise([*frames, frames[-1]]):
        picture = _indices(frame)
        gone = None if hidden is None else _gone(picture, _indices(following), hidden)
        box = screen if before is None else _around(ImageChops.difference(picture, before).getbbox(), gone)
        yield CLEAR if gone else KEEP, box, _codes(picture, before, box, transparent, bits)
        before = picture
        if gone and hidden is not None:
            before.paste(hidden, box)


def _gone(picture: Image.Image, following: Image.Image, hidden: int) -> Box | None:
    """The box of what is visible, but no longer in the following frame."""
    is_hidden = [255 if index == hidden else 0 for index in range(_COLORS)]
    visible = [255 - level for level in is_hidden]
    return ImageChops.darker(picture.point(visible), following.point(is_hidden)).getbbox()


def _around(one: Box | None, other: Box | None) -> Box:
    """The box of both; a box of one pixel if there are none, since a frame has at least that."""
    boxes = [box for box in (one, other) if box]
    if not boxes:
        return (0, 0, 1, 1)
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _codes(picture: Image.Image, before: Image.Image | None, box: Box, transparent: int | None, bits: int) -> bytes:
    """The part in the box, in LZW: unchanged pixels are transparent where that takes fewer bytes."""
    part = picture.crop(box)
    whole = part.tobytes("gif", "L", bits, 0)
    if before is None or transparent is None:
        return whole + b"\0"
    unchanged = ImageChops.difference(part, before.crop(box)).point(_SAME)
    part.paste(transparent, mask=unchanged)
    return min(part.tobytes("gif", "L", bits, 0), whole, key=len) + b"\0"


def _indices(frame: Image.Image) -> Image.Image:
    return Image.frombytes("L", frame.size, frame.tobytes())


def _head(size: tuple[int, int], colors: bytes, bits: int, loop: int | None) -> bytes:
    """The screen, its palette, and Netscape's extension that says how often the animation is repeated."""
    screen = _words(*size) + bytes((0x80 | bits - 1, 0, 0))
    repeats = b"" if loop is None else b"!\xff\x0bNETSCAPE2.0\x03\x01" + _words(loop) + b"\0"
    return b"GIF89a" + screen + colors.ljust(3 * 2**bits, b"\0") + repeats


def _frame(control: Control, box: Box, bits: int) -> bytes:
    """How a frame is shown, its box, and the size of its first code."""
    left, top, right, bottom = box
    flags = control.disposal << 2 | (control.transparent is not None)
    shown = bytes((flags,)) + _words(control.milliseconds // 10) + bytes((control.transparent or 0, 0))
    return b"!\xf9\x04" + shown + b"," + _words(left, top, right - left, bottom - top) + bytes((0, bits))


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "little") for number in numbers)
