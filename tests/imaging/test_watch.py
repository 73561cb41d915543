"""Counting parts: alike in pieces of any size, and in a file; never more than the picture itself has."""

import struct
from pathlib import Path

import pytest

from quickthumb.imaging.decoders import opened
from quickthumb.imaging.formats.watch import Watch
from quickthumb.imaging.header import make_watch
from quickthumb.model.errors import BrokenImage, TooManyFrames, TooManyParts, TooManyPixels
from quickthumb.model.limits import Limits
from tests.imaging import costly_files as costly
from tests.imaging.conftest import Engine
from tests.imaging.test_broken import chunk, icon_of

LIMITS = Limits()
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
REFUSED = {
    "jpeg of scans": (costly.jpeg_scans(200, 64, 48), TooManyParts),
    "jpeg of sequential scans": (costly.jpeg_sequential_scans(200, 64, 48), TooManyParts),
    "jpeg of segments": (costly.jpeg_segments(5000), TooManyParts),
    "jpeg of two frames": (
        costly.saved("JPEG", 64, 48).replace(b"\xff\xda", b"\xff\xc2\0\x0b" + bytes(9) + b"\xff\xda"),
        BrokenImage,
    ),
    "png of bytes": (costly.png_cut_into(11_000), TooManyParts),
    "png of chunks": (costly.png_chunks(11_000), TooManyParts),
    "png of two headers": (
        costly.png_of(costly.png_head(64, 48), bytes(9264), costly.png_second_head(9000, 9000)),
        BrokenImage,
    ),
    "gif of blocks": (costly.gif_cut_into(21_000), TooManyParts),
    "gif of frames": (costly.gif_small_frames(1100, 9, 9), TooManyFrames),
    "gif of a growing screen": (costly.gif_growing(2000), BrokenImage),
    "bmp of pixels in runs": (costly.bmp_runs(3000, 3000, b"\0\0" * 3000), TooManyPixels),
    "bmp of runs": (costly.bmp_runs(900, 900, b"\x01\0" * 900 * 900), TooManyParts),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 1000, 100_000])
def test_what_has_too_many_parts_is_refused_before_its_end(name: str, piece_bytes: int) -> None:
    data, error = REFUSED[name]
    with pytest.raises(error):
        feed(data[: len(data) * 99 // 100], piece_bytes)


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_is_refused_like_an_upload(name: str, tmp_path: Path) -> None:
    data, error = REFUSED[name]
    (tmp_path / "image").write_bytes(data)
    with pytest.raises(error), opened(tmp_path / "image", LIMITS):
        pass


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
@pytest.mark.parametrize("piece_bytes", [1, 3, 1000])
def test_a_plain_picture_is_watched_to_its_end(kind: str, piece_bytes: int) -> None:
    data = costly.saved(kind, 64, 48)
    assert feed(data, piece_bytes).is_done
    assert feed(data + bytes(200), piece_bytes).is_done


def test_a_scan_is_counted_once_and_only_as_far_as_decoders_read() -> None:
    data = costly.jpeg_scans(100, 64, 48)
    assert feed(data, 1000).is_done
    hidden = b"\xff\xda" * 5000
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(hidden)) + hidden
    feed(data[:2] + comment + data[2:], 1000)
    feed(data + hidden, 1000)
    with pytest.raises(TooManyParts, match="at most 10 are"):
        feed(data, 1000, Limits(max_scans=10))


def test_a_sequential_jpeg_is_not_watched_beyond_its_first_scan() -> None:
    data = costly.saved("JPEG", 64, 48)
    watch = feed(data[: data.index(b"\xff\xda") + 10], 1000)
    assert watch.is_done


@pytest.mark.parametrize(
    ("pixels", "scans"), [(0, 100), (20_000_000, 100), (40_000_000, 50), (80_000_000, 25), (10**9, 24)]
)
def test_large_jpegs_may_have_fewer_scans(pixels: int, scans: int) -> None:
    assert LIMITS.scans(pixels) == scans
    assert Limits(max_scans=7).scans(pixels) == 7


@pytest.mark.parametrize("before", [b"", chunk(b"tEXt", b"a\0" + b"b" * 90), chunk(b"eXIf", b"II*\0" + bytes(50))])
def test_a_second_header_within_an_icon_is_found(tmp_path: Path, before: bytes) -> None:
    """Pillow would believe it, when the size has been checked already. What tells the orientation hides nothing."""
    png = costly.png_of(costly.png_head(16, 16), bytes(100), costly.png_second_head(16_000, 16_000))
    png = png[:33] + before + png[33:]
    (tmp_path / "icon").write_bytes(icon_of(png))
    with pytest.raises(BrokenImage, match="two headers"), opened(tmp_path / "icon", LIMITS):
        pass


def test_frames_may_extend_a_screen_a_little(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "growing.gif").write_bytes(costly.gif_growing(900))
    assert engine(tmp_path / "growing.gif", width=30, frames="all").only.width == 30


@pytest.mark.parametrize("tiled", [False, True])
def test_a_tiff_of_tiny_pieces_is_refused_by_its_header(tiled: bool, tmp_path: Path) -> None:
    (tmp_path / "tiff").write_bytes(costly.tiff_pieces(17_000, tiled=tiled))
    with pytest.raises(TooManyParts, match="17000 strips or tiles"), opened(tmp_path / "tiff", LIMITS):
        pass
    (tmp_path / "tiff").write_bytes(costly.tiff_pieces(1000, tiled=tiled))
    with opened(tmp_path / "tiff", LIMITS) as image:
        image.load()


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real pictures is not here")
def test_no_real_picture_has_too_many_parts() -> None:
    for path in CORPUS.glob("*/*"):
        data = path.read_bytes()
        if path.parent.name != "broken" and path.suffix != ".txt" and make_watch(LIMITS, data[:64]):
            feed(data, 65_536)


def feed(data: bytes, piece_bytes: int, limits: Limits = LIMITS) -> Watch:
    """Feeds an image in pieces, as views that do not outlive the call."""
    watch = make_watch(limits, data[:64])
    assert watch is not None
    for start in range(0, len(data), piece_bytes):
        with memoryview(data)[start : start + piece_bytes] as piece:
            watch.feed(piece)
    return watch
