"""GIFs put together block by block, with whatever an encoder might leave out or do strangely."""

from dataclasses import dataclass

from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
COLORS = (RED, GREEN, BLUE, WHITE)
Place = tuple[int, int, int, int]


@dataclass(frozen=True)
class Drawn:
    """A frame that draws one color (an index of the palette) in a box: left, top, width and height. Its right half can
    have another. `hundredths` is None for a frame without a graphic control extension."""

    box: Place
    color: int
    right: int | None = None
    disposal: int = 0
    transparent: int | None = None
    hundredths: int | None = 10
    colors: tuple[tuple[int, int, int], ...] = ()
    interlaced: bool = False

    def picture(self) -> Image.Image:
        width, height = self.box[2:]
        picture = Image.new("L", (width, height), self.color)
        if self.right is not None:
            picture.paste(self.right, (width // 2, 0, width, height))
        return picture


def gif(size: tuple[int, int], *frames: Drawn, background: int = 2, loop: int | None = 0) -> bytes:
    """A GIF whose screen has four colors, and a background color that nobody should see."""
    repeats = b"" if loop is None else b"!\xff\x0bNETSCAPE2.0\x03\x01" + words(loop) + b"\0"
    screen = words(*size) + bytes((0x81, background, 0)) + bytes(sum(COLORS, ()))
    return b"GIF89a" + screen + repeats + b"".join(map(written, frames)) + b";"


def written(frame: Drawn) -> bytes:
    flags = frame.disposal << 2 | (frame.transparent is not None)
    shown = bytes((flags,)) + words(frame.hundredths or 0) + bytes((frame.transparent or 0, 0))
    control = b"" if frame.hundredths is None and flags == 0 else b"!\xf9\x04" + shown
    local = 0x80 | (len(frame.colors) - 1).bit_length() - 1 if frame.colors else 0
    head = b"," + words(*frame.box) + bytes((local | 0x40 * frame.interlaced,)) + bytes(sum(frame.colors, ()))
    codes: bytes = frame.picture().tobytes("gif", "L", 8, int(frame.interlaced))
    return control + head + b"\x08" + codes + b"\0"


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "little") for number in numbers)
