"""No trace of the place is left, whoever looks; everything else stays, byte for byte, and every length."""

import io
import json
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageSequence

from quickthumb.imaging.formats import FORMATS
from quickthumb.imaging.location import FINDERS, Patches, find_location
from tests.imaging.location import files
from tests.imaging.location.files import FILES, TRACES, exif, jpeg_with, saved, segment, xmp

EXIFTOOL = shutil.which("exiftool")
# What Pillow cannot open by itself.
UNREADABLE = ("tiff-big-big-endian", "heic")
# Where the place is packed, or written in two bytes for each letter.
PLAIN = ("png-raw-exif-spaced", "png-raw-app1-packed", "png-raw-xmp-packed", "png-xmp-packed", "jpeg-xmp-utf-16")


def cleaned(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    return find_location(path).apply(data)


@pytest.mark.parametrize("name", FILES)
def test_no_trace_is_left(tmp_path: Path, name: str) -> None:
    data = FILES[name]()
    assert name in PLAIN or any(trace in data for trace in TRACES), "the file says no place"
    clean = cleaned(tmp_path / "picture", data)
    assert len(clean) == len(data)
    assert [trace for trace in TRACES if trace in clean] == []
    assert clean != data


@pytest.mark.parametrize("name", FILES)
def test_looking_again_finds_nothing(tmp_path: Path, name: str) -> None:
    clean = cleaned(tmp_path / "picture", FILES[name]())
    assert cleaned(tmp_path / "picture", clean) == clean


@pytest.mark.parametrize("name", [name for name in FILES if name not in UNREADABLE])
def test_pictures_are_the_same(tmp_path: Path, name: str) -> None:
    data = FILES[name]()
    assert pictures(cleaned(tmp_path / "picture", data)) == pictures(data)


def pictures(data: bytes) -> list[tuple[str, bytes, object]]:
    """Every picture that Pillow sees in a file, and how it lies."""
    with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
        frames = [(frame.mode, frame.tobytes()) for frame in ImageSequence.Iterator(image)]
        return [(*frame, orientation(image)) for frame in frames]


def orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except (SyntaxError, ValueError):  # the block was damaged before
        return None


@pytest.mark.parametrize("name", [name for name in FILES if name not in UNREADABLE])
def test_pillow_reads_no_place(tmp_path: Path, name: str) -> None:
    clean = cleaned(tmp_path / "picture", FILES[name]())
    with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(clean)) as image:
        image.load()
        try:
            block = image.getexif()
        except (SyntaxError, ValueError):
            return
        assert set(block.get_ifd(ExifTags.IFD.GPSInfo)) <= {ExifTags.GPS.GPSVersionID}
        if "damaged" not in name and name.startswith(("jpeg-exif", "webp-exif")):
            assert block[ExifTags.Base.Software] == "A camera"


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
def test_exiftool_reads_no_place_and_all_else(tmp_path: Path) -> None:
    names = [name for name in FILES if name not in HANGS]
    for name in names:
        data = FILES[name]()
        (tmp_path / f"{name}.before").write_bytes(data)
        (tmp_path / f"{name}.after").write_bytes(cleaned(tmp_path / f"{name}.before", data))
    known = told(tmp_path)
    for name in names:
        before, after = known[f"{name}.before"], known[f"{name}.after"]
        assert any(map(is_place, before)) != (name in NOT_READ), name
        assert [key for key in after if is_place(key)] == [], name
        kept = {key: value for key, value in before.items() if not (is_place(key) or is_about_the_file(key))}
        gone = {key for key, value in kept.items() if after.get(key) != value}
        assert gone == set() or name in BLANKED, name


# These credentials are cut short, and this program would look for their end forever.
HANGS = ("jpeg-credentials", "png-credentials")
KEYWORDS = ("jpeg-keywords", "webp-keywords")
# Where it does not look for places.
BEHIND = ("jpeg-behind-odd-prefix", "jpeg-motion-samsung", "png-behind")
NOT_READ = ("jpeg-prefix-twice", "png-xmp-in-comment", "ico", *BEHIND, *KEYWORDS)
# What cannot be read is blanked as a whole; and what changes is itself a value.
BLANKED = ("jpeg-damaged-exif", "jpeg-xmp-utf-16", "png-property", "png-draft", "png-xmp-in-comment")


