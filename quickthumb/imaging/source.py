"""The source: what its header says, and its frames as plain pictures."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from quickthumb.imaging import color, samples
from quickthumb.imaging.decoders import check_pixels, decoding, opened
from quickthumb.imaging.formats import Format, opened_as
from quickthumb.imaging.formats.exif import told_by_exif
from quickthumb.imaging.formats.row import Composed, Transparent, too_many_frames
from quickthumb.imaging.levels import Level
from quickthumb.imaging.orientation import UPRIGHT, Size, Turn, from_exif
from quickthumb.model.limits import Limits

_SRGB_GAMMA = 0.45455
# Frames that are shown for 10 ms or less are shown for 100 ms by Firefox, Chrome and Safari, in every format.
_TOO_SHORT, _USUAL = 10.0, 100.0
# Pillow takes a third of a second for as many entries as this holds; cameras write a quarter of it.
MOST_EXIF_BYTES = 256 * 1024


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
    size: Size  # as stored
    frame_count: int
    turn: Turn  # makes it upright
    has_alpha: bool
    has_palette: bool
    bytes: int  # of the file
    plays: int  # how often an animation is shown; 0 is forever
    color_space: str  # to convert from, if Pillow does not; else empty
    info: dict[Any, Any]
    exif: Image.Exif | None
    transparent: Transparent | None  # what stands for transparent in a frame; None: Pillow tells
    limits: Limits
    composed: Composed | None = None  # the frames, if Pillow does not compose them
    warnings: list[str] = field(default_factory=list)

    @property
    def upright(self) -> Size:
        return self.turn.size(self.size)

    def frames(self, count: int, draft: int, checkpoint: Callable[[], None]) -> Iterator[Frame]:
        """The first `count` frames, each decoded whole; a JPEG at 1/`draft` of its size.

        Calls `checkpoint` before each frame. Raises TooManyPixels before decoding, and BrokenImage for a file that does
        not decode to its end.
        """
        check_pixels(*self.size, count, self.limits)
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
            scale = decoder.load_at_scale(image, draft)
            return image, scale
        if decoder.count_frames:
            image.seek(index)
        # A frame of a GIF may enlarge its screen: then it and all others after it take as many pixels.
        check_pixels(*image.size, count, self.limits)
        image.load()
        if self.color_space:
            picture = color.from_cielab(image)
        else:
            told = self.transparent(index) if self.transparent else image.info.get("transparency")
            picture = samples.plain(image, told)
        return (picture if picture.size == self.size else picture.crop((0, 0, *self.size))), (1.0, 1.0)


@contextmanager
def open_source(path: Path, limits: Limits) -> Iterator[Source]:
    """Opens a file for decoding. Raises what `opened` raises, TooManyPixels for any format, and TooManyFrames."""
    warnings: list[str] = []
    with opened(path, limits, warnings) as image, _transparent(image, path, limits) as transparent:
        check_pixels(*image.size, 1, limits)
        row = opened_as(image.format)
        size = image.size
        with decoding():
            frame_count = count_frames(image, row, path, limits)
        source = Source(
            image=image,
            format=row,
            size=size,
            frame_count=frame_count,
            turn=UPRIGHT,
            has_alpha=False,
            has_palette=image.mode == "P",
            bytes=path.stat().st_size,
            plays=row.decoder.plays(image.info.get("loop")),
            color_space=row.decoder.color_space(image) if row.decoder.color_space else "",
            info=dict(image.info),
            exif=None,
            transparent=transparent,
            limits=limits,
            warnings=warnings,
        )
        with decoding():
            if row.decoder.compose:
                source.composed = row.decoder.compose(path, size, frame_count)
            source.has_alpha = source.composed.has_alpha if source.composed else image.has_transparency_data
            samples.check(image)
            if row.decoder.late_metadata:
                image.load()
        _read_exif(source)
        _warn(source)
        yield source


def _transparent(image: Image.Image, path: Path, limits: Limits) -> AbstractContextManager[Transparent | None]:
    told = opened_as(image.format).decoder.transparent
    return told(image, partial(opened, path, limits)) if told else nullcontext()


def count_frames(image: Image.Image, row: Format, path: Path, limits: Limits) -> int:
    """How many frames an opened file's animation has; 1 for stills. Raises TooManyFrames, and BrokenImage for a GIF
    that ends too early."""
    if row.decoder.count_frames is None:
        return 1
    count = row.decoder.count_frames(image, path, limits.max_frames + 1)
    if count > limits.max_frames:
        raise too_many_frames(limits)
    return max(1, count)


def _read_exif(source: Source) -> None:
    if _exif_bytes(source.info) > MOST_EXIF_BYTES:
        source.warnings.append("The EXIF data is too large; only the orientation was read.")
        _turn(source, told_by_exif(source.info.get("exif", b"")))
        return
    try:
        source.exif = source.image.getexif()
        orientation = source.exif.get(ExifTags.Base.Orientation)
        for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):  # while the file is open
            source.exif.get_ifd(part)
        if source.info.get("exif") and not len(source.exif):
            raise ValueError("nothing in it could be read")
    except MemoryError:
        raise
    except Exception:  # cameras and editors often write damaged EXIF blocks
        source.exif = None
        source.warnings.append("The EXIF data is damaged and was left out.")
        return
    _turn(source, orientation)


def _exif_bytes(info: dict[Any, Any]) -> int:
    """The length of an EXIF block, or of the text of a PNG that holds one in hexadecimal digits."""
    return max(len(info.get("exif") or b""), len(info.get("Raw profile type exif") or "") // 2)


def _turn(source: Source, orientation: object) -> None:
    if not source.format.decoder.turns_upright:
        source.turn = from_exif(orientation)


def _warn(source: Source) -> None:
    if source.format.decoder.has_pages and getattr(source.image, "is_animated", False):
        source.warnings.append("The file has several pages; only the first was used.")
    gamma = source.info.get("gamma", _SRGB_GAMMA)
    if abs(gamma - _SRGB_GAMMA) > 0.01 and not {"srgb", "icc_profile"} & source.info.keys():
        source.warnings.append("The gamma value of the file was not applied.")
