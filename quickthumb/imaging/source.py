"""The source: what its header tells, and its frames as plain pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageCms

from quickthumb.imaging import canvas, gif
from quickthumb.imaging.decoders import decoding, opened
from quickthumb.imaging.levels import Level
from quickthumb.imaging.orientation import UPRIGHT, Size, Turn, from_exif
from quickthumb.model.errors import TooManyFrames, UnsupportedImage
from quickthumb.model.limits import Limits

_NAMES = {"MPO": "jpeg"}
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_PHOTOMETRIC, _CIELAB = 262, 8
_SRGB_GAMMA = 0.45455


@dataclass(frozen=True, slots=True)
class Frame:
    """A stored picture in one of resampling's MODES, at its scale, shown for `milliseconds`."""

    level: Level
    milliseconds: float


@dataclass(slots=True)
class Source:
    """An opened file. Its header is read; pixels are decoded only by `frames`."""

    image: Image.Image
    format: str
    size: Size  # as stored
    frame_count: int
    turn: Turn  # what makes it upright
    has_alpha: bool
    plays: int  # how often an animation is shown; 0 is for ever
    cielab: bool
    info: dict[Any, Any]
    exif: Image.Exif | None
    transparent: object  # the key color of a picture without alpha
    limits: Limits
    warnings: list[str] = field(default_factory=list)

    @property
    def upright(self) -> Size:
        return self.turn.size(self.size)

    def frames(self, count: int, draft: int) -> Iterator[Frame]:
        """The first `count` frames, each decoded whole; a JPEG at 1/`draft` of its size.

        Raises TooManyPixels before decoding, BrokenImage for a file that does not decode to its end.
        """
        canvas.check_pixels(*self.size, count, self.limits)
        first = 1 if getattr(self.image, "default_image", False) else 0
        for index in range(first, first + count):
            with decoding():
                picture, scale = self._decode(index, draft)
                milliseconds = float(self.image.info.get("duration") or 0)
            yield Frame(Level(picture, scale), milliseconds)

    def _decode(self, index: int, draft: int) -> tuple[Image.Image, tuple[float, float]]:
        image = self.image
        if self.format == "jpeg":
            return _decode_jpeg(image, draft)
        if self.format != "tiff":  # the further pages of a TIFF are not frames
            image.seek(index)
        canvas.check_pixels(*image.size, 1, self.limits)  # a GIF's frame may be larger than its screen
        image.load()
        picture = _plain(image, self.transparent if self.format == "png" else image.info.get("transparency"))
        return (picture if picture.size == self.size else picture.crop((0, 0, *self.size))), (1.0, 1.0)


@contextmanager
def open_source(path: Path, limits: Limits) -> Iterator[Source]:
    """Opens a file for decoding; raises what `opened` does, and TooManyFrames."""
    with opened(path, limits) as image:
        canvas.check_pixels(*image.size, 1, limits)
        size = image.size
        with decoding():
            frame_count = count_frames(image, path, limits)
        source = Source(
            image=image,
            format=format_name(image),
            size=size,
            frame_count=frame_count,
            turn=UPRIGHT,
            has_alpha=False,
            plays=_plays(image),
            cielab=_is_cielab(image),
            info=dict(image.info),
            exif=None,
            transparent=_transparent_color(image),
            limits=limits,
        )
        with decoding():
            source.has_alpha = image.has_transparency_data
            _check_samples(image)
            if image.format == "PNG":  # its EXIF may come after the pixels
                image.load()
        _read_exif(source)
        _warn(source)
        yield source


def format_name(image: Image.Image) -> str:
    """The name that answers have for the format of an opened file."""
    return _NAMES.get(image.format or "", (image.format or "").lower())


def count_frames(image: Image.Image, path: Path, limits: Limits) -> int:
    """How many frames an opened file's animation has, 1 for stills; raises TooManyFrames, and BrokenImage for a GIF
    that breaks off."""
    if image.format not in _ANIMATED:
        return 1
    if image.format == "GIF":
        count = gif.count_frames(path, limits.max_frames + 1)
    else:
        count = getattr(image, "n_frames", 1) - (1 if getattr(image, "default_image", False) else 0)
    if count > limits.max_frames:
        raise TooManyFrames(f"The animation has more than {limits.max_frames} frames.")
    return max(1, count)


