"""Counts what the scans of a JPEG bring, to see whether any is missing.

A sequential JPEG brings each color in one scan. A progressive one brings the 64 coefficients of each color in several
scans, and refines them bit by bit (ITU T.81, annex G).
"""

from dataclasses import dataclass, field

from quickthumb.imaging.formats.jpeg import SEGMENT
from quickthumb.imaging.formats.jpeg_segments import END_OF_IMAGE, FRAMES, MOST_STEPS, START_OF_SCAN
from quickthumb.imaging.formats.splice import Patched
from quickthumb.imaging.formats.watch import Steps, Watch, check_file

_PROGRESSIVE = (0xC2, 0xCA)
_COEFFICIENTS = 64
# How much of a frame or scan header names all colors, of which there are at most four.
_START_BYTES = 24


@dataclass(slots=True)
class Scans:
    """`missing` has, for each color, the coefficients whose last bit has not come yet."""

    are_progressive: bool = False
    missing: dict[int, set[int]] = field(default_factory=dict)

    @property
    def are_complete(self) -> bool:
        return bool(self.missing) and not any(self.missing.values())

    def take_frame(self, marker: int, content: bytes) -> None:
        self.are_progressive = marker in _PROGRESSIVE
        for start in range(6, min(len(content), 6 + 3 * content[5]), 3):
            self.missing[content[start]] = set(range(_COEFFICIENTS))

    def take_scan(self, content: bytes) -> None:
        count = content[0]
        colors, rest = content[1 : 1 + 2 * count : 2], content[1 + 2 * count :]
        if len(rest) < 3:
            return
        first, last, low_bit = rest[0], rest[1], rest[2] & 15
        brought = set(range(first, last + 1)) if self.are_progressive else set(range(_COEFFICIENTS))
        for color in colors:
            if color in self.missing and (low_bit == 0 or not self.are_progressive):
                self.missing[color] -= brought


def scans_of(file: Patched) -> Scans:
    """The scans of the first picture in the file."""
    scans = Scans()
    with file.open() as reader:
        check_file(reader, Watch(_steps(scans)))
    return scans


def _steps(scans: Scans) -> Steps:
    skipped = 2
    for _ in range(MOST_STEPS):
        marker = (yield skipped, SEGMENT)[1]
        if marker == END_OF_IMAGE or scans.are_complete:
            return
        length = int.from_bytes((yield 0, 2), "big") - 2
        start = yield 0, min(max(0, length), _START_BYTES)
        if marker in FRAMES and len(start) > 6:
            scans.take_frame(marker, start)
        elif marker == START_OF_SCAN and start:
            scans.take_scan(start)
        skipped = max(0, length - len(start))
