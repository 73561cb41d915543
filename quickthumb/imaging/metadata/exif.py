"""What EXIF says that is still true of a changed picture, and what it says about rights."""

from dataclasses import dataclass, field
from fractions import Fraction

from quickthumb.imaging.formats.exif import PREFIX, Order
from quickthumb.imaging.formats.window import Prefix, Window
from quickthumb.imaging.metadata.directories import ASCII, RATIONAL, SHORT, Directories, Entry, write
from quickthumb.model.errors import BrokenImage

ARTIST, COPYRIGHT = 315, 33432
XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG = 700, 33723, 34377
RIGHTS = (ARTIST, COPYRIGHT)
ACROSS, DOWN, UNIT = 282, 283, 296
_INCH, _CENTIMETER = 2, 3
_CAMERA, _LOCATION, _MAKER_NOTE, _COLOR_SPACE = 34665, 34853, 37500, 40961
_SRGB = 1
# How many bytes of values are read, of a block and of a TIFF, in whose directory other blocks may stand.
MOST_BLOCK_BYTES = 256 * 1024
MOST_FILE_BYTES = 4 * 1024 * 1024
# What describes how the source stored its pixels, or points to what is not copied: sizes, strips and tiles, previews,
# palettes, transfer functions, other blocks of metadata, and the orientation, which has been applied.
_STALE = frozenset(
    {
        *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 284),
        *(288, 289, 290, 291, 292, 293, 297, 301, *range(317, 334), *range(336, 348), *range(512, 522)),
        *(*range(529, 534), 34675, 37724, 50341, *range(50706, 51200), 52545, 59932),
        *(33550, 33922, 34264, 34735, 34736, 34737),  # of GeoTIFF, which place each pixel on the globe
    }
)
# The same in the camera's part: sizes, compression, pixels on the sensor and in the picture, offsets.
_STALE_CAMERA = frozenset({37121, 37122, 37396, 40962, 40963, 40965, 41486, 41487, 41488, 41492, 59932, _MAKER_NOTE})


@dataclass(slots=True)
class Exif:
    """The entries that are still true, in the main directory, of the camera and of the location.

    `dropped` names what was found and is not true any more; `refused` is how many entries were not valid.
    """

    order: Order = "little"
    main: list[Entry] = field(default_factory=list)
    parts: dict[int, list[Entry]] = field(default_factory=dict)
    embedded: dict[int, bytes] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    refused: int = 0

    def rights(self) -> "Exif":
        """Artist and copyright alone."""
        return Exif(self.order, [entry for entry in self.main if entry.tag in RIGHTS])

    def copy(self) -> "Exif":
        """The same entries, to which others can be added."""
        return Exif(self.order, list(self.main), dict(self.parts))

    def says_more(self) -> bool:
        """Whether there is more than artist and copyright."""
        return any(self.parts.values()) or any(entry.tag not in RIGHTS for entry in self.main)

    def text(self, tag: int) -> str:
        """A text of the main directory, whatever its encoding; empty if there is none."""
        value = next((entry.value for entry in self.main if entry.tag == tag), b"")
        return readable(value.replace(b"\0", b" ").strip())

    def add_text(self, tag: int, text: str) -> None:
        """Adds a text in UTF-8, unless there is one already."""
        if all(entry.tag != tag for entry in self.main):
            self.main.append(Entry(tag, ASCII, text.encode() + b"\0"))

    @property
    def resolution(self) -> tuple[float, float] | None:
        """In dots per inch, across and down; None if there is none."""
        values = {entry.tag: entry.value for entry in self.main if entry.tag in (ACROSS, DOWN, UNIT)}
        unit = int.from_bytes(values.get(UNIT, b""), self.order) or _INCH
        if not {ACROSS, DOWN} <= values.keys() or unit not in (_INCH, _CENTIMETER):
            return None
        across, down = (self._ratio(values[tag]) * (2.54 if unit == _CENTIMETER else 1) for tag in (ACROSS, DOWN))
        return (across, down) if across > 0 and down > 0 else None

    def add_resolution(self, dots_per_inch: tuple[float, float]) -> None:
        """Adds a resolution, unless there is one already."""
        if any(entry.tag in (ACROSS, DOWN) for entry in self.main):
            return
        for tag, value in zip((ACROSS, DOWN), dots_per_inch, strict=True):
            ratio = Fraction(min(value, 1e6)).limit_denominator(1000)
            both = (ratio.numerator, ratio.denominator)
            self.main.append(Entry(tag, RATIONAL, b"".join(number.to_bytes(4, self.order) for number in both)))
        self.main = [entry for entry in self.main if entry.tag != UNIT]
        self.main.append(Entry(UNIT, SHORT, _INCH.to_bytes(2, self.order)))

    def tobytes(self) -> bytes:
        """The block, without a prefix; empty if there are no entries."""
        return write(self.order, self.main, self.parts)

    def _ratio(self, value: bytes) -> float:
        above, below = (int.from_bytes(part, self.order) for part in (value[:4], value[4:8]))
        return above / below if below else 0


def read_block(block: bytes, keeps_colors: bool) -> Exif:
    """Reads a block of EXIF. Raises BrokenImage if nothing in it can be read."""
    data = block.removeprefix(PREFIX).removeprefix(PREFIX)
    return read(Prefix(data, complete=True), keeps_colors=keeps_colors)


def read(window: Window, *, keeps_colors: bool, is_file: bool = False) -> Exif:
    """Reads what a window shows: a block of EXIF, or a TIFF file, whose further directories are pages.

    Without `keeps_colors`, a color space other than sRGB is left out: colors will have been converted. Raises
    BrokenImage if nothing can be read.
    """
    directories = Directories(window, MOST_FILE_BYTES if is_file else MOST_BLOCK_BYTES)
    entries, following = directories.read(directories.first, _STALE)
    made = Exif(directories.order)
    if following and not is_file:
        made.dropped.append("thumbnail")
    for entry in entries:
        if entry.tag in (_CAMERA, _LOCATION):
            made.parts[entry.tag] = _part(directories, entry, made, keeps_colors)
        elif entry.tag in (XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG):
            made.embedded[entry.tag] = entry.value
        elif entry.tag not in _STALE:
            if _is_valid(entry):
                made.main.append(entry)
            else:
                made.refused += 1
    made.refused += len(directories.refused)
    return made


def _part(directories: Directories, pointer: Entry, made: Exif, keeps_colors: bool) -> list[Entry]:
    try:
        entries, _ = directories.read(directories.pointed_at(pointer), _STALE_CAMERA)
    except BrokenImage:
        made.refused += 1
        return []
    if pointer.tag == _LOCATION:
        return [entry for entry in entries if entry.tag not in _STALE_CAMERA]
    if any(entry.tag == _MAKER_NOTE for entry in entries):
        made.dropped.append("maker notes")
    return [entry for entry in entries if entry.tag not in _STALE_CAMERA and _holds(entry, made.order, keeps_colors)]


def _holds(entry: Entry, order: Order, keeps_colors: bool) -> bool:
    return entry.tag != _COLOR_SPACE or keeps_colors or int.from_bytes(entry.value, order) == _SRGB


def _is_valid(entry: Entry) -> bool:
    """Whether the entries that programs read without looking at their type have the type that they should have."""
    if entry.tag in (ACROSS, DOWN):
        return entry.kind == RATIONAL and len(entry.value) == 8
    return entry.tag != UNIT or (entry.kind == SHORT and len(entry.value) == 2)


def readable(text: bytes) -> str:
    """Text whose encoding is not known: UTF-8, or else Windows' Latin-1, which has a character for nearly any byte."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace")
