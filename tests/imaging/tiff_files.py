"""TIFFs of any layout, written tag by tag: encoders write only the usual ones."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS = 256, 257, 258, 259, 262, 273
SAMPLES, ROWS, BYTES, PLANAR, PREDICTOR, COLOR_MAP = 277, 278, 279, 284, 317, 320
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
COEFFICIENTS, SUBSAMPLING, EXTRA, FORMAT = 529, 530, 338, 339

Tags = Mapping[int, int | Sequence[int]]


def tiff(
    width: int,
    length: int,
    tags: Tags,
    pieces: Sequence[bytes],
    *,
    order: str = "<",
    big: bool = False,
    room: int = 0,
) -> bytes:
    """A TIFF (or BigTIFF) with those pieces as its strips, or as its tiles if the tags say how large these are. A tag
    whose value is empty is left out. The directory comes last; or first, if `room` for so many bytes is left for it."""
    start = 16 if big else 8
    at, offsets = start + room, []
    for piece in pieces:
        offsets.append(at)
        at += len(piece)
    at = start if room else at
    lists = (TILE_OFFSETS, TILE_BYTES) if TILE_WIDTH in tags else (OFFSETS, BYTES)
    all_tags: dict[int, int | Sequence[int]] = {WIDTH: width, LENGTH: length, COMPRESSION: 1, lists[0]: offsets}
    all_tags |= {lists[1]: [len(piece) for piece in pieces], **tags}
    body = b"".join(pieces)
    header = b"II" if order == "<" else b"MM"
    header += struct.pack(f"{order}HHHQ", 43, 8, 0, at) if big else struct.pack(f"{order}HL", 42, at)
    directory = _directory(all_tags, at, order, big)
    assert len(directory) <= room or not room
    return header + directory.ljust(room, b"\0") + body if room else header + body + directory


def _directory(tags: Tags, at: int, order: str, big: bool) -> bytes:
    listed = {tag: (value,) if isinstance(value, int) else tuple(value) for tag, value in sorted(tags.items())}
    listed = {tag: values for tag, values in listed.items() if values}
    count, entry, room, end = ("Q", "HHQ", 8, "Q") if big else ("H", "HHL", 4, "L")
    size = struct.calcsize(f"={count}{end}") + len(listed) * (struct.calcsize(f"={entry}") + room)
    directory, outside = struct.pack(f"{order}{count}", len(listed)), b""
    for tag, values in listed.items():
        kind, letter = (4, "L") if max(values) > 0xFFFF or tag in (OFFSETS, BYTES) else (3, "H")
        packed = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(packed) > room:
            packed, outside = struct.pack(f"{order}{end}", at + size + len(outside)), outside + packed
        directory += struct.pack(f"{order}{entry}", tag, kind, len(values)) + packed.ljust(room, b"\0")
    return directory + struct.pack(f"{order}{end}", 0) + outside


def of_samples(samples: NDArray[np.int_], tags: Tags, *, bits: int = 8, order: str = "<", big: bool = False) -> bytes:
    """A TIFF of samples (rows, columns, samples per pixel) in 8 or 16 bits, in strips of three rows."""
    rows, columns, count = samples.shape
    planar = tags.get(PLANAR) == 2
    planes = [samples[..., place] for place in range(count)] if planar else [samples]
    kind = np.dtype(f"{order}u{bits // 8}")
    pieces = [plane[top : top + 3].astype(kind).tobytes() for plane in planes for top in range(0, rows, 3)]
    layout = {BITS: [bits] * count, SAMPLES: count, ROWS: 3, **tags}
    return tiff(columns, rows, layout, pieces, order=order, big=big)
