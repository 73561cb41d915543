"""JPEGs whose header Pillow cannot read, and JPEGs that end too early.

A decoder cannot tell whether a JPEG without its end marker has all of its pixels: it makes up whatever is missing. So
the file is decoded with two endings: the marker alone, and noise before it. Pixels that are missing depend on the
ending; if both pictures are the same, nothing is missing. A JPEG of several scans must also have all of them.
"""

import hashlib
import mmap
import random
from dataclasses import replace
from pathlib import Path

from PIL import Image, JpegImagePlugin

from quickthumb.imaging.formats.jpeg import load_at_scale, watch
from quickthumb.imaging.formats.jpeg_scans import scans_of
from quickthumb.imaging.formats.jpeg_segments import END_OF_IMAGE, START_OF_IMAGE, START_OF_SCAN, segments
from quickthumb.imaging.formats.recovery import Failed, Recovered
from quickthumb.imaging.formats.splice import Patched
from quickthumb.imaging.formats.watch import Watch, check_file
from quickthumb.imaging.formats.window import Seeking
from quickthumb.model.errors import BrokenImage
from quickthumb.model.limits import Limits

_START, _END = bytes((0xFF, START_OF_IMAGE)), bytes((0xFF, END_OF_IMAGE))
_NOISE_BYTES = 256
# In how many strips two pictures are compared.
_STRIPS = 256
# Segments that Pillow takes apart, by how they begin, and the bytes that a whole one has at least.
_SHORTEST = {0xE0: (b"JFIF", 14), 0xEE: (b"Adobe", 12)}
# A list of where further pictures lie, which no longer holds once anything before them was left out.
_PLACES = (0xE2, b"MPF\0")
# What is kept of the segments before the pixels: all that tables, profiles and metadata usually take.
_MOST_HEAD_BYTES = 4 * 1024 * 1024

LEFT_OUT = "Segments of the JPEG with wrong lengths were left out."
ALL_THERE = "The end of the file is missing, but every pixel is there."
LESS_DETAIL = "The file is cut off: the picture has less detail or color, because some of its scans are missing."


def mend(path: Path, limits: Limits) -> Patched | None:
    """The file without those segments before its first scan that say wrong lengths, or are too short for what they
    begin like. None if there are no such segments. Raises BrokenImage, and TooManyParts for what they had hidden."""
    head, begin = bytearray(_START), 0
    with path.open("rb") as file:
        window = Seeking(file)
        for marker, start, length in segments(window):
            if marker == START_OF_SCAN:
                begin = start
                break
            content = window.at(start, length)
            if _is_useful(marker, content) and len(head) + length < _MOST_HEAD_BYTES:
                head += bytes((0xFF, marker)) + (length + 2).to_bytes(2, "big") + content
    if not begin or len(head) == begin:
        return None
    mended = Patched(path, head=bytes(head), begin=begin, reason=LEFT_OUT)
    with mended.open() as reader:
        check_file(reader, Watch(watch(limits)))
    return mended


def _is_useful(marker: int, content: bytes) -> bool:
    name, shortest = _SHORTEST.get(marker, (b"", 0))
    if name and content.startswith(name) and len(content) < shortest:
        return False
    return not (marker == _PLACES[0] and content.startswith(_PLACES[1]))


def recover(failed: Failed) -> Recovered:
    """Decodes a JPEG again that did not decode.

    Raises BrokenImage if pixels are missing, unless it may be filled: then only if there are no pixels at all. Raises
    TooManyParts for what a wrong length had hidden.
    """
    failed.image._im = None  # what was decoded in vain takes memory
    patched: Patched | None = getattr(failed.image, "patched", None)
    if patched is not None:
        return _with_end(patched, failed)
    mended = mend(failed.path, failed.limits)
    if mended is None:
        return _with_end(Patched(failed.path), failed)
    try:
        picture, scale = _decoded(mended, failed)
        return Recovered(picture, scale, (LEFT_OUT,))
    except OSError:
        recovered = _with_end(mended, failed)
        return replace(recovered, warnings=(LEFT_OUT, *recovered.warnings))


def _with_end(file: Patched, failed: Failed) -> Recovered:
    """Decodes the file with two endings, and compares the pictures."""
    noisy, _ = _decoded(file.with_tail(_noise(file)), failed)
    others = _digests(noisy)
    del noisy
    picture, scale = _decoded(file.with_tail(_END), failed)
    same, scans = _equal_strips(_digests(picture), others), scans_of(file)
    if same == len(others) and scans.are_complete:
        return Recovered(picture, scale, (ALL_THERE,))
    if not failed.fills or (same == 0 and not scans.are_progressive):
        raise BrokenImage("The image is damaged: the file is cut off.")
    if scans.are_progressive or same == len(others):
        return Recovered(picture, scale, (LESS_DETAIL,))
    share = round(100 * same / len(others))
    told = f"The file is cut off: about {share} % of the rows are there, the rest is gray."
    return Recovered(picture, scale, (told,))


def _noise(file: Patched) -> bytes:
    """An ending that goes on with arbitrary data: also behind each restart marker, in case one is awaited next. The
    first of them is the one that is due: decoders take some others for later ones, and skip what is behind them."""
    made = random.Random(1).randbytes(_NOISE_BYTES).replace(b"\xff", b"\xaa")  # noqa: S311 - nothing secret
    noise = b"\xaa" + made
    last, due = _last_byte_and_restart_due(file.path)
    restarts = b"".join(bytes((0xFF, 0xD0 + (due + place) % 8)) + noise for place in range(8))
    return (b"\0" if last == 0xFF else b"") + noise + restarts + _END


def _last_byte_and_restart_due(path: Path) -> tuple[int, int]:
    """The last byte of the file, and the number of the restart marker that comes after the last one in it: they count
    from 0 to 7."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        places = [data.rfind(bytes((0xFF, 0xD0 + number))) for number in range(8)]
        last_byte = data[-1]
    last = max(places)
    return last_byte, 0 if last < 0 else (places.index(last) + 1) % 8


def _decoded(file: Patched, failed: Failed) -> tuple[Image.Image, tuple[float, float]]:
    with file.open() as reader:
        image = JpegImagePlugin.JpegImageFile(reader)
        if image.size != failed.size:
            raise BrokenImage("The image is damaged: the JPEG has two sizes.")
        scale = load_at_scale(image, failed.draft)
    return image, scale


def _digests(picture: Image.Image) -> list[bytes]:
    rows = -(-picture.height // _STRIPS)
    strips = (
        picture.crop((0, top, picture.width, min(top + rows, picture.height))) for top in range(0, picture.height, rows)
    )
    return [hashlib.blake2b(strip.tobytes(), digest_size=16).digest() for strip in strips]


def _equal_strips(some: list[bytes], others: list[bytes]) -> int:
    """How many strips are the same, from the top."""
    pairs = zip(some, others, strict=True)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), len(some))
