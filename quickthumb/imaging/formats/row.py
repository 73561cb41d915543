"""The row of a format: everything that is particular to it, for the header reader, the decoder and the encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from quickthumb.imaging.formats.blocks import EXIF, XMP, Blocks
from quickthumb.imaging.formats.code_points import CodePoints
from quickthumb.imaging.formats.splice import Parts, Patched
from quickthumb.imaging.formats.watch import MakeSteps
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, TooManyFrames
from quickthumb.model.limits import Limits


@dataclass(frozen=True, slots=True)
class Header:
    """What an image's header says: the format, the size in pixels as stored, and the orientation.

    `shown` is the part of the stored picture that is to be shown (left, top, right, bottom); None for all of it.
    `orientation` is EXIF's, 1 … 8; 1 if the image gives none. If `awaits_orientation`, the image may still give one,
    behind the bytes that had arrived. Formats that store it before or beside the size (TIFF, AVIF, HEIF) never wait for
    it, nor do JPEGs that say it in EXIF before the size. A PNG may give one behind its pixels; its watch sees that.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    shown: tuple[int, int, int, int] | None = field(default=None, kw_only=True)
    awaits_orientation: bool = field(default=False, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise BrokenImage(f"The image is damaged: its header says {self.width} × {self.height} pixels.")

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height in pixels of what is shown, once it is turned upright."""
        left, top, right, bottom = self.shown or (0, 0, self.width, self.height)
        return (bottom - top, right - left) if self.orientation >= 5 else (right - left, bottom - top)


if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from quickthumb.imaging.formats.recovery import Failed, Recovered

    Again = Callable[[], AbstractContextManager[Image.Image]]

Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an encoder's options depend on: quality, whether to be lossless, and the number of pixels of one frame;
    whether the source had a palette, and whether the result has a color profile, which must fit its pixels."""

    quality: int | None
    lossless: bool
    pixels: int
    from_palette: bool = False
    has_profile: bool = False


def _nothing() -> None:
    """Most formats need no setup."""


def _showings(loop: Any) -> int:
    return int(loop or 0)


def _same(plays: int) -> int | None:
    return plays


def _embed(blocks: Blocks) -> Options:
    """What WebP and AVIF take."""
    return {name: block for name, block in (("exif", blocks.exif), ("xmp", blocks.xmp)) if block}


def too_many_frames(limits: Limits) -> TooManyFrames:
    """The error for an animation of more than `limits.max_frames`."""
    return TooManyFrames(f"The animation has more than {limits.max_frames} frames.")


def count_with_pillow(image: Image.Image, _: Path, __: int) -> int:
    """The number of frames that Pillow reports, less a default image that is shown in place of the animation."""
    count: int = getattr(image, "n_frames", 1)
    return count - (1 if getattr(image, "default_image", False) else 0)


# What stands for transparent in the frame of that number once it is decoded: a color, or a channel of alpha.
Transparent = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Screened:
    """The parts of a file that a decoder may see, and warnings about the others; and what is wrong with its pixels, so
    that they are only decoded where faulty pixels may be shown. Empty if nothing is."""

    parts: Parts
    warnings: list[str]
    faulty_pixels: str = ""


class Composed(Protocol):
    """The frames of a file as they are shown."""

    @property
    def has_alpha(self) -> bool:
        """Whether any frame may show transparent pixels."""

    @property
    def colors(self) -> int:
        """The number of colors in the palettes of the file."""

    def frames(self) -> Iterator[tuple[Image.Image, float]]:
        """Each frame, in one of resampling's MODES, and how many milliseconds it is shown. May raise anything, as
        decoders do."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """How Pillow reads a format.

    `pillow` are Pillow's names for it: the decoder's own first, then those of files that it opens under another name.
    `set_up` makes the changes to Pillow that are needed once per process; it raises ImportError if `package`, which
    brings the decoder, is not installed.
    """

    pillow: tuple[str, ...]
    package: str | None = None
    set_up: Callable[[], None] = _nothing
    # Loads what else the decoder needs, before a process that is to open such a file gives up all other files.
    load: Callable[[], object] = _nothing
    # Counts the parts of a file that would make decoding far slower than its size tells. None: the header reader sees
    # all of them, or they cost nothing.
    watch: MakeSteps | None = None
    # Says what Pillow may see of an open, unbuffered file, so that it does not refuse faults beside the pixels. Raises
    # what `watch` raises, which is not asked again. Looks at the checksums of pixels if the flag says that they will be
    # decoded.
    screen: Callable[[BinaryIO, bool], Screened] | None = None
    # Compares a whole file with its header, before the decoder sees it.
    check: Callable[[Window, Header, Limits], None] | None = None
    # Pillow may be given the file that the header was read from, which can be in memory. Otherwise Pillow opens it
    # again, and may map it into memory.
    takes_file: bool = False
    # Pillow reads the whole file into memory and parses it there.
    reads_whole: bool = False
    # Counts the frames of the opened file at that path, up to the given number. None: only the first picture is used.
    count_frames: Callable[[Image.Image, Path, int], int] | None = None
    # Composes so many frames of the file at that path, on a canvas of that size, in place of Pillow. The flag says
    # whether what is missing of a file that is cut off may be made up.
    compose: Callable[[Path, tuple[int, int], int, bool], Composed] | None = None
    # How often an animation is shown, given Pillow's `loop`; 0 is forever.
    plays: Callable[[Any], int] = _showings
    # Decodes an opened file at about 1/draft of its size, and returns the scale it chose, across and down.
    load_at_scale: Callable[[Image.Image, int], tuple[float, float]] | None = None
    # The file in a form that Pillow can open, if its header is damaged in a way that does not matter; or None.
    mend: Callable[[Path, Limits], Patched | None] | None = None
    # Makes what can be made of a file that did not decode. Raises BrokenImage. None: such files are always refused.
    recover: Callable[[Failed], Recovered] | None = None
    # Says what the receipt tells of the end of an opened file with that many frames. Raises BrokenImage if it ends too
    # early.
    judge_end: Callable[[Failed, int], tuple[str, ...]] | None = None
    # Holds what tells which color of the opened file stands for transparent; the other argument opens the file once
    # more. None: Pillow tells it for each frame.
    transparent: Callable[[Image.Image, Again], AbstractContextManager[Transparent]] | None = None
    # The color space of an opened file if Pillow leaves the conversion of its samples to us; else empty.
    color_space: Callable[[Image.Image], str] | None = None
    # Reads the code points of the colors of a file, which Pillow does not tell; it may raise BrokenImage and
    # TooManyParts. None: such files have none.
    code_points: Callable[[Window], CodePoints | None] | None = None
    # EXIF and text may come after the pixels, and are known only after decoding.
    late_metadata: bool = False
    # Only boxes tell the orientation, which Pillow repeats in EXIF: XMP does not count.
    turned_by_boxes: bool = False
    # Pillow turns the picture upright itself while loading it.
    turns_upright: bool = False
    # What Pillow calls frames are pages: only the first is used, with a warning.
    has_pages: bool = False
    # A file can make the decoder do more than its header tells: the worker runs it in the sandbox process alone.
    confined: bool = False
    # What Pillow calls frames are pictures of their own: only the primary one is used, with a warning.
    has_pictures: bool = False


@dataclass(frozen=True, slots=True)
class Encoder:
    """How Pillow writes a format, and what the format can hold.

    `pillow` is Pillow's name for it; `options` returns the options for Pillow's encoder; `quality` is the default, None
    if the format has no quality; `max_side` is in pixels.
    """

    pillow: str
    options: Callable[[Asked], Options]
    alpha: bool = True
    animation: bool = True
    lossless: bool = False
    quality: int | None = None
    profile: bool = True
    # Whether a gray picture stays gray in the file.
    gray: bool = True
    # The kinds of metadata that a file can hold, and the largest block.
    holds: frozenset[str] = frozenset({EXIF, XMP})
    most_block_bytes: int = 16 * 1024 * 1024
    # The units in which a file can count how long its frames are shown, and how many of them one frame can have.
    ticks_milliseconds: tuple[int, ...] = (1,)
    most_ticks: int = 2**24 - 1
    max_side: int = 65_535
    # Pillow's option `loop` for an animation that is shown this many times (0: forever); a result of None leaves the
    # option out. None in place of the function: such files always repeat forever.
    loop: Callable[[int], int | None] | None = _same
    # How many of these units a frame is shown at least, since browsers show shorter ones longer.
    least_ticks: int = 0
    # Converts the frames of a result, in place, to what the encoder takes. Given are whether to dither a still, the
    # number of colors that the source had (None if unknown), and a function to call before each frame.
    prepare: Callable[[list[Image.Image], bool, int | None, Callable[[], None]], None] | None = None
    # Writes an animation in place of Pillow: the frames, how many milliseconds each is shown, and what `loop` gave.
    write: Callable[[Sequence[Image.Image], Sequence[int], int | None, BinaryIO], None] | None = None
    # Mends the file of an animation that Pillow has written.
    finish_animation: Callable[[BinaryIO, Sequence[Image.Image]], None] | None = None
    # Ways to write the frames: the usual one, then those that take longer and may be smaller. None: there is one.
    ways: Callable[[list[Image.Image], Asked], Iterator[tuple[list[Image.Image], Options]]] | None = None
    # The options that carry metadata.
    embed: Callable[[Blocks], Options] = _embed
    # Adds to an encoded file, which it may change, what Pillow does not write of these options.
    finish: Callable[[BinaryIO, Options], None] | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """One format: a row of the table.

    `signatures` are the ways a file may begin; `?` stands for any byte. `read_header` reads through a window on the
    file, and raises NeedMore, BrokenImage or UnsupportedImage. A format without an `encoder` can only be read.
    """

    name: str
    media_type: str
    extensions: tuple[str, ...]
    signatures: tuple[bytes, ...]
    read_header: Callable[[Window], Header]
    decoder: Decoder
    encoder: Encoder | None = None

    @property
    def extension(self) -> str:
        """The usual file name extension, without the dot."""
        return self.extensions[0]

    @property
    def readable(self) -> bool:
        """Whether this installation can decode the format."""
        return self.decoder.package is None or find_spec(self.decoder.package) is not None
