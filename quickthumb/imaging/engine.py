"""From a source file to the files of its results, in one synchronous call."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from quickthumb.errors import BrokenImage, TooManyPixels, UnsupportedImage
from quickthumb.imaging.limits import Limits
from quickthumb.imaging.parameters import Output

# Nothing else is ever given to a decoder: most of Pillow's security holes were in its rarer formats.
DECODERS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP", "ICO")
# Format -> (name in answers, file extension).
ENCODERS = {
    "JPEG": ("jpeg", "jpg"),
    "PNG": ("png", "png"),
    "WEBP": ("webp", "webp"),
    "GIF": ("gif", "gif"),
    "AVIF": ("avif", "avif"),
}
# Values of the EXIF orientation that turn a picture by a quarter, so that its width becomes its height.
SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a source after decoding; sizes in pixels, upright."""

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Made:
    """One file that was made for one output."""

    name: str
    filename: str
    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Rendering:
    """What came of one source: its facts, and a file for each output in the order asked for."""

    facts: Facts
    made: tuple[Made, ...]


def render(source: Path, outputs: Sequence[Output], folder: Path, limits: Limits) -> Rendering:
    """Makes every output of `source` as a file in `folder`.

    Raises UnsupportedImage for what no allowed decoder knows, TooManyPixels before anything is decoded, and
    BrokenImage for a file that does not decode to its end.
    """
    try:
        with Image.open(source, formats=DECODERS) as image:
            return _render(image, outputs, folder, limits)
    except UnidentifiedImageError:
        raise UnsupportedImage("The file is not an image of a format that is read here.") from None
    except Image.DecompressionBombError:
        raise TooManyPixels("The image has more pixels than are accepted.") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BrokenImage("The image is damaged and could not be decoded.") from error


def _render(image: Image.Image, outputs: Sequence[Output], folder: Path, limits: Limits) -> Rendering:
    if image.width * image.height > limits.max_pixels:
        raise TooManyPixels(
            f"The image has {image.width} × {image.height} pixels; at most {limits.max_pixels} are accepted."
        )
    source_format = "JPEG" if image.format == "MPO" else image.format or ""
    sideways = image.getexif().get(ExifTags.Base.Orientation, 1) in SIDEWAYS
    facts = Facts(source_format.lower(), *(image.size[::-1] if sideways else image.size))
    largest = max(max(output.width or image.width, output.height or image.height) for output in outputs)
    # Decoding at half, quarter or eighth size never goes below twice the size wanted.
    image.draft(None, (2 * largest, 2 * largest))
    upright = ImageOps.exif_transpose(image)
    return Rendering(facts, tuple(_make(upright, source_format, output, folder) for output in outputs))


def _make(upright: Image.Image, source_format: str, output: Output, folder: Path) -> Made:
    picture = upright.copy()
    picture.thumbnail((output.width or upright.width, output.height or upright.height), Image.Resampling.LANCZOS)
    encoder = source_format if source_format in ENCODERS else "PNG" if picture.has_transparency_data else "JPEG"
    if encoder == "JPEG" and picture.mode not in ("L", "RGB", "CMYK"):
        picture = picture.convert("RGB")
    name, extension = ENCODERS[encoder]
    filename = f"{output.name}.{extension}"
    picture.save(folder / filename, encoder, exif=b"")
    return Made(output.name, filename, name, *picture.size)
