"""ICO: Windows icons, several pictures in one file, each a PNG or a bitmap."""

from quickthumb.imaging.formats.bmp import bitmap_size, has_runs
from quickthumb.imaging.formats.png import read_size, require_sound_chunks
from quickthumb.imaging.formats.png_chunks import SIGNATURE
from quickthumb.imaging.formats.row import Decoder, Format, Header
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage

MOST_ICONS = 1024
ENTRY_BYTES = 16


def read_header(window: Window) -> Header:
    """The size of the icon that decoders take: the largest one by the directory.

    If several icons share the largest listed size, this is the one whose own header says the largest. Where an icon's
    own header says less than the directory, only that is shown.
    """
    count = int.from_bytes(window.at(4, 2), "little")
    if not 1 <= count <= MOST_ICONS:
        raise BrokenImage("The image is damaged: the ICO's directory is empty or far too long.")
    directory = window.at(6, count * ENTRY_BYTES)
    entries = [directory[start:][:ENTRY_BYTES] for start in range(0, len(directory), ENTRY_BYTES)]
    largest = max(map(_listed_area, entries))
    sizes = [(_listed_size(entry), _own_size(window, entry)) for entry in entries if _listed_area(entry) == largest]
    listed, own = max(sizes, key=lambda pair: max(map(_area, pair)))
    if _area(own) >= _area(listed):
        return Header("ico", *own)
    return Header("ico", *listed, shown=(0, 0, *own) if _area(own) else None)


def _own_size(window: Window, entry: bytes) -> tuple[int, int]:
    """The size of one icon by its own header."""
    offset = int.from_bytes(entry[12:16], "little")
    if window.at(offset, len(SIGNATURE)) == SIGNATURE:
        require_sound_chunks(window, offset)
        return read_size(window, offset)
    width, doubled = bitmap_size(window, offset)
    if has_runs(window, offset):
        raise BrokenImage("The image is damaged: the bitmap of an ICO cannot be run-length encoded.")
    return width, doubled // 2  # an icon's bitmap holds its mask too, in the lower half


def _listed_size(entry: bytes) -> tuple[int, int]:
    return entry[0] or 256, entry[1] or 256


def _listed_area(entry: bytes) -> int:
    return _area(_listed_size(entry))


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _set_up() -> None:
    """Registers our own reader."""
    from quickthumb.imaging.formats import ico_file

    ico_file.set_up()


ICO = Format(
    name="ico",
    media_type="image/vnd.microsoft.icon",
    extensions=("ico",),
    signatures=(b"\x00\x00\x01\x00",),
    read_header=read_header,
    decoder=Decoder(pillow=("QUICKTHUMB_ICO", "ICO"), set_up=_set_up),
)
