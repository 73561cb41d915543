"""Files that people reported to other services: what they say is kept, or the receipt says that it was not."""

from pathlib import Path

import pytest

from tests.imaging.conftest import Engine
from tests.imaging.metadata.test_exif import read_back, text_of
from tests.imaging.metadata.test_keeping import space
from tests.imaging.metadata.test_xmp import packet_of

FORMATS = ["jpeg", "png", "webp", "avif"]


@pytest.fixture
def reported(corpus: Path) -> Path:
    folder = corpus / "reported"
    if not folder.exists():
        pytest.skip("needs the reported files")
    return folder


@pytest.mark.parametrize("metadata", ["copyright", "keep"])
@pytest.mark.parametrize("name", FORMATS)
def test_text_in_utf_8(engine: Engine, reported: Path, metadata: str, name: str) -> None:
    result = engine(reported / "exif_copyright_utf8.jpg", width=32, metadata=metadata, format=name)
    made = read_back(result.path().read_bytes())
    assert text_of(made, 33432) == "© 2024 Zoë Müller\0".encode()
    assert text_of(made, 315) == "Zoë Müller\0".encode()


@pytest.mark.parametrize("metadata", ["copyright", "keep"])
@pytest.mark.parametrize("file", ["iptc_copyright.jpg", "xmp_rights.jpg"])
@pytest.mark.parametrize("name", [*FORMATS, "gif"])
def test_rights(engine: Engine, reported: Path, metadata: str, file: str, name: str) -> None:
    result = engine(reported / file, width=32, metadata=metadata, format=name)
    data = result.path().read_bytes()
    assert b"(c) 2024 Jane Roe" in data
    assert result.only.metadata.startswith("kept: ")
    assert name == "jpeg" or "dc:rights" in packet_of(data)


def test_texts_of_a_png(engine: Engine, reported: Path) -> None:
    texts = engine(reported / "png_text_copyright.png", width=32, metadata="keep").picture().info
    assert (texts["Copyright"], texts["Author"]) == ("(c) 2024 Jane Roe", "Jane Roe")
    assert (texts["Title"], texts["parameters"]) == ("Ünïcode", "prompt: a cat, seed 5")


@pytest.mark.parametrize("name", [*FORMATS, "gif"])
@pytest.mark.parametrize("file", ["keep_crash_xresolution_ascii.jpg", "keep_crash_bigtiff.tif"])
def test_exif_that_cannot_be_written_again(engine: Engine, reported: Path, file: str, name: str) -> None:
    result = engine(reported / file, width=32, metadata="keep", format=name)
    assert result.only.width == 32
    warned = [warning for warning in result.only.warnings if "EXIF" in warning]
    assert bool(warned) == (file != "keep_crash_bigtiff.tif")  # which says nothing but how it is stored


def test_profiles_that_do_not_fit(engine: Engine, reported: Path) -> None:
    gray = engine(reported / "keep_grey_profile.jpg", format="webp", metadata="keep")
    assert (space(gray.picture()), gray.only.color) == (b"none", "converted from Gray to sRGB")
    color = engine(reported / "keep_rgb_profile.jpg", grayscale="yes", metadata="keep")
    assert (space(color.picture()), color.picture().mode) == (b"none", "L")
    assert color.only.color.startswith("converted from Compatible with Adobe RGB")
