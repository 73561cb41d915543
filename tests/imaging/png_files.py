"""PNG files put together chunk by chunk, to be wrong where a test wants them to be."""

import struct
import zlib
from collections.abc import Iterable

import numpy as np

from tests.chaos.bombs import PNG_SIGNATURE
from tests.imaging.costly_files import ADAM7
from tests.imaging.test_broken import chunk

GREY, RGB, PALETTE = 0, 2, 3
END = chunk(b"IEND", b"")


def header(width: int, height: int, color_type: int, bits: int = 8, *, interlaced: bool = False) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, interlaced))


def pixels(rows: Iterable[bytes]) -> bytes:
    """The chunk of unfiltered rows."""
    return chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))


def palette(*colors: tuple[int, int, int]) -> bytes:
    return chunk(b"PLTE", b"".join(map(bytes, colors)))


def spoiled(good: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return good[:-1] + bytes([good[-1] ^ 0xFF])


def png(*chunks: bytes) -> bytes:
    return PNG_SIGNATURE + b"".join(chunks)


def red(before: bytes = b"", behind: bytes = b"", end: bytes = END) -> bytes:
    """A red picture of 8 × 8 pixels, with other chunks before its pixels and behind them."""
    return png(header(8, 8, RGB), before, pixels([b"\xff\0\0" * 8] * 8), behind, end)


def packed(samples: np.ndarray, bits: int) -> list[bytes]:
    """Rows of samples of 1, 2, 4, 8 or 16 bits."""
    if bits == 16:
        return [row.astype(">u2").tobytes() for row in samples]
    places = np.arange(bits - 1, -1, -1)
    spread = (samples[..., None] >> places & 1).reshape(len(samples), -1).astype(np.uint8)
    return [np.packbits(row).tobytes() for row in spread]


def interlaced(samples: np.ndarray, bits: int) -> list[bytes]:
    """The rows of all passes (ISO 15948, 8.2)."""
    passes = (samples[y::down, x::across] for x, y, across, down in ADAM7)
    return [row for part in passes if part.size for row in packed(part, bits)]


def animated(head: bytes, before: bytes, frames: list[list[bytes]], width: int, height: int) -> bytes:
    """An APNG of frames that fill the picture and replace what was there, 100 ms each."""
    parts, number = [head, chunk(b"acTL", struct.pack(">II", len(frames), 0)), before], 0
    for index, rows in enumerate(frames):
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0)))
        number += 1
        if index:
            parts.append(chunk(b"fdAT", struct.pack(">I", number) + pixels(rows)[8:-4]))
            number += 1
        else:
            parts.append(pixels(rows))
    return png(*parts, END)
