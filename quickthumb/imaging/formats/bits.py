"""What coded pictures say of themselves, and a reader of the bits that say it."""

from dataclasses import dataclass

from quickthumb.model.errors import BrokenImage


@dataclass(frozen=True, slots=True)
class Coded:
    """The largest size of any sequence, in pixels, and the number of frames, shown or not."""

    width: int
    height: int
    frames: int


class Bits:
    """Reads numbers of so many bits, most significant first. Raises BrokenImage at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, bits: int) -> int:
        self._left -= bits
        if self._left < 0:
            raise BrokenImage("The image is damaged: the header of its coded data ends too early.")
        return self._number >> self._left & (1 << bits) - 1

    def take_uvlc(self) -> int:
        """A number that begins with as many zeros as it has bits after its first 1 (Exp-Golomb)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
