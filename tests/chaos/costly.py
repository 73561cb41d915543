"""Pictures that take far more time than their bytes and pixels tell, by what makes them slow; each is seeded.

Of each kind there are some that are accepted and some that are not: how much of it a file has is left to chance.
"""

import math
import random
from collections.abc import Callable

from tests.imaging import costly_files as files
from tests.imaging import costly_metadata as metadata

Make = Callable[[random.Random], bytes]
LARGEST_FRAMES_SIDE = 1200


def _some(chance: random.Random, fewest: int, most: int) -> int:
    """A number between these; small ones are as likely as large ones."""
    return round(fewest * math.pow(most / fewest, chance.random()))


def _runs(chance: random.Random) -> bytes:
    """Rows of runs of a few pixels each, and maybe of more that draw nothing."""
    width, height = (_some(chance, 100, 3000) for _ in range(2))
    pixels = min(width, chance.choice((1, 2, 85, 255)))
    row = bytes((pixels, 0x12)) * (width // pixels) + bytes((width % pixels, 0x12)) * (width % pixels > 0) + b"\0\0"
    nothing = b"\0\2\0\0" * chance.choice((0, 0, _some(chance, 100, 1_000_000)))
    return files.bmp_runs(width, height, nothing + row * height + b"\0\1", bits=chance.choice((4, 8)))


def _frames(chance: random.Random) -> bytes:
    side = _some(chance, 10, LARGEST_FRAMES_SIDE)
    return files.gif_small_frames(_some(chance, 2, 50), side, side)


COSTLY: dict[str, Make] = {
    "jpeg of scans": lambda chance: files.jpeg_scans(_some(chance, 10, 4000)),
    "jpeg of sequential scans": lambda chance: files.jpeg_sequential_scans(_some(chance, 4, 400), 640, 480),
    "jpeg of segments": lambda chance: files.jpeg_segments(_some(chance, 100, 200_000)),
    "jpeg of restarts": lambda chance: files.saved("JPEG", restart_marker_blocks=chance.randint(1, 4)),
    "jpeg of EXIF entries": lambda chance: metadata.jpeg_exif(_some(chance, 100, 60_000)),
    "png of bytes": lambda chance: files.png_cut_into(_some(chance, 100, 200_000)),
    "png of chunks": lambda chance: files.png_chunks(_some(chance, 100, 200_000)),
    "png of texts": lambda chance: files.png_texts(_some(chance, 10, 2000)),
    "png of EXIF entries": lambda chance: metadata.png_exif(_some(chance, 100, 60_000)),
    "png of filters": lambda chance: files.png_filtered(chance.randint(1, 4)),
    "png of passes": lambda _: files.png_interlaced(),
    "png of a profile's steps": lambda chance: metadata.png_profile(
        metadata.profile_of_elements(_some(chance, 1, 60_000))
    ),
    "png of a profile's segments": lambda chance: metadata.png_profile(
        metadata.profile_of_segments(_some(chance, 2, 20_000))
    ),
    "png of a profile's table": lambda chance: metadata.png_profile(metadata.profile_of_table(chance.randint(2, 50))),
    "gif of comments": lambda chance: files.gif_comments(_some(chance, 100, 1_000_000)),
    "gif of extensions": lambda chance: files.gif_extensions(_some(chance, 100, 200_000)),
    "gif of blocks": lambda chance: files.gif_cut_into(_some(chance, 100, 1_000_000)),
    "gif of frames": _frames,
    "tiff of strips": lambda chance: files.tiff_pieces(_some(chance, 100, 200_000)),
    "tiff of packed strips": lambda chance: files.tiff_pieces(_some(chance, 100, 200_000), packed=True),
    "tiff of tiles": lambda chance: files.tiff_pieces(_some(chance, 100, 200_000), tiled=True),
    "tiff of one tile": lambda chance: files.tiff_tile(*(_some(chance, 16, 2000) for _ in range(3))),
    "bmp of runs": _runs,
    "ico of icons": lambda chance: files.icon_of_many(_some(chance, 1, 20_000)),
    "webp of frames": lambda chance: files.webp_frames(_some(chance, 2, 50), 1200, 900),
    "webp of chunks": lambda chance: files.webp_chunks(_some(chance, 100, 200_000)),
    "avif of cells": lambda chance: files.avif_grid(_some(chance, 1, 40), _some(chance, 1, 40)),
    "heif of cells": lambda chance: files.heif_grid(_some(chance, 1, 40), _some(chance, 1, 40)),
    "heif of large cells": lambda chance: files.heif_large_cells(_some(chance, 1, 8), _some(chance, 1, 8)),
    "heif of slices": lambda chance: files.heif_slices(_some(chance, 1, 4000)),
    "heif of pictures": lambda chance: files.heif_pictures(_some(chance, 1, 900)),
}
