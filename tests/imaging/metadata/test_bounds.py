"""Metadata that is made to take long, or much memory: what is read of it is bounded."""

import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from quickthumb.imaging.metadata import iptc, png_texts, xmp, xmp_properties
from quickthumb.imaging.metadata.directories import Entry, write
from tests.imaging.metadata import sources

# Generous, because machines are busy: linear work on these takes a tenth of it, and quadratic work many times as much.
MOST_SECONDS = 8.0
MEBIBYTE = 1024 * 1024


def bomb(size: int) -> bytes:
    """A packed text of exactly that many bytes, which unfolds to 300 MiB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(MEBIBYTE)) for _ in range(300)) + packer.flush(zlib.Z_SYNC_FLUSH)
    # Blocks that unfold to nothing.
    return (b"bomb\0\0" + packed).ljust(size - size % 5, b"\0").ljust(size, b"\0")


@pytest.mark.parametrize("less", [0, 1, 5])
def test_a_packed_text_as_long_as_all_texts_may_be_unfolds_to_no_more(less: int) -> None:
    data = sources.png((b"zTXt", bomb(png_texts.MOST_TEXT_BYTES - less)))
    tracemalloc.start()
    try:
        found = png_texts.read(io.BytesIO(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.too_large
    assert peak < 32 * MEBIBYTE


def resources() -> bytes:
    one = b"8BIM\x04\x04\0\0" + struct.pack(">I", 2000) + bytes(2000)
    return one * 15_000


def many_entries() -> bytes:
    return write("little", [Entry(1000 + index, 7, bytes(16_000)) for index in range(4000)], {})


def large_properties() -> tuple[bytes, bytes]:
    content = "".join(f"<dc:a{index}>{'x' * 150}</dc:a{index}>" for index in range(9000))
    return xmp_properties.split(xmp.parse(sources.xmp(content)), 60_000)


WORK: dict[str, Callable[[], object]] = {
    "resources of Photoshop": lambda: iptc.in_resources(resources()),
    "entries of EXIF": many_entries,
    "properties of XMP": large_properties,
}


@pytest.mark.parametrize("name", WORK)
def test_what_is_made_to_take_long_ends(name: str) -> None:
    begun = time.thread_time()
    WORK[name]()
    assert time.thread_time() - begun < MOST_SECONDS


def test_attributes_count_like_elements() -> None:
    attributes = " ".join(f'dc:a{index}="1"' for index in range(xmp.MOST_NODES))
    with pytest.raises(xmp.BadPacket):
        xmp.parse(sources.xmp("", attributes))
