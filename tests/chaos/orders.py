"""Seeded orders of every kind, and hostile pictures to go with them: most are valid, and all ask for a lot.

Any single order is one that a client may send. Together they look for one that takes more than its share.
"""

import io
import json
import random
import zlib
from collections.abc import Callable
from functools import cache, partial
from struct import pack
from typing import Any

from PIL import Image

from tests.chaos.bombs import BOMBS, PNG_SIGNATURE
from tests.chaos.mutants import mutant, samples
from tests.imaging.pictures import noise
from tests.imaging.test_broken import chunk

FORMATS = ("auto", "jpeg", "png", "webp", "avif", "gif")
# Where programs run out of numbers, of memory, or of patience; small ones are the most frequent.
SIDES = (1, 2, 16, 100, 100, 500, 500, 1000, 2000, 4000, 9500, 16_383)
ANGLES = (90, 180, 270, -90, 45, 45, 0.01, 1, 89.99, 123.4, -360)
COLORS = ("white", "#0000", "#ff000080", "transparent")
POSITIONS = ("center", "smart", "smart", "top-left", "0.1,0.9")
MOST_OUTPUTS = 8


def any_order(chance: random.Random) -> dict[str, str]:
    """The query of an upload: one output or several, with any of their parameters."""
    count = chance.choice((1, 1, 1, 2, 3, MOST_OUTPUTS))
    return {"outputs": json.dumps([{"name": f"output-{number}", **_parameters(chance)} for number in range(count)])}


def _parameters(chance: random.Random) -> dict[str, Any]:
    fit = chance.choice(("inside", "inside", "cover", "contain", "fill"))
    asked: dict[str, Any] = {"fit": fit, "enlarge": chance.random() < 0.4, "format": chance.choice(FORMATS)}
    if fit != "inside" or chance.random() < 0.8:
        asked |= {"width": chance.choice(SIDES), "height": chance.choice(SIDES)}
    for name, values in _RARELY.items():
        if chance.random() < 0.15:
            asked[name] = chance.choice(values)
    if chance.random() < 0.1 and asked["format"] in ("jpeg", "webp", "avif"):
        asked["max_bytes"] = chance.choice((100, 5000, 10**6))
    if chance.random() < 0.1 and asked["format"] == "webp" and "max_bytes" not in asked:
        asked["lossless"] = True
    return asked


_RARELY: dict[str, tuple[Any, ...]] = {
    "rotate": ANGLES,
    "crop": ([0, 0, 1, 1], [0, 0, 9, 9], [5, 3, 40, 20]),
    "flip": (True,),
    "flop": (True,),
    "background": COLORS,
    "position": POSITIONS,
    "grayscale": (True,),
    "blur": (0.3, 5, 250),
    "sharpen": (1, 500),
    "saturation": (0, 3.5),
    "contrast": (0, 10),
    "metadata": ("copyright", "keep"),
    "frames": ("first",),
}


def any_picture(chance: random.Random) -> tuple[str, bytes]:
    """A picture and what to call it: a bomb, a damaged one, or a whole one of awkward proportions."""
    kind = chance.choice(("bomb", "mutant", "whole", "whole", "whole"))
    if kind == "bomb":
        name = chance.choice(tuple(BOMBS))
        return name, _bomb(name)
    if kind == "mutant":
        name, several = chance.choice(tuple(_samples().items()))
        return f"mutant {name}", mutant(chance, chance.choice(several))
    name = chance.choice(tuple(WHOLE))
    return name, _whole(name)


@cache
def _bomb(name: str) -> bytes:
    return BOMBS[name]()


@cache
def _samples() -> dict[str, list[bytes]]:
    return samples()


@cache
def _whole(name: str) -> bytes:
    return WHOLE[name]()


def _flat_png(width: int, height: int, *, depth: int = 8, color: int = 0) -> bytes:
    """A picture of zeros. `color` is PNG's type of color: 0 gray, 2 RGB, 6 RGBA."""
    samples_per_pixel = {0: 1, 2: 3, 6: 4}[color]
    row = bytes(1 + -(-width * samples_per_pixel * depth // 8))
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = chunk(b"IHDR", pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return PNG_SIGNATURE + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _flat(kind: str, width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, kind, **options)
    return file.getvalue()


def _frames(kind: str, count: int, width: int, height: int) -> bytes:
    """An animation whose frames differ, so that no encoder merges them."""
    first, *others = (Image.new("RGB", (width, height), (number % 256, 90, 0)) for number in range(count))
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=others, duration=40)
    return file.getvalue()


def _photo(kind: str, width: int, height: int, **options: Any) -> bytes:
    file = io.BytesIO()
    noise(width, height).save(file, kind, **options)
    return file.getvalue()


WHOLE: dict[str, Callable[[], bytes]] = {
    "one pixel": partial(_flat_png, 1, 1),
    "a gray line of 20,000 pixels": partial(_flat_png, 20_000, 1),
    "a gray line of 40,000 pixels": partial(_flat_png, 40_000, 1),
    "a gray column of 4,000,000 pixels": partial(_flat_png, 1, 4_000_000),
    "a PNG of 100 megapixels": partial(_flat_png, 10_000, 10_000),
    "an RGBA PNG of 49 megapixels": partial(_flat_png, 7000, 7000, color=6),
    "a PNG with 16 bits per sample": partial(_flat_png, 3000, 3000, depth=16, color=6),
    "a JPEG of 100 megapixels": partial(_flat, "JPEG", 10_000, 10_000),
    "a progressive JPEG of 49 megapixels": partial(_flat, "JPEG", 7000, 7000, progressive=True),
    "a WebP of 100 megapixels": partial(_flat, "WEBP", 10_000, 10_000),
    "a lossless WebP of 49 megapixels": partial(_flat, "WEBP", 7000, 7000, lossless=True),
    "an AVIF of 36 megapixels": partial(_flat, "AVIF", 6000, 6000, speed=10),
    "a TIFF of 49 megapixels": partial(_flat, "TIFF", 7000, 7000, compression="tiff_lzw"),
    "a bilevel TIFF of 100 megapixels": partial(_flat, "TIFF", 10_000, 10_000, "1", compression="group4"),
    "a GIF of 300 frames": partial(_frames, "GIF", 300, 400, 300),
    "a WebP of 60 frames": partial(_frames, "WEBP", 60, 600, 400),
    "an APNG of 100 frames": partial(_frames, "PNG", 100, 300, 200),
    "a noisy JPEG": partial(_photo, "JPEG", 3000, 2000, quality=95),
    "a noisy PNG": partial(_photo, "PNG", 1600, 1200),
    "a noisy WebP": partial(_photo, "WEBP", 1600, 1200, quality=90),
}
