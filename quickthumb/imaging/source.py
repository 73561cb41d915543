"""The source: what its header says, and its frames as plain pictures."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from quickthumb.imaging import color, samples
from quickthumb.imaging.decoders import SHOWN, check_pixels, decoding, opened
from quickthumb.imaging.formats import Format, opened_as
from quickthumb.imaging.formats.code_points import UNUSABLE, CodePoints
from quickthumb.imaging.formats.exif import is_damaged
from quickthumb.imaging.formats.recovery import Failed
from quickthumb.imaging.formats.row import Composed, Transparent, too_many_frames
from quickthumb.imaging.formats.window import Seeking
from quickthumb.imaging.hdr import gain_map
from quickthumb.imaging.hdr.gain_map import GainMap
from quickthumb.imaging.levels import Level, Pixels
from quickthumb.imaging.orientation import UPRIGHT, Size, Turn, exif_block, from_exif, told_in
from quickthumb.model.errors import BrokenImage, TooManyParts
from quickthumb.model.limits import Limits

# Frames that are shown for 10 ms or less are shown for 100 ms by Firefox, Chrome and Safari, in every format.
_TOO_SHORT, _USUAL = 10.0, 100.0
# Cameras write a quarter of this.
MOST_EXIF_BYTES = 256 * 1024
EXIF_TOO_LARGE = "The EXIF data is too large; only the orientation was read."
EXIF_DAMAGED = "The EXIF data is damaged and was left out."


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame, not yet turned upright, in one of resampling's MODES; it is shown for `milliseconds`."""

    level: Level
    milliseconds: float


@dataclass(slots=True)
class Source:
    """An opened file. Its header has been read; `frames` decodes its pixels."""

    image: Image.Image
    format: Format
    shown: Pixels | None  # the part of the stored picture that is to be shown; None for all of it
    size: Size  # of what is shown, as stored
    frame_count: int
    turn: Turn  # makes it upright
    has_alpha: bool
    has_palette: bool
    bytes: int  # of the file
    plays: int  # how often an animation is shown; 0 is forever
    color_space: str  # to convert from, if Pillow does not; else empty
    info: dict[Any, Any]
    transparent: Transparent | None  # what stands for transparent in a frame; None: Pillow tells
    code_points: CodePoints | None  # of its colors
    limits: Limits
    path: Path
    fills: bool  # whether what is missing of a file that is cut off may be made up
    composed: Composed | None = None  # the frames, if Pillow does not compose them
    warnings: list[str] = field(default_factory=list)
    gain_map: GainMap | None = None

    @property
    def upright(self) -> Size:
        return self.turn.size(self.size)

    def frames(self, count: int, draft: int, checkpoint: Callable[[], None]) -> Iterator[Frame]:
        """The first `count` frames, each decoded whole; a JPEG at 1/`draft` of its size.

        Calls `checkpoint` before each frame. Raises TooManyPixels before decoding, and BrokenImage for a file that does
        not decode to its end.
        """
        check_pixels(*self.image.size, count, self.limits)
        composed = self.composed.frames() if self.composed else None
        first = 1 if getattr(self.image, "default_image", False) else 0
        for index in range(first, first + count):
            checkpoint()
            with decoding():
                if composed:
                    (picture, milliseconds), scale = next(composed), (1.0, 1.0)
                else:
                    picture, scale = self._decode(index, count, draft)
                    milliseconds = float(self.image.info.get("duration") or 0)
            yield Frame(Level(picture, scale), milliseconds if milliseconds > _TOO_SHORT else _USUAL)
            del picture  # before the next one is decoded

    def _decode(self, index: int, count: int, draft: int) -> tuple[Image.Image, tuple[float, float]]:
        image, decoder = self.image, self.format.decoder
        if decoder.load_at_scale:
            return self.load(draft)
        if decoder.count_frames:
            image.seek(index)
        # A frame of a GIF may enlarge its screen: then it and all others after it take as many pixels.
        check_pixels(*image.size, count, self.limits)
        image, _ = self.load()
        if self.color_space == color.CIELAB:
            picture = color.from_cielab(image)
        else:
            told = self.transparent(index) if self.transparent else image.info.get("transparency")
            picture = samples.plain(image, told)
        part = self.shown or (0, 0, *self.size)
        return (picture if part == (0, 0, *picture.size) else picture.crop(part)), (1.0, 1.0)

    def load(self, draft: int = 1) -> tuple[Image.Image, tuple[float, float]]:
        """Decodes the current frame as Pillow does, and returns it with its scale across and down. What ends too early
        is recovered, if its format can do so: with a warning."""
        decoder = self.format.decoder
        try:
            with decoding():
                if decoder.load_at_scale:
                    return self.image, decoder.load_at_scale(self.image, draft)
                self.image.load()
                return self.image, (1.0, 1.0)
        except BrokenImage:
            if decoder.recover is None:
                raise
        with decoding():
            recovered = decoder.recover(self.failed(draft))
        self.warnings.extend(recovered.warnings)
        return recovered.image, recovered.scale

    def failed(self, draft: int = 1) -> Failed:
        """This source for what looks at files that do not decode."""
        return Failed(self.image, self.path, self.size, draft, self.fills, self.limits)


