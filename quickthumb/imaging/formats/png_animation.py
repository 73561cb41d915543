"""The chunks that make an APNG of a PNG: whether a decoder can play them (PNG, third edition, 11.3.6)."""

from collections.abc import Callable
from typing import BinaryIO

from quickthumb.imaging.formats.png_chunks import Chunk

ANIMATION = (b"acTL", b"fcTL", b"fdAT")
CONTROL_BYTES = 8
FRAME_BYTES = 26
NUMBER_BYTES = 4


class Animation:
    """Takes the animation's chunks of one file in their order. Such a file also holds a picture for viewers that know
    no animations: a browser shows that one if the animation is damaged."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.size = (0, 0)  # of the picture, in pixels
        self.lacks_pixels = False  # those of the last frame; the first frame's may be those of the picture
        self._promised: int | None = None
        self._frames = self._numbers = 0
        self._is_damaged = False

    def take(self, chunk: Chunk, file: BinaryIO, is_intact: Callable[[Chunk], bool]) -> None:
        """Reads no pixels, and so does not know whether they are intact."""
        self.chunks.append(chunk)
        file.seek(chunk.content_start)
        content = file.read(min(chunk.length, FRAME_BYTES))
        if chunk.name == b"acTL":
            is_possible = self._take_control(content) and is_intact(chunk)
        elif chunk.name == b"fcTL":
            is_possible = self._take_number(content) and self._take_frame(content) and is_intact(chunk)
        else:
            is_possible = self._take_number(content)
            self.lacks_pixels = False
        self._is_damaged |= not is_possible

    def is_damaged(self, file_is_whole: bool) -> bool:
        """Whether no decoder could play the animation. Frames that a cut file lost do not count: it is refused."""
        if self._promised is None:
            return bool(self.chunks)
        is_short = self._frames < self._promised or self.lacks_pixels
        return self._is_damaged or (file_is_whole and is_short)

    def _take_control(self, content: bytes) -> bool:
        if len(content) != CONTROL_BYTES or self._promised is not None:
            return False
        self._promised = int.from_bytes(content[:4], "big")
        return 0 < self._promised < 2**31

    def _take_number(self, content: bytes) -> bool:
        """Frames and their pixels are numbered together, from 0."""
        self._numbers += 1
        return len(content) >= NUMBER_BYTES and int.from_bytes(content[:NUMBER_BYTES], "big") == self._numbers - 1

    def _take_frame(self, content: bytes) -> bool:
        self._frames += 1
        if len(content) != FRAME_BYTES or self.lacks_pixels:
            return False
        self.lacks_pixels = True
        width, height, left, top = (int.from_bytes(content[at : at + 4], "big") for at in range(4, 20, 4))
        return 0 < width <= self.size[0] - left and 0 < height <= self.size[1] - top
