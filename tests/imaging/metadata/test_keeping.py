"""What the receipt says was kept and dropped, in every format, beyond what the tests of each kind of block look at."""

import struct
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageSequence

from quickthumb.imaging.engine import render
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.metadata import sources
from tests.imaging.metadata.conftest import Rendered
from tests.imaging.metadata.sources import entry, tiff_block
from tests.imaging.metadata.test_exif import full_block
from tests.imaging.metadata.test_xmp import packet_of
from tests.imaging.pictures import gradient


def dense_png() -> bytes:
    return sources.png((b"pHYs", struct.pack(">IIB", 11811, 5906, 1)))


@pytest.mark.parametrize("name", ["jpeg", "png"])
@pytest.mark.parametrize(
    "data",
    [
        sources.jpeg(dpi=(300, 150)),
        dense_png(),
        sources.jpeg(sources.exif_segment(full_block()), dpi=(300, 150)),
    ],
    ids=["jpeg", "png", "jpeg with EXIF"],
)
def test_the_resolution_is_kept(rendered: Rendered, data: bytes, name: str) -> None:
    result = rendered(data, metadata="keep", format=name)
    assert tuple(map(round, result.picture().info["dpi"])) == (300, 150)
    assert "resolution" in result.only.metadata
    assert "dpi" not in rendered(dense_png(), metadata="copyright", format="png").picture().info


@pytest.mark.parametrize("ratio", [(2**32 - 1, 1), (1, 2**32 - 1), (1, 0), (0, 0)])
def test_an_impossible_resolution_is_none(rendered: Rendered, ratio: tuple[int, int]) -> None:
    dots = [entry(tag, 5, struct.pack("<2I", *ratio)) for tag in (282, 283)]
    for name in ("jpeg", "png"):
        result = rendered(sources.jpeg(sources.exif_segment(tiff_block("<", dots))), metadata="keep", format=name)
        assert (result.only.metadata, result.only.warnings) == ("kept: EXIF", ())


@pytest.mark.parametrize("name", ["webp", "avif"])
def test_formats_without_a_resolution_get_it_in_exif(rendered: Rendered, name: str) -> None:
    exif = rendered(dense_png(), metadata="keep", format=name).picture().getexif()
    assert (round(exif[282]), round(exif[283]), exif[296]) == (300, 150, 2)


def test_a_gif_says_what_it_has_no_room_for(rendered: Rendered) -> None:
    result = rendered(sources.jpeg(sources.exif_segment(full_block())), metadata="keep", format="gif")
    assert result.only.metadata == "dropped: maker notes, EXIF, resolution"
    assert result.only.warnings == (
        "The maker notes in the EXIF data could not be kept.",
        "gif holds no EXIF; it was left out.",
        "gif holds no resolution; it was left out.",
    )
    block = tiff_block("<", [entry(271, 2, b"Maker\0"), entry(315, 2, "Zoë".encode() + b"\0")])
    result = rendered(sources.jpeg(sources.exif_segment(block)), metadata="keep", format="gif")
    assert result.only.metadata == "kept: XMP; dropped: EXIF"
    assert result.only.warnings == ("gif holds no EXIF; only artist and copyright were kept, as XMP.",)
    assert "Zoë" in packet_of(result.path().read_bytes())


def test_comments_are_kept_by_keep_alone(rendered: Rendered) -> None:
    for data in (sources.jpeg(comment=b"Hello \xe9"), sources.gif(comment=b"Hello \xe9")):
        for name in ("jpeg", "gif"):
            assert b"Hello \xe9" in rendered(data, metadata="keep", format=name).path().read_bytes()
            assert b"Hello" not in rendered(data, metadata="copyright", format=name).path().read_bytes()
        assert rendered(data, metadata="keep", format="png").picture().info["Comment"] == "Hello é"
        result = rendered(data, metadata="keep", format="webp")
        assert result.only.metadata == "dropped: comment" if b"JFIF" not in data else "kept: EXIF; dropped: comment"
        assert result.only.warnings == ("webp holds no comment; it was left out.",)


def test_xmp_stands_before_the_frames_of_a_gif_and_leaves_them_alone(rendered: Rendered) -> None:
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "green", "blue")]
    with_rights = sources.gif(
        sources.gif_xmp(sources.rights_xmp()), save_all=True, append_images=[f.convert("P") for f in frames], loop=0
    )
    shown = {}
    for metadata in ("strip", "keep"):
        with Image.open(rendered(with_rights, metadata=metadata, format="gif").path()) as picture:
            shown[metadata] = [frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(picture)]
    assert len(shown["strip"]) == 4
    assert shown["strip"] == shown["keep"]
    data = rendered(with_rights, metadata="keep", format="gif").path().read_bytes()
    assert data.index(b"NETSCAPE2.0") < data.index(b"XMP DataXMP") < data.index(b"!\xf9")
    assert "Zoë Müller" in packet_of(data)