# Looks at an opened file, its format and how many frames it has.
Look = Callable[[Image.Image, Format, int], None]


@contextmanager
def open_source(path: Path, limits: Limits, *, fills: bool = False, look: Look | None = None) -> Iterator[Source]:
    """Opens a file for decoding; `fills` says that what is missing of a file that is cut off may be made up. Calls
    `look` before anything is decoded; it may raise.

    Raises what `opened` raises, TooManyPixels for any format, and TooManyFrames.
    """
    warnings: list[str] = []
    with opened(path, limits, warnings, fills=fills) as image, _transparent(image, path, limits) as transparent:
        check_pixels(*image.size, 1, limits)
        row = opened_as(image.format)
        shown = image.info.get(SHOWN)
        size = (shown[2] - shown[0], shown[3] - shown[1]) if shown else image.size
        with decoding():
            frame_count = count_frames(image, row, path, limits)
        if look is not None:
            look(image, row, frame_count)
        source = Source(
            image=image,
            format=row,
            shown=shown,
            size=size,
            frame_count=frame_count,
            turn=UPRIGHT,
            has_alpha=False,
            has_palette=image.mode == "P",
            bytes=path.stat().st_size,
            plays=row.decoder.plays(image.info.get("loop")),
            color_space=row.decoder.color_space(image) if row.decoder.color_space else "",
            info=dict(image.info),
            transparent=transparent,
            code_points=read_code_points(path, row),
            limits=limits,
            path=path,
            fills=fills,
            warnings=warnings,
        )
        if row.decoder.judge_end:
            source.warnings += row.decoder.judge_end(source.failed(), frame_count)
        with decoding():
            if row.decoder.compose:
                source.composed = row.decoder.compose(path, size, frame_count, fills)
            source.has_alpha = source.composed.has_alpha if source.composed else image.has_transparency_data
            samples.check(image)
            if row.decoder.late_metadata:
                source.load()
                source.info = dict(image.info)
        _read_exif(source)
        _find_gain_map(source, path)
        _warn(source)
        yield source


def _transparent(image: Image.Image, path: Path, limits: Limits) -> AbstractContextManager[Transparent | None]:
    told = opened_as(image.format).decoder.transparent
    return told(image, partial(opened, path, limits)) if told else nullcontext()


def count_frames(image: Image.Image, row: Format, path: Path, limits: Limits) -> int:
    """How many frames an opened file's animation has; 1 for stills. Raises TooManyFrames, and BrokenImage for a GIF
    that ends before its first frame."""
    if row.decoder.count_frames is None:
        return 1
    count = row.decoder.count_frames(image, path, limits.max_frames + 1)
    if count > limits.max_frames:
        raise too_many_frames(limits)
    return max(1, count)


def read_code_points(path: Path, row: Format) -> CodePoints | None:
    """The code points of the colors in a file of that format; UNUSABLE if they are damaged."""
    if row.decoder.code_points is None:
        return None
    try:
        with path.open("rb") as file:
            return row.decoder.code_points(Seeking(file))
    except (BrokenImage, TooManyParts):
        return UNUSABLE


def _read_exif(source: Source) -> None:
    """Turns the source as its EXIF says, or else its XMP. Only a result that asks for metadata has all of it read."""
    block, decoder = exif_block(source.image.info), source.format.decoder
    if len(block) > MOST_EXIF_BYTES:
        source.warnings.append(EXIF_TOO_LARGE)
    elif is_damaged(block):
        source.warnings.append(EXIF_DAMAGED)
    if not decoder.turns_upright:
        source.turn = from_exif(told_in(source.image.info, by_exif_alone=decoder.turned_by_boxes))


def _find_gain_map(source: Source, path: Path) -> None:
    source.gain_map, warnings = gain_map.find(source.image, path)
    source.warnings += warnings


def _warn(source: Source) -> None:
    if patched := getattr(source.image, "patched", None):
        source.warnings.append(patched.reason)
    if source.format.decoder.has_pages and getattr(source.image, "is_animated", False):
        source.warnings.append("The file has several pages; only the first was used.")
    if source.format.decoder.has_pictures and getattr(source.image, "is_animated", False):
        source.warnings.append("The file holds several pictures; only the primary one was used.")
