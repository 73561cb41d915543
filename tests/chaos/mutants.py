"""Valid small pictures of every format that is read, and seeded ways of damaging them."""

import io
import random
import struct
from collections.abc import Callable
from typing import Any

from PIL import Image

from tests.imaging.color_files import cicp, gamma, png
from tests.imaging.iso_files import COLOR, SIZE, TEN, alpha_of, grid, hevc, irot, iso_file
from tests.imaging.pictures import disc, noise

WIDTH, HEIGHT = 48, 36
HEAD_BYTES = 64
MOST_DAMAGES = 4
# Values at which programs turn out to have miscounted.
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)

Damage = Callable[[random.Random, bytearray], None]


def samples() -> dict[str, list[bytes]]:
    """For each format, files that differ in how they are encoded."""
    tiffs = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg")
    return {
        "jpeg": [_saved("JPEG"), _saved("JPEG", exif=_exif(), comment=b"hello")],
        "progressive jpeg": [_saved("JPEG", progressive=True)],
        "png": [
            _saved("PNG"),
            _saved("PNG", picture=noise(WIDTH, HEIGHT).quantize(16)),
            _saved("PNG", picture=disc(40)),
            png(noise(WIDTH, HEIGHT), cicp(12, 13), gamma(0.5)),
        ],
        "apng": [_animation("PNG", duration=50)],
        "webp lossy": [_saved("WEBP"), _saved("WEBP", exif=_exif())],
        "webp lossless": [_saved("WEBP", lossless=True), _saved("WEBP", lossless=True, picture=disc(40))],
        "webp animated": [_animation("WEBP", duration=50)],
        "gif": [_saved("GIF"), _animation("GIF", duration=50, loop=0)],
        "avif": [_saved("AVIF", speed=10), _animation("AVIF", speed=10)],
        "heif": [
            iso_file([hevc(COLOR, SIZE, irot(1)), alpha_of(1)]),
            iso_file([grid(2, 2, (180, 120)), *[hevc(TEN)] * 4]),
        ],
        "tiff": [
            *(_saved("TIFF", compression=compression) for compression in tiffs),
            _saved("TIFF", picture=noise(WIDTH, HEIGHT).convert("1"), compression="group4"),
        ],
        "bmp": [_saved("BMP"), _saved("BMP", picture=noise(WIDTH, HEIGHT).quantize(16))],
        "ico": [_saved("ICO", sizes=[(16, 16), (32, 32)]), _saved("ICO", sizes=[(32, 32)], bitmap_format="bmp")],
    }


def mutant(chance: random.Random, sample: bytes) -> bytes:
    """The sample, damaged in one way or in a few."""
    data = bytearray(sample)
    for _ in range(chance.randint(1, MOST_DAMAGES)):
        if len(data) > 1:
            chance.choice(DAMAGES)(chance, data)
    return bytes(data)


def _flip_bits(chance: random.Random, data: bytearray) -> None:
    for _ in range(chance.randint(1, 16)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite_run(chance: random.Random, data: bytearray) -> None:
    start, end = _span(chance, data)
    data[start:end] = chance.choice((bytes(end - start), b"\xff" * (end - start), chance.randbytes(end - start)))


def _cut(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(1, len(data)) :]


def _leave_out(chance: random.Random, data: bytearray) -> None:
    start, end = _span(chance, data)
    del data[start : min(end, len(data) - 1)]


def _double(chance: random.Random, data: bytearray) -> None:
    start, end = _span(chance, data)
    data[end:end] = data[start:end] * chance.choice((1, 1, 2, 30))


def _swap(chance: random.Random, data: bytearray) -> None:
    a, b, c, d = sorted(chance.randrange(len(data) + 1) for _ in range(4))
    data[a:d] = data[c:d] + data[b:c] + data[a:b]


def _change_head(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(min(len(data), HEAD_BYTES))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _lie_about_a_number(chance: random.Random, data: bytearray) -> None:
    """Anywhere, but mostly in the head, where lengths, sizes and offsets stand."""
    code = chance.choice(("<H", ">H", "<I", ">I"))
    size = struct.calcsize(code)
    places = min(len(data), chance.choice((HEAD_BYTES, 4 * HEAD_BYTES, len(data)))) - size
    if places > 0:
        number = chance.choice(NUMBERS) & (256**size - 1)
        struct.pack_into(code, data, chance.randrange(places), number)


DAMAGES: tuple[Damage, ...] = (
    _flip_bits,
    _overwrite_run,
    _cut,
    _leave_out,
    _double,
    _swap,
    _change_head,
    _change_head,
    _lie_about_a_number,
    _lie_about_a_number,
)


def _span(chance: random.Random, data: bytearray) -> tuple[int, int]:
    start = chance.randrange(len(data))
    return start, min(len(data), start + chance.choice((1, 4, 16, 64, 512)))


def _saved(kind: str, picture: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (picture or noise(WIDTH, HEIGHT)).save(file, kind, **options)
    return file.getvalue()


def _animation(kind: str, **options: Any) -> bytes:
    first, *others = (noise(WIDTH, HEIGHT, seed=seed) for seed in range(1, 5))
    return _saved(kind, first, save_all=True, append_images=others, **options)


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    return exif