def _plays(image: Image.Image) -> int:
    """How often the animation is shown. A GIF counts the repetitions after the first showing, and has none unasked."""
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else 0 if loop == 0 else int(loop) + 1
    return int(loop or 0)


def _check_samples(image: Image.Image) -> None:
    if image.mode in ("I", "F"):
        raise UnsupportedImage("Pictures with samples of 32 bits are not read here.")


def _read_exif(source: Source) -> None:
    try:
        source.exif = source.image.getexif()
        orientation = source.exif.get(ExifTags.Base.Orientation)
        for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):  # while the file is open
            source.exif.get_ifd(part)
        if source.info.get("exif") and not len(source.exif):
            raise ValueError("nothing in it could be read")
    except MemoryError:
        raise
    except Exception:  # what is written in EXIF blocks by cameras and editors is often damaged
        source.exif = None
        source.warnings.append("The EXIF data is damaged and was left out.")
        return
    if source.format != "tiff":  # Pillow turns TIFFs by itself while loading
        source.turn = from_exif(orientation)


def _warn(source: Source) -> None:
    if source.format == "tiff" and getattr(source.image, "is_animated", False):
        source.warnings.append("The file has several pages; only the first was used.")
    gamma = source.info.get("gamma", _SRGB_GAMMA)
    if abs(gamma - _SRGB_GAMMA) > 0.01 and not {"srgb", "icc_profile"} & source.info.keys():
        source.warnings.append("The gamma that the file states was not applied.")


def _decode_jpeg(image: Image.Image, draft: int) -> tuple[Image.Image, tuple[float, float]]:
    width, height = image.size
    if draft > 1:
        image.draft(None, (width // draft, height // draft))
    if image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow takes every CMYK JPEG for Adobe's, which stores ink inverted; without Adobe's marker it is not.
        image.tile = [tile._replace(args=("CMYK", "")) for tile in image.tile]  # type: ignore[attr-defined]
    image.load()
    return image, (1 / draft, 1 / draft)


def _transparent_color(image: Image.Image) -> object:
    """The one color that a picture shows as transparent, of 8 bits; Pillow leaves that of 16-bit pictures as it is."""
    key = image.info.get("transparency")
    sixteen = any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    if sixteen and isinstance(key, tuple):
        return tuple(sample >> 8 for sample in key)
    if image.mode.startswith("I;16") and isinstance(key, int):
        return round(key / 257)
    return key


def _plain(image: Image.Image, transparent: object) -> Image.Image:
    """The picture in one of resampling's MODES, its palette, key color or 16 bits resolved."""
    if _is_cielab(image):
        return _from_cielab(image)
    if image.mode.startswith("I;16"):
        # A 16-bit sample becomes 8 bits by 257, not by dropping what is above 255 as Pillow's own conversion has it.
        image = _with_key(image.convert("I").point(lambda sample: sample * (1 / 257) + 0.5).convert("L"), transparent)
    elif image.mode in ("RGB", "L", "1") and transparent is not None:
        image = _with_key(image.convert("L") if image.mode == "1" else image, transparent)
    if image.mode in ("L", "RGB", "RGBA", "CMYK"):
        return image
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _with_key(picture: Image.Image, transparent: object) -> Image.Image:
    if transparent is None:
        return picture
    picture = picture.copy()
    picture.info["transparency"] = transparent
    return picture.convert("RGBA")


def _is_cielab(image: Image.Image) -> bool:
    return image.mode == "LAB" or (image.mode == "RGB" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _CIELAB)


def _from_cielab(image: Image.Image) -> Image.Image:
    """sRGB by littleCMS. Channels read as plain samples have a* and b* signed (TIFF 6.0, section 23)."""
    if image.mode != "LAB":
        lightness, *others = image.split()
        a, b = (band.point([(sample + 128) % 256 for sample in range(256)]) for band in others)
        image = Image.merge("LAB", (lightness, a, b))
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(lab, srgb, "LAB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    return transform.apply(image)
