"""Metadata that would take longer than the pixels: color profiles of endless chains, EXIF blocks of megabytes."""

import struct
from pathlib import Path

import pytest

from tests.imaging import costly_metadata as costly
from tests.imaging.conftest import Engine
from tests.imaging.pictures import noise

TOO_LARGE = "The EXIF data is too large; only the orientation was read."
TOO_COMPLEX = "The color profile is too complex and was ignored."


def exif(size: int) -> bytes:
    """A block that turns the picture on its side, of `size` bytes."""
    entries = struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHII", 0x927C, 7, size - 38, 38)
    return (b"II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)).ljust(size, b"\1")


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_of_too_large_a_block_only_the_orientation_is_read(engine: Engine, tmp_path: Path, kind: str) -> None:
    for size, warnings in ((260_000, ()), (265_000, (TOO_LARGE,))):
        path = tmp_path / f"{size}.{kind}"
        noise(96, 64).save(path, exif=b"Exif\0\0" + exif(size))
        made = engine(path, width=32, metadata="copyright", format="jpeg").only
        assert (made.width, made.height, made.warnings) == (32, 48, warnings)


@pytest.mark.parametrize(
    "profile",
    [costly.profile_of_elements(17), costly.profile_of_elements(10_000), costly.profile_of_segments(65)],
    ids=["elements", "many elements", "segments"],
)
def test_a_profile_of_too_many_steps_is_ignored(engine: Engine, tmp_path: Path, profile: bytes) -> None:
    noise(96, 64).save(tmp_path / "image.jpg", icc_profile=profile)
    made = engine(tmp_path / "image.jpg", width=32).only
    assert (made.warnings, made.color) == ((TOO_COMPLEX,), "taken for sRGB")


@pytest.mark.parametrize(
    "profile",
    [costly.profile_of_elements(5), costly.profile_of_curves(4096), costly.profile_of_table(33)],
    ids=["elements", "curves", "table"],
)
def test_an_elaborate_profile_is_still_applied(engine: Engine, tmp_path: Path, profile: bytes) -> None:
    noise(96, 64).save(tmp_path / "image.jpg", icc_profile=profile)
    made = engine(tmp_path / "image.jpg", width=32).only
    assert made.warnings == ()
    assert made.color.startswith("converted from")
