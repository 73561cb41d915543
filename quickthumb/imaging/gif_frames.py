"""The frames of a GIF as browsers show them, composed here from the parts that its frames draw.

Pillow decodes the parts. It would fill the screen with the first frame's transparent color or the background color
where the frame does not reach, and paint such colors when a frame is cleared; browsers leave these pixels transparent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from quickthumb.imaging import samples
from quickthumb.imaging.formats.gif_blocks import CLEAR, RESTORE, GifFrame, read_frames
from quickthumb.imaging.formats.splice import Patched

Size = tuple[int, int]
Box = tuple[int, int, int, int]
_CLEAR_PIXEL = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class GifAnimation:
    """The first `count` frames of a file, on a screen of that size.

    If `fills`, pixels that the codes of the last frame lack are transparent, or in the first color of the palette.
    """

    source: Path
    size: Size
    count: int
    fills: bool = False
    _parts: list[GifFrame] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parts", read_frames(self.source, self.count))

    @property
    def has_alpha(self) -> bool:
        """Whether any frame may show transparent pixels, as far as the boxes of the frames tell."""
        clear: Box | None = (0, 0, *self.size)
        for part in self._parts:
            if clear and not part.covers(clear):
                return True
            if part.control.disposal != RESTORE:
                clear = _clipped(part.box, self.size) if part.control.disposal == CLEAR else None
        return not self._parts

    @property
    def colors(self) -> int:
        """The number of different colors in the palettes."""
        palettes = {part.colors for part in self._parts}
        return len({palette[at : at + 3] for palette in palettes for at in range(0, len(palette), 3)})

    def is_whole(self) -> bool:
        """Whether all pixels of the last frame are there."""
        try:
            self._decode(self._parts[-1])
        except (OSError, EOFError, ValueError, SyntaxError, IndexError):
            return False
        return True

    def frames(self) -> Iterator[tuple[Image.Image, float]]:
        """Each frame, in mode L, RGB or RGBA, and how many milliseconds it is shown.

        Raises what Pillow raises for damaged codes.
        """
        if len(self._parts) == 1 and self._parts[0].box == (0, 0, *self.size):
            yield self._decode(self._parts[0]), 0.0
            return
        screen: Image.Image | None = None  # nothing is shown yet
        mode = "RGBA" if self.has_alpha else "RGB"
        for part in self._parts:
            shown = self._drawn(screen, part, mode)
            yield shown, float(part.control.milliseconds)
            screen = self._disposed(screen, shown, part)
            del shown

    def _drawn(self, screen: Image.Image | None, part: GifFrame, mode: str) -> Image.Image:
        """The screen with a frame drawn on it."""
        drawn = self._decode(part) if part.width and part.height else Image.new("RGBA", (1, 1))
        mask = drawn if drawn.mode == "RGBA" else None
        drawn = drawn if mask else drawn.convert(mode)
        shown = screen.copy() if screen else Image.new(mode, self.size)
        shown.paste(drawn, (part.left, part.top), mask)
        return shown

    def _disposed(self, before: Image.Image | None, shown: Image.Image, part: GifFrame) -> Image.Image | None:
        """What the next frame is drawn on; None if that is nothing."""
        if part.control.disposal == RESTORE:
            return before
        if part.control.disposal == CLEAR:
            shown = shown.copy()
            shown.paste(_CLEAR_PIXEL[: len(shown.getbands())], _clipped(part.box, self.size))
        return shown

    def _decode(self, part: GifFrame) -> Image.Image:
        """What a frame draws, in its own size."""
        alone = Patched(self.source, head=_head(part), begin=part.codes)
        with alone.open() as file, Image.open(file, formats=["GIF"]) as image:
            try:
                image.load()
            except OSError as error:
                if error.errno is not None or not (self.fills and part is self._parts[-1]):
                    raise
                image.tile = []
            return samples.plain(image, image.info.get("transparency"))


def _clipped(box: Box, size: Size) -> Box:
    left, top = min(box[0], size[0]), min(box[1], size[1])
    return (left, top, min(box[2], size[0]), min(box[3], size[1]))


def _head(part: GifFrame) -> bytes:
    """What comes before the codes in a GIF that has this frame alone, on a screen of its size."""
    size = part.width.to_bytes(2, "little") + part.height.to_bytes(2, "little")
    flags = 0x80 | (len(part.colors) // 3).bit_length() - 2 if part.colors else 0
    transparent = part.control.transparent
    control = b"" if transparent is None else b"!\xf9\x04" + bytes((1, 0, 0, transparent, 0))
    frame = b"," + bytes(4) + size + bytes([0x40 * part.interlaced])
    return b"GIF89a" + size + bytes((flags, 0, 0)) + part.colors + control + frame
