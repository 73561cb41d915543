"""The files that pictures are encoded into before they are written to the disk."""

import os
import sys
import tempfile
from io import BytesIO
from typing import BinaryIO, cast

# While Pillow encodes a JPEG or a GIF into a Python object, it holds the GIL: for half a millisecond if the picture has
# so many pixels, and for two if they are noise. With a file of the operating system it does not hold it; but each of a
# dozen system calls gives it away as well, and then waits until other threads give it back.
SMALL_PIXELS = 256 * 256


def scratch(pixels: int | None = None) -> BinaryIO:
    """An empty file for the encoding of a picture with so many pixels (None: of many pictures, or nobody knows).

    That of a small picture is a Python object, all others are files of the operating system, in memory where the system
    has such files.
    """
    if pixels is not None and pixels <= SMALL_PIXELS:
        return BytesIO()
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("picture"), "w+b")
    return cast("BinaryIO", tempfile.TemporaryFile())


def length_of(file: BinaryIO) -> int:
    """The length of a scratch file in bytes."""
    return len(file.getbuffer()) if isinstance(file, BytesIO) else os.fstat(file.fileno()).st_size
