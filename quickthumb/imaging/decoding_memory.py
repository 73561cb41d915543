"""How much memory decoding a picture takes, and how much of it stays until the file is closed.

The numbers are bytes per pixel, read from the code of Pillow and of the codecs, and measured (Pillow 13, libwebp 1.6,
libavif 1.4 with dav1d, libheif 1.23 with libde265, libtiff 4.7): `tests/imaging/test_memory.py` holds them against real
decodes.
"""

from quickthumb.imaging.orientation import Size
from quickthumb.imaging.stored import Stored

# Pillow keeps a pointer for each row.
_ROW_BYTES = 8
# The bytes per pixel of Pillow's modes; 4 for all others, RGB too.
_MODE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
# Converting CIELAB, 16 bits and black and white: bytes per pixel of the copies in between.
_LAB, _SIXTEEN, _BILEVEL = 13, 8, 1
# libjpeg keeps each coefficient of a picture in several scans in two bytes.
_COEFFICIENT_BYTES = 2
# What decoders take beside Pillow's picture: at most while they decode, and until the file is closed.
_BESIDE = {
    # Two canvases, and the frame as it is handed over.
    "webp": (12.0, 8.0),
    # The planes (8 bits, unsubsampled), the frame in RGB, as it is handed over, and what dav1d takes.
    "avif": (8.0, 4.0),
    # Samples of four bytes, in which progressive pictures are put together, then the pixels twice.
    "jxl": (16.0, 4.0),
    # The mask, and the icon before it was put together with it.
    "ico": (9.0, 4.0),
    # Unpacked runs.
    "bmp": (2.0, 0.0),
}
# The same for animations: the frame before, the one that is restored after the next, and their parts.
_BESIDE_FRAMES = {"gif": (14.0, 14.0), "png": (16.0, 9.0)}
# An alpha plane, in the frame and on its way.
_AVIF_ALPHA = 2.0
# libde265 and libheif keep the planes of a HEIF each; from deep ones, planes of 8 bits are made first.
_HEIF_COPIES = 2
# dav1d keeps up to 8 frames, in 3 or 4 planes, from which it predicts others.
_AVIF_REFERENCES, _AVIF_PLANES = 8, 4.0


def picture_bytes(size: Size | tuple[float, float], pixel_bytes: float) -> int:
    """The bytes of one picture of Pillow's."""
    return int(size[0] * size[1] * pixel_bytes + size[1] * _ROW_BYTES)


def decoding_bytes(stored: Stored, draft: int) -> tuple[int, int]:
    """The bytes that decoding at 1/`draft` of the size takes at any one time, and those that stay. `draft` is only for
    JPEGs; other formats are decoded whole."""
    if stored.format == "jpeg":
        return _jpeg_bytes(stored, draft)
    size = (stored.width, stored.height)
    core = picture_bytes(size, _MODE_BYTES.get(stored.likely_mode, 4))
    at_most, after = _beside(stored)
    between, made = _converting(stored)
    kept = core + picture_bytes(size, after) + (picture_bytes(size, made) if made else 0)
    if stored.shown:  # it is cut out
        kept += picture_bytes(stored.shown, stored.pixel_bytes)
    most = max(core + picture_bytes(size, at_most), kept + picture_bytes(size, between))
    if stored.frames > 1:  # the frame before is let go once the next one is there
        return most + picture_bytes(size, stored.pixel_bytes), kept
    return most, kept


def _jpeg_bytes(stored: Stored, draft: int) -> tuple[int, int]:
    size = (-(-stored.width // draft), -(-stored.height // draft))
    core = picture_bytes(size, _MODE_BYTES.get(stored.likely_mode, 4))
    coefficients = stored.width * stored.height * stored.samples * _COEFFICIENT_BYTES if stored.in_scans else 0
    return core + int(coefficients), core


def _beside(stored: Stored) -> tuple[float, float]:
    """What a decoder takes beside its picture, at most and afterwards, in bytes per pixel."""
    if stored.format == "tiff":
        pixels = max(1, stored.width * stored.height)
        strip = 8.0 if stored.strip_bytes is None else stored.strip_bytes / pixels
        turned = _MODE_BYTES.get(stored.likely_mode, 4) if stored.may_turn else 0.0
        return max(strip, turned), 0.0
    if stored.format == "heif":
        return _beside_heif(stored), 0.0
    most, after = (0.0, 0.0)
    if stored.frames > 1:
        most, after = _BESIDE_FRAMES.get(stored.format, (0.0, 0.0))
    core_bytes = _MODE_BYTES.get(stored.likely_mode, 4)
    own_most, own_after = _BESIDE.get(stored.format, (0.0, 0.0))
    most, after = most + own_most, after + own_after
    if stored.has_wide_key and stored.frames > 1:  # the second decoder goes from frame to frame with the first
        most, after = most + core_bytes + most, after + core_bytes + after
    if stored.format == "avif" and stored.has_alpha:
        most, after = most + _AVIF_ALPHA, after + 1.0
    if stored.format == "avif" and stored.frames > 1:
        frames = min(stored.frames, _AVIF_REFERENCES) * _AVIF_PLANES
        most, after = most + frames, after + frames
    return most, after


def _beside_heif(stored: Stored) -> float:
    """The planes, until the pixels are put together from them; then the pixels, as they are handed over."""
    planes = min(stored.samples, 3.0) + (1.0 if stored.has_alpha else 0.0)
    core, pixel_bytes = _MODE_BYTES.get(stored.likely_mode, 4), {"L": 1, "LA": 2}.get(stored.likely_mode, 4)
    made = planes if stored.is_deep else pixel_bytes
    return max(planes * _HEIF_COPIES * (2 if stored.is_deep else 1) + made - core, pixel_bytes)


def _converting(stored: Stored) -> tuple[float, float]:
    """What converting the decoded picture to a mode of the resampler takes in between, and the result; in bytes per
    pixel."""
    mode = stored.likely_mode
    if stored.is_cielab:
        return _LAB - 4.0, 4.0
    if mode.startswith("I;16"):
        return _SIXTEEN, stored.pixel_bytes
    if stored.format == "gif" and stored.has_key:  # drawn on a transparent screen
        return 4.0, 4.0
    if stored.takes_key:
        return _MODE_BYTES.get(mode, 4), 4.0
    if mode == "1":
        return 0.0, _BILEVEL
    return (0.0, 0.0) if mode in ("L", "RGB", "RGBA", "CMYK") else (0.0, 4.0)
