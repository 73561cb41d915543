"""Broken, hostile and truncated files: each gives a typed error at once, and leaves nothing behind."""

import contextlib
import errno
import gc
import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from quickthumb.imaging.engine import render
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyFrames, TooManyPixels, UnsupportedImage
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.pictures import noise

EXPECTED = {
    "65536x65536.png": TooManyPixels,
    "bomb.gif": TooManyPixels,
    "bomb.ico": TooManyPixels,
    "corrupt-header.jpg": BrokenImage,
    "truncated.jpg": BrokenImage,
    "truncated.png": BrokenImage,
}


def encoded(suffix: str) -> bytes:
    file = io.BytesIO()
    noise(96, 64).save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()))
    return file.getvalue()


@pytest.mark.parametrize("name", EXPECTED)
def test_the_corpus(engine: Engine, corpus: Path, name: str) -> None:
    tracemalloc.start()
    with pytest.raises(EXPECTED[name]):
        engine(corpus / "broken" / name, width=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_no_broken_file_of_the_corpus_is_forgotten(corpus: Path) -> None:
    assert {path.name for path in (corpus / "broken").iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "avif", "tif", "bmp", "ico"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_truncated_files_are_never_taken_for_whole(engine: Engine, tmp_path: Path, suffix: str, share: float) -> None:
    data = encoded(suffix)
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(data[: max(12, int(len(data) * share))])
    with pytest.raises((BrokenImage, UnsupportedImage) if share < 0.1 else BrokenImage):
        engine(path, width=30)
    assert not list((tmp_path / "made").iterdir())


@given(some.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_give_a_picture_or_a_typed_error(tmp_path: Path, data: some.DataObject) -> None:
    suffix = data.draw(some.sampled_from(["jpg", "png", "webp", "gif", "avif", "tif", "bmp", "ico"]))
    content = bytearray(encoded(suffix))
    for _ in range(data.draw(some.integers(1, 6))):
        content[data.draw(some.integers(0, min(len(content), 600) - 1))] = data.draw(some.integers(0, 255))
    (tmp_path / "damaged").write_bytes(content)
    with contextlib.suppress(QuickThumbError):
        render(tmp_path / "damaged", [Output(width=20)], tmp_path, Limits(max_pixels=1_000_000))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def webp_canvas(width: int, height: int) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + sizes
    return b"RIFF" + struct.pack("<I", len(body)) + body


def icon_of(picture: bytes, claimed: int = 16) -> bytes:
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, claimed, claimed, 0, 0, 1, 32, len(picture), 22) + picture


@pytest.mark.parametrize(
    "bomb",
    [png(20_000, 20_000), webp_canvas(16_384, 16_384), icon_of(png(20_000, 20_000))],
    ids=["png", "webp", "png within an icon"],
)
def test_bombs_are_refused_before_memory_is_taken(engine: Engine, tmp_path: Path, bomb: bytes) -> None:
    (tmp_path / "bomb").write_bytes(bomb)
    with pytest.raises(TooManyPixels):
        engine(tmp_path / "bomb", width=10)


def test_a_gif_of_a_million_frames_is_not_counted_to_its_end(engine: Engine, tmp_path: Path) -> None:
    frame = b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    head = b"GIF89a\x01\0\x01\0\x80\0\0" + bytes(6)
    (tmp_path / "many.gif").write_bytes(head + frame * 1_000_000 + b";")
    with pytest.raises(TooManyFrames):
        engine(tmp_path / "many.gif", frames="first")


def test_limits_are_exact(engine: Engine) -> None:
    assert engine(noise(40, 25), limits=Limits(max_pixels=1000)).only.width == 40
    with pytest.raises(TooManyPixels) as refusal:
        engine(noise(40, 25), limits=Limits(max_pixels=999))
    assert "40 × 25" in refusal.value.detail


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_machines_troubles_pass_untouched(tmp_path: Path) -> None:
    (tmp_path / "source.png").write_bytes(encoded("png"))
    (tmp_path / "thumbnail.png").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as trouble:
        render(tmp_path / "source.png", [Output()], tmp_path, LIMITS)
    assert trouble.value.errno == errno.ENOSPC
    with pytest.raises(FileNotFoundError):
        render(tmp_path / "absent.png", [Output()], tmp_path, LIMITS)


def test_running_out_of_memory_is_not_the_files_fault(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.Image.core.new", exhausted)
    (tmp_path / "source.webp").write_bytes(encoded("webp"))
    with pytest.raises(MemoryError):
        engine(tmp_path / "source.webp")


def test_failing_leaks_nothing(engine: Engine, tmp_path: Path) -> None:
    """Files would show as a ResourceWarning; memory as growth."""
    data = encoded("jpg")
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])

    def fail(times: int) -> None:
        for _ in range(times):
            with pytest.raises(BrokenImage):
                engine(tmp_path / "cut.jpg")

    fail(5)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    fail(40)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 200_000
