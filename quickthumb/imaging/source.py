"""The source: what its header says, and its frames as plain pictures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from quickthumb.imaging import color, samples
from quickthumb.imaging.decoders import check_pixels, decoding, opened
from quickthumb.imaging.formats import Format, opened_as
from quickthumb.imaging.formats.exif import is_damaged, told_by_exif, told_by_xmp
from quickthumb.imaging.formats.png import unwrapped
from quickthumb.imaging.formats.row import too_many_frames
from quickthumb.imaging.levels import Level
from quickthumb.imaging.orientation import UPRIGHT, Size, Turn, from_exif
from quickthumb.model.limits import Limits

_SRGB_GAMMA = 0.45455
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
    size: Size  # as stored
    frame_count: int
    turn: Turn  # makes it upright
    has_alpha: bool
    plays: int  # how often an animation is shown; 0 is forever
    color_space: str  # to convert from, if Pillow does not; else empty
    info: dict[Any, Any]
    path: Path
    key_color: object  # stands for transparent in every frame
    limits: Limits
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
        first = 1 if getattr(self.image, "default_image", False) else 0
        for index in range(first, first + count):
            checkpoint()
            with decoding():
                picture, scale = self._decode(index, count, draft)
                milliseconds = float(self.image.info.get("duration") or 0)
            yield Frame(Level(picture, scale), milliseconds)

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
            picture = samples.plain(image, self.key_color if decoder.key_color else image.info.get("transparency"))
        return (picture if picture.size == self.size else picture.crop((0, 0, *self.size))), (1.0, 1.0)


@contextmanager
def open_source(path: Path, limits: Limits) -> Iterator[Source]:
    """Opens a file for decoding. Raises what `opened` raises, TooManyPixels for any format, and TooManyFrames."""
    with opened(path, limits) as image:
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
            plays=row.decoder.plays(image.info.get("loop")),
            color_space=row.decoder.color_space(image) if row.decoder.color_space else "",
            info=dict(image.info),
            path=path,
            key_color=row.decoder.key_color(image) if row.decoder.key_color else None,
            limits=limits,
        )
        with decoding():
            source.has_alpha = image.has_transparency_data
            samples.check(image)
            if row.decoder.late_metadata:
                image.load()
        _read_exif(source)
        _warn(source)
        yield source


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
    """Turns the source as its EXIF says, or else its XMP. Only a result that asks for metadata has all of it read."""
    block, packet = _exif_block(source.image.info), source.image.info.get("xmp")
    if len(block) > MOST_EXIF_BYTES:
        source.warnings.append(EXIF_TOO_LARGE)
    elif is_damaged(block):
        source.warnings.append(EXIF_DAMAGED)
    _turn(source, told_by_exif(block) or told_by_xmp(packet if isinstance(packet, bytes) else b""))


def _exif_block(info: dict[Any, Any]) -> bytes:
    """The EXIF of an opened file, or that which a PNG has in hexadecimal digits."""
    text = info.get("Raw profile type exif")
    return info.get("exif") or (unwrapped(text) if isinstance(text, str) else b"")


def _turn(source: Source, orientation: object) -> None:
    if not source.format.decoder.turns_upright:
        source.turn = from_exif(orientation)


def _warn(source: Source) -> None:
    if source.format.decoder.has_pages and getattr(source.image, "is_animated", False):
        source.warnings.append("The file has several pages; only the first was used.")
    gamma = source.info.get("gamma", _SRGB_GAMMA)
    if abs(gamma - _SRGB_GAMMA) > 0.01 and not {"srgb", "icc_profile"} & source.info.keys():
        source.warnings.append("The gamma value of the file was not applied.")