@pytest.mark.parametrize("name", ["webp", "png", "avif", "gif"])
def test_animations_keep_rights_too(rendered: Rendered, name: str) -> None:
    frames = [Image.new("RGB", (64, 48), color).convert("P") for color in ("red", "green", "blue")]
    data = sources.gif(sources.gif_xmp(sources.rights_xmp()), save_all=True, append_images=frames, loop=0)
    result = rendered(data, metadata="keep", format=name)
    assert "Zoë Müller" in packet_of(result.path().read_bytes())
    assert result.only.frames == 4
    assert result.only.metadata == "kept: XMP"


@pytest.mark.parametrize("metadata", ["copyright", "keep"])
def test_nothing_to_keep_is_said(rendered: Rendered, metadata: str) -> None:
    data = sources.png((b"tIME", bytes(7)))
    result = rendered(data, metadata=metadata)
    assert (result.only.metadata, result.only.warnings) == ("none found", ())


def test_the_setting_leaves_out_the_label(tmp_path: Path) -> None:
    source = tmp_path / "labeled.jpg"
    source.write_bytes(sources.jpeg(sources.xmp_segment(sources.rights_xmp(sources.LABEL_ELEMENT))))
    held = {}
    for metadata in ("strip", "copyright", "keep"):
        made = render(source, [Output(metadata=metadata)], tmp_path, LIMITS, keeps_label=False).made[0]
        held[metadata] = sources.GENERATED in packet_of((tmp_path / made.filename).read_bytes())
        assert "AI label" not in made.metadata
    assert held == {"strip": False, "copyright": False, "keep": True}


def test_metadata_that_the_encoder_refuses_is_left_out(rendered: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import JpegImagePlugin

    save = JpegImagePlugin._save

    def refuse(image: Image.Image, file: object, filename: str) -> None:
        if image.encoderinfo.get("exif"):
            raise ValueError("no EXIF like this")
        save(image, file, filename)  # type: ignore[arg-type]

    monkeypatch.setitem(Image.SAVE, "JPEG", refuse)
    block = tiff_block("<", [entry(271, 2, b"Maker\0")])
    result = rendered(sources.jpeg(sources.exif_segment(block)), metadata="keep")
    assert result.only.warnings == ("The metadata could not be written and was left out.",)
    assert result.only.metadata == "none could be kept"
    assert not dict(result.picture().getexif())


def gray_profile() -> bytes:
    """A profile of gray with a gamma of 2.2, as small as ICC.1:2022 allows."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, 0x0233, 0)
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Gray\0" + bytes(79)
    parts = {b"desc": name, b"wtpt": white, b"kTRC": curve, b"cprt": b"text\0\0\0\0None\0\0\0\0"}
    table, content, start = struct.pack(">I", len(parts)), b"", 128 + 4 + 12 * len(parts)
    for tag, part in parts.items():
        table += tag + struct.pack(">II", start + len(content), len(part))
        content += part + b"\0" * (-len(part) % 4)
    head = b"\0\0\0\0none\x02\x10\0\0mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return struct.pack(">I", 128 + len(table + content)) + head[4:128] + table + content


def color_profile() -> bytes:
    """sRGB under another name, so that it counts as a profile to convert from."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"s\0R\0G\0B", b"x\0R\0G\0B").replace(b"sRGB", b"xRGB")


def space(picture: Image.Image) -> bytes:
    return picture.info.get("icc_profile", b"")[16:20] or b"none"


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif", "gif"])
@pytest.mark.parametrize("grayscale", ["no", "yes"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
@pytest.mark.parametrize("kind", ["gray", "color"])
@pytest.mark.parametrize("box", ["", "100x100"])
def test_a_profile_fits_the_pixels_or_is_applied(
    engine: Engine, tmp_path: Path, name: str, grayscale: str, mode: str, kind: str, box: str
) -> None:
    profile = gray_profile() if kind == "gray" else color_profile()
    source = tmp_path / "source.png"
    picture = gradient().convert("RGBA").convert(mode)
    if "A" in mode:
        picture.putalpha(100)
    picture.save(source, icc_profile=profile)
    asked = {"size": box, "fit": "contain"} if box else {}
    result = engine(source, format=name, grayscale=grayscale, metadata="keep", **asked)
    made = result.picture()
    if space(made) == b"GRAY":
        assert made.mode in ("L", "LA")
    elif space(made) == b"RGB ":
        assert made.mode in ("RGB", "RGBA")
    assert ("with its profile" in result.only.color) == (space(made) != b"none")


def test_profiles_that_fit_are_kept(engine: Engine, tmp_path: Path) -> None:
    gradient().convert("L").save(tmp_path / "gray.jpg", icc_profile=gray_profile())
    gradient().save(tmp_path / "color.jpg", icc_profile=color_profile())
    for name in ("jpeg", "png"):
        assert space(engine(tmp_path / "gray.jpg", format=name, metadata="keep").picture()) == b"GRAY"
    for name in ("jpeg", "png", "webp", "avif"):
        assert space(engine(tmp_path / "color.jpg", format=name, metadata="keep").picture()) == b"RGB "
