"""Where a file says at which place a picture was taken, and what to write over that.

The web process serves originals without it, so nothing here uses a decoder or changes a file's length. A finder reads a
few ranges of a file, in a bounded number of steps, and trusts none of the numbers in it. If it cannot read a block of
metadata, it blanks the block; if it cannot follow a file, it searches the rest of it for blocks of metadata.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from quickthumb.imaging.formats.window import Seeking
from quickthumb.imaging.header import LONGEST_SIGNATURE, recognize
from quickthumb.imaging.location.exif import find_in_tiff
from quickthumb.imaging.location.gif import find_in_gif
from quickthumb.imaging.location.icon import find_in_ico
from quickthumb.imaging.location.iso_media import find_in_iso_media
from quickthumb.imaging.location.jpeg import find_in_jpeg
from quickthumb.imaging.location.marks import find_marked
from quickthumb.imaging.location.patches import Bounded, Patch, Patches, Stretch, TooInvolved
from quickthumb.imaging.location.png import find_in_png
from quickthumb.imaging.location.webp import find_in_webp
from quickthumb.model.errors import BrokenImage, UnsupportedImage

__all__ = ["FINDERS", "Patches", "TooInvolved", "find_location"]

Find = Callable[[Bounded], Iterator[Patch]]


def _everywhere(window: Bounded) -> Iterator[Patch]:
    return find_marked(window, 0, window.size)


def _in_tiff(window: Bounded) -> Iterator[Patch]:
    with suppress(BrokenImage):  # such as a TIFF that is cut before its directory
        yield from find_in_tiff(Stretch(window, [(0, window.size)]))
    yield from _everywhere(window)


# The finder of each format; of others, the whole file is searched.
FINDERS: dict[str, Find] = {
    "jpeg": find_in_jpeg,
    "png": find_in_png,
    "webp": find_in_webp,
    "gif": find_in_gif,
    "avif": find_in_iso_media,
    "heif": find_in_iso_media,
    "jxl": find_in_iso_media,
    "tiff": _in_tiff,
    "bmp": _everywhere,
    "ico": find_in_ico,
}


def find_location(path: Path) -> Patches:
    """The patches that remove location from the image in the file at `path`.

    Reads ranges of the file, as any storage could. Raises TooInvolved for a file of far too many parts, and OSError.
    """
    with path.open("rb") as file:
        start = file.read(LONGEST_SIGNATURE)
        window = Bounded(Seeking(file), path.stat().st_size)
        return Patches(_finder(start)(window))


def _finder(start: bytes) -> Find:
    try:
        return FINDERS.get(recognize(start).name, _everywhere)
    except UnsupportedImage:
        return _everywhere