def told(folder: Path) -> dict[str, dict[str, Any]]:
    """All that exiftool knows of the files in a folder, also of what is embedded, by their names."""
    assert EXIFTOOL
    command = [EXIFTOOL, "-json", "-G3:1", "-a", "-u", "-ee3", *map(str, sorted(folder.iterdir()))]
    answer = subprocess.run(command, capture_output=True, check=False)
    listed: list[dict[str, Any]] = json.loads(answer.stdout)
    return {Path(facts["SourceFile"]).name: facts for facts in listed}


def is_place(key: str) -> bool:
    if "GPSInfo:" in key:  # of a BigTIFF, whose tags it calls by other names
        return not key.endswith("Exif_0x0000")
    name = key.rpartition(":")[2].lower()
    return name != "gpsversionid" and any(
        word in name for word in ("gps", "latitude", "longitude", "longtitude", "coordinates", "locationinformation")
    )


def is_about_the_file(key: str) -> bool:
    """What says how a file is called and built."""
    group, _, name = key.rpartition(":")
    words = ("Keywords", "CurrentIPTCDigest", "SourceFile", "HasExtendedXMP", "Warning", "Noneu", "ApplicationNotes")
    return "System" in group or "ExifTool" in group or name in words


@pytest.mark.parametrize("name", FILES)
def test_blocks_of_any_cut_are_patched_alike(tmp_path: Path, name: str) -> None:
    data = FILES[name]()
    path = tmp_path / "picture"
    path.write_bytes(data)
    patches = find_location(path)
    whole = patches.apply(data)
    for block_bytes in (1, 13, 100):
        starts = range(0, len(data), block_bytes)
        assert b"".join(patches.apply(data[at : at + block_bytes], at) for at in starts) == whole


def plain_files() -> dict[str, bytes]:
    block = Image.Exif()
    block[ExifTags.Base.Software] = "A camera"
    packet = b'<rdf:RDF><rdf:Description photoshop:City="Berlin" dc:title="GPS: a history"/></rdf:RDF>'
    return {
        "jpeg": saved("JPEG", exif=block, xmp=packet),
        "png": saved("PNG", exif=block),
        "webp": saved("WEBP", exif=block, xmp=packet),
        "avif": saved("AVIF", exif=block, xmp=packet),
        "tiff": saved("TIFF", exif=block),
        "gif": saved("GIF", comment=b"GPS"),
        "bmp": saved("BMP"),
        "empty": b"",
        "text": b"exif:GPSLatitude",
    }


@pytest.mark.parametrize("name", plain_files())
def test_files_without_a_place_stay_as_they_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(data := plain_files()[name])
    patches = find_location(path)
    assert patches.mark == ""
    assert patches.apply(data) is data


def test_a_packet_that_ends_in_zeros_keeps_all_else(tmp_path: Path) -> None:
    assert b"FullPanoWidthPixels" in cleaned(tmp_path / "picture", FILES["webp-xmp-zeros"]())


def test_every_format_has_a_finder() -> None:
    assert {row.name for row in FORMATS} <= set(FINDERS)


def test_extended_xmp_is_found_by_its_new_digest(tmp_path: Path) -> None:
    clean = cleaned(tmp_path / "picture", FILES["jpeg-extended-xmp"]())
    name = clean.partition(b'HasExtendedXMP="')[2][:32]
    assert clean.count(b"http://ns.adobe.com/xmp/extension/\0" + name) == 2


def test_a_block_that_cannot_be_read_is_blanked_as_a_whole(tmp_path: Path) -> None:
    data = FILES["jpeg-damaged-exif"]()
    clean = cleaned(tmp_path / "picture", data)
    assert clean == jpeg_with(segment(bytes(len(exif()))))


def test_other_patches_have_another_mark(tmp_path: Path) -> None:
    marks = set()
    for software in ("A camera", "B camera", "A camera with a longer name"):
        path = tmp_path / "picture"
        path.write_bytes(saved("JPEG", exif=exif(software=software)))
        marks.add(find_location(path).mark)
    assert len(marks) == 2  # the first two have it at the same offsets
    assert Patches().mark == ""


def test_an_element_that_does_not_end_takes_the_rest(tmp_path: Path) -> None:
    cut = xmp()[: xmp().index(b"</exif:GPSLongitude>")] + b"</rdf:RDF>"
    clean = cleaned(tmp_path / "picture", saved("WEBP", xmp=cut))
    assert not any(trace in clean for trace in TRACES)
    assert b"FullPanoWidthPixels" in clean


def test_files_module_says_one_place_everywhere() -> None:
    assert files.PLACE.encode() in xmp()
