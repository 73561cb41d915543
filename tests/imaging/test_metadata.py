"""Privacy: nothing of the source's metadata goes along unless asked for."""

from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from tests.imaging.conftest import Engine
from tests.imaging.pictures import gradient

FORMATS = ["jpeg", "png", "webp", "avif", "gif"]
SECRETS = [b"SECRET-MAKER", b"SECRET-COMMENT", b"SECRET-XMP", b"Jane Doe", b"All rights"]


@pytest.fixture(params=["jpg", "png", "webp", "tiff", "avif"])
def secretive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A picture with everything that can tell something about who took it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "SECRET-MAKER"
    exif[ExifTags.Base.Artist] = "Jane Doe"
    exif[ExifTags.Base.Copyright] = "All rights reserved"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (47.0, 22.0, 8.0)
    path: Path = tmp_path / f"secretive.{request.param}"
    options: dict[str, Any] = {
        "exif": exif,
        "xmp": b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6">SECRET-XMP</x:xmpmeta>',
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    if request.param == "jpg":
        options["comment"] = b"SECRET-COMMENT"
    if request.param == "png":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Comment", "SECRET-COMMENT")
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
    if request.param == "tiff":
        options = {"exif": exif}
    gradient().save(path, **options)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_everything_is_gone_by_default(engine: Engine, secretive: Path, name: str) -> None:
    result = engine(secretive, format=name)
    data = result.path().read_bytes()
    assert not [secret for secret in SECRETS if secret in data]
    picture = result.picture()
    assert not dict(picture.getexif())
    assert not {"exif", "xmp", "icc_profile", "comment", "Comment", "dpi"} & picture.info.keys()
    assert result.only.metadata == "stripped"


@pytest.mark.parametrize("name", FORMATS)
def test_copyright_keeps_artist_and_copyright_only(engine: Engine, secretive: Path, name: str) -> None:
    result = engine(secretive, format=name, metadata="copyright")
    data = result.path().read_bytes()
    assert not [secret for secret in SECRETS[:3] if secret in data]
    exif = dict(result.picture().getexif())
    if name == "gif":  # which holds XMP only
        assert all(secret in data for secret in SECRETS[3:])
        assert result.only.metadata == "kept: rights in XMP"
        return
    assert exif == {ExifTags.Base.Artist: "Jane Doe", ExifTags.Base.Copyright: "All rights reserved"}
    assert result.only.metadata == "kept: rights in EXIF"


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif"])
def test_keep_keeps_all_but_what_is_no_longer_true(engine: Engine, secretive: Path, name: str) -> None:
    result = engine(secretive, format=name, metadata="keep")
    picture = result.picture()
    exif = picture.getexif()
    assert exif[ExifTags.Base.Make] == "SECRET-MAKER"
    assert ExifTags.Base.Orientation not in exif
    assert picture.size == (48, 64)
    if secretive.suffix != ".tiff":  # for which Pillow writes neither
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] == (47.0, 22.0, 8.0)
        assert b"SECRET-XMP" in picture.info["xmp"]
        assert b"Orientation" not in picture.info["xmp"]
        assert picture.info["icc_profile"]


def test_authors_of_png_texts_count_too(engine: Engine, tmp_path: Path) -> None:
    texts = PngInfo()
    texts.add_text("Author", "Jane Doe")
    gradient().save(tmp_path / "texts.png", pnginfo=texts)
    result = engine(tmp_path / "texts.png", format="jpeg", metadata="copyright")
    assert dict(result.picture().getexif()) == {ExifTags.Base.Artist: "Jane Doe"}


def test_nothing_to_keep_is_said(engine: Engine) -> None:
    result = engine(gradient(), metadata="keep")
    assert result.only.metadata == "none found"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_damaged_exif_is_a_warning_not_a_failure(engine: Engine, tmp_path: Path) -> None:
    gradient().save(tmp_path / "bad.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff rubbish")
    result = engine(tmp_path / "bad.jpg")
    assert result.only.warnings == ("The EXIF data is damaged and was left out.",)
    assert (result.only.width, result.only.height) == (64, 48)


def test_the_corpus_photo_with_everything(engine: Engine, corpus: Path) -> None:
    stripped = engine(corpus / "photos" / "flowers.jpg", width=100)
    assert not dict(stripped.picture().getexif())
    kept = engine(corpus / "photos" / "flowers.jpg", width=100, metadata="keep")
    assert dict(kept.picture().getexif())
    assert "xmp" in kept.picture().info
