"""JPEG XL (ISO 18181): a bare codestream, or one in boxes. Reading it needs the extra `jxl`: pylibjxl has the decoder.

The decoder turns the picture upright itself. What its work depends on is mostly behind the header, such as layers that
are decoded and never shown, so the worker runs it in the sandbox process alone.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from typing import Any

from quickthumb.imaging.formats.boxes import boxes
from quickthumb.imaging.formats.pieces import Pieces
from quickthumb.imaging.formats.row import Decoder, Format, Header
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, UnsupportedImage

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
# In a box `jxlp`, a number comes before its part of the codestream.
NUMBER_BYTES = 4
# The header up to the number of extra channels has at most about 50 bytes.
HEADER_BYTES = 64
MOST_PARTS = 64
# Width as a multiple of the height, by the number that stands for it; 0 says that the width follows.
RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# Each extra channel beside transparency (depth, spot colors …) takes as much memory as any other.
MOST_EXTRA_CHANNELS = 4

# How numbers are stored: four ways, each with a first value and a number of bits to add.
Ways = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
SIDE: Ways = ((1, 9), (1, 13), (1, 18), (1, 30))
PREVIEW_SIDE: Ways = ((1, 6), (65, 8), (321, 10), (1345, 12))
PREVIEW_EIGHTHS: Ways = ((16, 0), (32, 0), (1, 5), (33, 9))
WHOLE_DEPTH: Ways = ((8, 0), (10, 0), (12, 0), (1, 6))
FLOAT_DEPTH: Ways = ((32, 0), (16, 0), (24, 0), (1, 6))
EXTRA_CHANNELS: Ways = ((0, 0), (1, 0), (2, 4), (1, 12))


def read_header(window: Window) -> Header:
    """The size, and the orientation. Raises UnsupportedImage for animations and for too many extra channels."""
    bits = _Bits(_start(window))
    height, width = _read_size(bits)
    orientation = _read_metadata(bits)
    return Header("jxl", width, height, orientation)


class _Bits:
    """Reads numbers of so many bits, least significant first."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, bits: int) -> int:
        self._left -= bits
        if self._left < 0:
            raise BrokenImage("The image is damaged: its header ends too early.")
        value = self._number & (1 << bits) - 1
        self._number >>= bits
        return value

    def choose(self, ways: Ways) -> int:
        first, more = ways[self.take(2)]
        return first + self.take(more)


def _start(window: Window) -> bytes:
    """The first bytes of the codestream, behind its signature."""
    if window.at(0, len(CODESTREAM)) == CODESTREAM:
        return _most(window, len(CODESTREAM))
    pieces = Pieces(window, list(_parts(window)))
    data = pieces.at(0, min(pieces.length, HEADER_BYTES))
    if not data.startswith(CODESTREAM):
        raise BrokenImage("The image is damaged: its JPEG XL data has no signature.")
    return data.removeprefix(CODESTREAM)


def _most(window: Window, start: int) -> bytes:
    """As many bytes from `start` as a header may need, or all that there are."""
    length = next((count for count in range(HEADER_BYTES) if window.ends_before(start + count)), HEADER_BYTES)
    return window.at(start, length)


def _parts(window: Window) -> Iterator[tuple[int, int]]:
    """Where the first bytes of the codestream are: the offset and length of each part."""
    found = 0
    for box in islice(boxes(window, 0, None), MOST_PARTS):
        if box.kind not in (b"jxlc", b"jxlp"):
            continue
        start = box.content + (NUMBER_BYTES if box.kind == b"jxlp" else 0)
        length = len(_most(window, start)) if box.end is None else max(0, box.end - start)
        yield start, length
        found += length
        if found >= HEADER_BYTES or box.kind == b"jxlc":
            return


def _read_size(bits: _Bits) -> tuple[int, int]:
    """Height and width in pixels, as stored."""
    is_small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if is_small else bits.choose(SIDE)
    ratio = bits.take(3)
    if ratio:
        above, below = RATIOS[ratio]
        return height, height * above // below
    return height, 8 * (bits.take(5) + 1) if is_small else bits.choose(SIDE)


def _read_metadata(bits: _Bits) -> int:
    """The orientation. Raises UnsupportedImage for what would take too much."""
    if bits.take(1):  # everything is as usual
        return 1
    orientation = _read_extra(bits) if bits.take(1) else 1
    _skip_depth(bits)
    bits.take(1)  # whether 16 bits suffice for the decoder's numbers
    if (count := bits.choose(EXTRA_CHANNELS)) > MOST_EXTRA_CHANNELS:
        raise UnsupportedImage(f"The JPEG XL has {count} extra channels; at most {MOST_EXTRA_CHANNELS} are supported.")
    return orientation


def _skip_depth(bits: _Bits) -> None:
    if bits.take(1):  # floating point
        bits.choose(FLOAT_DEPTH)
        bits.take(4)
    else:
        bits.choose(WHOLE_DEPTH)


def _read_extra(bits: _Bits) -> int:
    orientation = bits.take(3) + 1
    if bits.take(1):
        _read_size(bits)  # at which the picture is meant to be shown
    if bits.take(1):
        _skip_preview(bits)
    if bits.take(1):
        raise UnsupportedImage("The image is a JPEG XL animation, which is not supported.")
    return orientation


def _skip_preview(bits: _Bits) -> None:
    ways = PREVIEW_EIGHTHS if bits.take(1) else PREVIEW_SIDE
    bits.choose(ways)
    if not bits.take(3):
        bits.choose(ways)


def _set_up() -> None:
    """Makes Pillow open JPEG XL. The package's own plug-in for Pillow knows no metadata before it decodes, and keeps
    them in a form that Pillow does not read. The package brings NumPy, so it is loaded only for the first such file."""
    if find_spec("pylibjxl") is None:
        raise ImportError("pylibjxl")
    from PIL import Image, ImageFile

    class JxlImageFile(ImageFile.ImageFile):
        format = "JXL"

        def _open(self) -> None:
            assert self.fp is not None  # noqa: S101 - Pillow has just opened it
            self._data = self.fp.read()
            pylibjxl = _load()
            try:
                told = pylibjxl.probe(self._data)
            except RuntimeError as error:
                raise SyntaxError(str(error)) from None
            self._size = (told["width"], told["height"])
            self._mode = MODES[told["color_channels"], told["has_alpha"]]
            self.info["bit_depth"] = told["bits_per_sample"]
            self.tile = []

        def load(self) -> Any:
            if self._data:
                pixels, metadata = _load().decode(self._data, metadata=True)
                self._data = b""
                self.info |= {ours: metadata[theirs] for theirs, ours in METADATA.items() if theirs in metadata}
                self.load_prepare()
                self.frombytes(pixels.tobytes())
            return super().load()

    Image.register_open("JXL", JxlImageFile, _accept)


def _load() -> Any:
    import pylibjxl

    return pylibjxl


def _accept(prefix: bytes) -> bool:
    return prefix.startswith((CODESTREAM, CONTAINER))


# Pillow's mode by the number of color channels, and whether there is transparency.
MODES = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA"}
# What the decoder calls metadata, and what Pillow does.
METADATA = {"icc": "icc_profile", "exif": "exif", "xmp": "xmp"}

JXL = Format(
    name="jxl",
    media_type="image/jxl",
    extensions=("jxl",),
    signatures=(CODESTREAM, CONTAINER),
    read_header=read_header,
    decoder=Decoder(
        pillow=("JXL",),
        package="pylibjxl",
        set_up=_set_up,
        load=_load,
        reads_whole=True,
        late_metadata=True,
        turns_upright=True,
        confined=True,
    ),
)
