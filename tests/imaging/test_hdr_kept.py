"""`hdr=keep`: the gain map is cut, turned and resized with its picture, and both are written as viewers expect them."""

import io
import random
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from quickthumb.imaging.cost import estimate_cost
from quickthumb.imaging.hdr.companion import LEAST_QUALITY
from quickthumb.imaging.memory import estimate_decode_bytes, estimate_file_bytes
from quickthumb.model.errors import InvalidParameter, QuickThumbError
from quickthumb.model.limits import Limits
from quickthumb.model.output import parse_output
from tests.imaging import hdr_files
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.footprint import CODECS_BYTES, needs_proc, peak_bytes
from tests.imaging.hdr_files import ISO, XMP, Picture, jpeg, pictures, segment, together
from tests.imaging.measures import samples
from tests.imaging.orders import appraise
from tests.imaging.pictures import gradient, noise
from tests.imaging.test_hdr import saved

DAMAGED = "The HDR gain map was dropped, because it is damaged."
TELLS_MORE = "The HDR gain map was dropped, because its XMP tells more than how to apply it."
MISFIT = "The HDR gain map was dropped, because it does not fit a picture changed by {}."
NO_MATCH = "The HDR gain map was dropped, because it does not fit the picture."
LENGTH = re.compile(rb'Item:Semantic="GainMap"[^>]*Item:Length="(\d+)"')


def plane(width: int = 320, height: int = 240) -> Image.Image:
    """A gray picture of which no part and no turn is like another, smooth enough to be compared at any size."""
    picture = Image.new("L", (4, 3))
    picture.putdata([20, 90, 200, 60, 240, 130, 40, 170, 100, 220, 10, 250])
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def source_of(folder: Path, gain_map: Image.Image, picture: Image.Image | None = None, **options: Any) -> Path:
    return saved(folder, hdr_files.ultra_hdr(picture or plane().convert("RGB"), gain_map, **options))


def kept(engine: Engine, source: Path, **parameters: Any) -> tuple[Picture, Picture]:
    """The picture and the map of a result."""
    result = engine(source, hdr="keep", **parameters)
    assert not [warning for warning in result.only.warnings if "gain map" in warning]
    picture, gain_map = pictures(result.path())
    assert result.only.bytes == len(picture.data) + len(gain_map.data)
    return picture, gain_map


def difference(picture: Picture, gain_map: Picture) -> float:
    """The mean difference, in levels, of a picture and a map that show the same."""
    small = picture.image.convert("L").resize(gain_map.image.size, Image.Resampling.BOX)
    return float(np.mean(np.abs(samples(small) - samples(gain_map.image.convert("L")))))


EXIF_NAMES = 'xmlns:exif="http://ns.adobe.com/exif/1.0/"'
# What a map's packet may tell of a place where the packet can be cut, and elsewhere: what is there, and its successor.
CAN_BE_CUT = {
    "attribute": ("<rdf:Description", f'<rdf:Description {EXIF_NAMES} exif:GPSLatitude="52,31N"'),
    "element": (
        "</rdf:RDF>",
        f"<rdf:Description><exif:GPSA {EXIF_NAMES}>52,31N</exif:GPSA></rdf:Description></rdf:RDF>",
    ),
}
CANNOT_BE_CUT = {
    "typed": ("</rdf:RDF>", f"<exif:Place {EXIF_NAMES}>52,31N</exif:Place></rdf:RDF>"),
    "within": (
        "</rdf:RDF>",
        f"""<rdf:Description><h:a xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/"><exif:A {EXIF_NAMES}>52,31N</exif:A>
        </h:a></rdf:Description></rdf:RDF>""",
    ),
    "root": ("<x:xmpmeta", f'<x:xmpmeta {EXIF_NAMES} exif:GPSLatitude="52,31N"'),
    "without a name": ("<rdf:Description", '<rdf:Description GPSLatitude="52,31N"'),
    "comment": ("</rdf:RDF>", "<!-- 52,31N --></rdf:RDF>"),
    "instruction": ("</rdf:RDF>", "<?place 52,31N?></rdf:RDF>"),
    "text": ("</rdf:RDF>", "52,31N</rdf:RDF>"),
}


@pytest.mark.parametrize("name", [*CAN_BE_CUT, *CANNOT_BE_CUT])
def test_no_place_in_the_packet_of_a_map_survives(engine: Engine, tmp_path: Path, name: str) -> None:
    old, new = (CAN_BE_CUT | CANNOT_BE_CUT)[name]
    told = hdr_files.MAP_XMP.replace(old.encode(), new.encode())
    the_map = jpeg(plane(), segment(0xE1, XMP + told), segment(0xE2, hdr_files.ISO_OF_MAP))
    claims = segment(0xE1, XMP + hdr_files.PICTURE_XMP.format(length=len(the_map)).encode())
    source = saved(tmp_path, together(jpeg(plane().convert("RGB"), claims), the_map))
    assert b"52,31N" in source.read_bytes()
    for metadata in ("strip", "copyright"):
        result = engine(source, hdr="keep", metadata=metadata, width=100)
        assert b"52,31N" not in result.path().read_bytes()
        assert (TELLS_MORE in result.only.warnings) == (name in CANNOT_BE_CUT)
        assert (b"hdrgm:GainMapMax" in result.path().read_bytes()) == (name in CAN_BE_CUT)
    assert b"52,31N" in engine(source, hdr="keep", metadata="keep", width=100).path().read_bytes()


def oriented(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "parameters",
    [
        {"width": 100},
        {"size": "64x64", "fit": "cover", "position": "top-right"},
        {"size": "200x50", "fit": "cover", "position": "smart"},
        {"size": "80x80", "fit": "fill"},
        {"crop": "30,50,101,77", "flip": True},
        {"crop": "31,53,60,90", "flop": True, "rotate": 90, "width": 45},
        {"rotate": 270},
        {"width": 500, "enlarge": True},
        {"rotate": 180, "flip": True, "width": 66},
    ],
    ids=str,
)
def test_the_map_shows_what_the_picture_shows(
    engine: Engine, tmp_path: Path, orientation: int, parameters: dict[str, Any]
) -> None:
    source = source_of(tmp_path, plane(80, 60), exif=oriented(orientation))
    picture, gain_map = kept(engine, source, quality=95, **parameters)
    assert gain_map.image.size == tuple(max(1, round(side / 4)) for side in picture.image.size)
    assert difference(picture, gain_map) < 4


@pytest.mark.parametrize(
    "parameters", [{"crop": "3,5,2,2"}, {"crop": "100,100,9,7"}, {"width": 1}, {"crop": "0,0,1,240"}]
)
def test_a_map_has_at_least_one_pixel(engine: Engine, tmp_path: Path, parameters: dict[str, Any]) -> None:
    picture, gain_map = kept(engine, source_of(tmp_path, plane(40, 30)), quality=95, **parameters)
    assert gain_map.image.size == tuple(max(1, round(side / 8)) for side in picture.image.size)
    assert difference(picture, gain_map) < 12


@pytest.mark.parametrize("size", [(320, 240), (333, 241), (16, 12), (1, 1), (320, 12), (640, 480)])
def test_maps_of_any_size(engine: Engine, tmp_path: Path, size: tuple[int, int]) -> None:
    picture, gain_map = kept(engine, source_of(tmp_path, plane(*size)), width=160, quality=95)
    most = picture.image.size
    assert gain_map.image.size == tuple(
        max(1, round(min(1, side / whole) * made)) for side, whole, made in zip(size, (320, 240), most, strict=True)
    )
    assert difference(picture, gain_map) < (60 if min(size) < 12 else 6)


def test_a_marked_corner_stays_in_its_corner(engine: Engine, tmp_path: Path) -> None:
    picture, gain_map = Image.new("RGB", (1600, 1200), "black"), Image.new("L", (400, 300))
    picture.paste((255, 255, 255), (0, 0, 200, 200))
    gain_map.paste(255, (0, 0, 50, 50))
    made, mark = kept(engine, source_of(tmp_path, gain_map, picture, exif=oriented(6)), width=300)
    assert (made.image.size, mark.image.size) == ((300, 400), (75, 100))
    assert [one.image.convert("L").getpixel((one.image.width - 3, 3)) for one in (made, mark)] == [255, 255]
    edge = [one.image.convert("L").crop((0, 2, one.image.width, 3)).tobytes() for one in (made, mark)]
    first_white = [next(at for at, sample in enumerate(row) if sample > 127) for row in edge]
    assert first_white[0] == pytest.approx(4 * first_white[1], abs=2)


@pytest.mark.parametrize("make", [hdr_files.ultra_hdr, hdr_files.iso, hdr_files.apple])
def test_what_says_how_to_apply_the_map_stays_byte_for_byte(engine: Engine, tmp_path: Path, make: Any) -> None:
    source = saved(tmp_path, make(gradient(320, 240), plane(80, 60)))
    before, old_map = pictures(source)
    picture, gain_map = kept(engine, source, width=160)
    assert gain_map.named(XMP) == old_map.named(XMP)
    assert gain_map.named(ISO) == old_map.named(ISO)
    assert picture.named(ISO) == before.named(ISO)
    lengths = [int(LENGTH.search(content)[1]) for content in picture.named(XMP)]  # type: ignore[index]
    assert lengths == ([len(gain_map.data)] if make is hdr_files.ultra_hdr else [])
    again = engine(source, hdr="keep", width=160).path()
    assert engine(saved(tmp_path, again.read_bytes(), "again.jpg"), hdr="keep").rendering.facts.hdr is not None


def test_the_profile_of_a_map_stays(engine: Engine, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    base = jpeg(gradient(), segment(0xE2, hdr_files.ISO_OF_PICTURE))
    the_map = jpeg(plane(32, 24), segment(0xE2, hdr_files.ISO_OF_MAP), icc_profile=profile, comment="SECRET")
    _, gain_map = kept(engine, saved(tmp_path, together(base, the_map)))
    assert gain_map.image.info["icc_profile"] == profile
    assert b"SECRET" not in gain_map.data


def test_gray_maps_stay_gray_and_colored_ones_keep_their_colors(engine: Engine, tmp_path: Path) -> None:
    _, gain_map = kept(engine, source_of(tmp_path, plane(80, 60)), width=160)
    assert gain_map.image.mode == "L"
    _, gain_map = kept(engine, source_of(tmp_path, gradient(80, 60)), width=160, quality=50)
    with Image.open(io.BytesIO(gain_map.data)) as image:
        assert image.mode == "RGB"
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]
        image.load()
        assert np.abs(samples(image) - samples(gradient(80, 60).resize(image.size, Image.Resampling.BOX))).mean() < 2


@pytest.mark.parametrize(("quality", "least"), [(1, LEAST_QUALITY), (None, LEAST_QUALITY), (97, 97)])
def test_the_quality_of_a_map(engine: Engine, tmp_path: Path, quality: int | None, least: int) -> None:
    _, gain_map = kept(engine, source_of(tmp_path, plane(80, 60)), quality=quality or "")
    expected = io.BytesIO()
    plane().save(expected, "JPEG", quality=least)
    with Image.open(io.BytesIO(gain_map.data)) as image, Image.open(expected) as other:
        assert image.quantization[0] == other.quantization[0]  # type: ignore[attr-defined]


def test_the_picture_keeps_its_colors_and_profile(engine: Engine, tmp_path: Path, corpus: Path) -> None:
    """The map counts on the primaries of the picture that it was made for."""
    with Image.open(corpus / "colour" / "icc-big.jpg") as image:
        profile = image.info["icc_profile"]
    source = source_of(tmp_path, plane(80, 60), gradient(320, 240), icc_profile=profile)
    picture, _ = kept(engine, source, width=160, quality=95)
    assert picture.image.info["icc_profile"] == profile
    assert np.abs(samples(picture.image) - samples(gradient(160, 120))).mean() < 3
    assert engine(source, width=160, hdr="keep").only.color.startswith("kept in ")
    assert engine(source, width=160).only.color.startswith("converted from ")


@pytest.mark.parametrize(
    ("parameters", "warning"),
    [
        ({"grayscale": True}, MISFIT.format("grayscale")),
        ({"brightness": 1.2}, MISFIT.format("brightness")),
        ({"contrast": 0.8}, MISFIT.format("contrast")),
        ({"saturation": 2}, MISFIT.format("saturation")),
        ({"blur": 2}, MISFIT.format("blur")),
        ({"rotate": 7}, MISFIT.format("a slanted rotation")),
        ({"size": "100x100", "fit": "contain"}, MISFIT.format("padding")),
        ({"format": "png"}, "The HDR gain map was dropped, because only a JPEG made from a JPEG can keep it."),
        ({"lossless": True}, "The HDR gain map was dropped, because only a JPEG made from a JPEG can keep it."),
    ],
    ids=str,
)
def test_why_a_map_cannot_be_kept(engine: Engine, tmp_path: Path, parameters: dict[str, Any], warning: str) -> None:
    source = source_of(tmp_path, plane(80, 60))
    result = (
        engine(source, width=100, hdr="keep", **parameters)
        if "size" not in parameters
        else engine(source, hdr="keep", **parameters)
    )
    assert warning in result.only.warnings
    assert b"hdr" not in result.path().read_bytes()
    assert b"MPF\0" not in result.path().read_bytes()


def test_sharpening_is_of_the_picture_alone(engine: Engine, tmp_path: Path) -> None:
    source = source_of(tmp_path, plane(80, 60))
    _, plain = kept(engine, source, width=160)
    _, sharp = kept(engine, source, width=160, sharpen=200)
    assert sharp.data == plain.data


def test_max_bytes_counts_the_map(engine: Engine, tmp_path: Path) -> None:
    source = source_of(tmp_path, plane(80, 60), noise(320, 240))
    whole = engine(source, hdr="keep", width=300).only.bytes
    for most in (whole - 1, whole * 2 // 3, whole // 2):
        result = engine(source, hdr="keep", width=300, max_bytes=most)
        assert not result.only.warnings
        assert sum(len(one.data) for one in pictures(result.path())) == result.only.bytes <= most


def test_a_map_that_max_bytes_leaves_no_room_for_goes(engine: Engine, tmp_path: Path) -> None:
    source = source_of(tmp_path, noise(320, 240), plane().convert("RGB"))
    result = engine(source, hdr="keep", width=300, max_bytes=9000)
    assert result.only.warnings == ("The HDR gain map was dropped, because max_bytes leaves no room for it.",)
    assert result.only.bytes <= 9000
    tight = source_of(tmp_path, plane(8, 6), noise(320, 240))
    least = engine(tight, width=300, quality=1).only.bytes
    assert engine(tight, hdr="keep", width=300, max_bytes=least).only.warnings == result.only.warnings
    with pytest.raises(InvalidParameter, match="max_bytes"):
        engine(tight, hdr="keep", width=300, max_bytes=least // 2)


def test_xmp_that_is_kept_and_the_claims_are_one_packet(engine: Engine, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Jane Doe"
    source = source_of(tmp_path, plane(80, 60), exif=exif)
    picture, gain_map = kept(engine, source, metadata="keep", width=160)
    (content,) = picture.named(XMP)
    assert content.count(b"Version=") == content.count(b"<Container:Directory>") == 1
    assert LENGTH.search(content)[1] == str(len(gain_map.data)).encode()  # type: ignore[index]
    assert b"Jane Doe</rdf:li>" in content
    assert content.index(b"Item:Length") < content.index(b"Jane Doe")  # Chrome reads the first description
    assert picture.image.getexif()[ExifTags.Base.Artist] == "Jane Doe"
    assert [name[:4] for _, name in picture.segments] == [b"JFIF", b"Exif", b"http", b"urn:", b"MPF\0"]


def test_xmp_that_fills_its_segment_leaves_no_room(engine: Engine, tmp_path: Path) -> None:
    claims = re.sub("<Container.*?</Container:Directory>", "", hdr_files.PICTURE_XMP, flags=re.DOTALL)
    claims = claims.replace("Jane Doe", "J" * (64_990 - len(claims)))
    the_map = jpeg(plane(80, 60), segment(0xE1, XMP + hdr_files.MAP_XMP))
    base = jpeg(gradient(), segment(0xE1, XMP + claims.encode()))
    source = saved(tmp_path, together(base, the_map))
    result = engine(source, hdr="keep", metadata="keep")
    (warning,) = result.only.warnings
    assert warning.startswith("The HDR gain map was dropped, because the metadata leaves no room")
    assert b"MPF\0" not in result.path().read_bytes()
    assert b"J" * 64_000 in result.path().read_bytes()
    kept(engine, source)


@pytest.mark.parametrize("metadata", ["strip", "copyright", "keep"])
def test_what_else_the_xmp_of_a_map_tells_stays_only_if_asked_for(
    engine: Engine, tmp_path: Path, metadata: str
) -> None:
    secret = b' xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="47,22.1N" hdrgm:Version'
    told = hdr_files.MAP_XMP.replace(b" hdrgm:Version", secret)
    told = told.replace(b"/>", b"><exif:UserComment>SECRET</exif:UserComment></rdf:Description>")
    the_map = jpeg(plane(80, 60), segment(0xE1, XMP + told))
    claims = hdr_files.PICTURE_XMP.format(length=len(the_map)).encode()
    source = saved(tmp_path, together(jpeg(gradient(320, 240), segment(0xE1, XMP + claims)), the_map))
    _, gain_map = kept(engine, source, metadata=metadata)
    (content,) = gain_map.named(XMP)
    assert (b"47,22" in content) is (b"SECRET" in content) is (metadata == "keep")
    assert (content == told) is (metadata == "keep")
    for value in re.findall(rb'hdrgm:\w+="[^"]*"', hdr_files.MAP_XMP):
        assert value in content


APPLE_WITHOUT_HEADROOM = hdr_files.APPLE_XMP.replace(
    b"<HDRGainMap:HDRGainMapHeadroom>3.586164</HDRGainMap:HDRGainMapHeadroom>", b""
)


def apples_note(*, headroom: bool = True) -> bytes:
    """A camera's note with more than the two numbers."""
    entries = [struct.pack(">HHII", 1, 9, 1, 15)]
    entries += [struct.pack(">HHII", tag, 10, 1, 200 + 8 * at) for at, tag in enumerate((33, 48)) if headroom]
    entries += [struct.pack(">HHII", 57, 2, 40, 220)]
    note = b"Apple iOS\0\0\1MM" + struct.pack(">H", len(entries)) + b"".join(entries) + bytes(4)
    return note.ljust(200, b"\0") + struct.pack(">iiii", 151, 100, 1, 50) + b"????" + b"SECRET-SERIAL".ljust(40)


def note_of(picture: Picture) -> dict[int, tuple[int, int]]:
    """The signed fractions in the camera's note of a picture, by tag."""
    note = picture.image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote]
    assert note[:14] == b"Apple iOS\0\0\1MM"
    (count,) = struct.unpack(">H", note[14:16])
    found = {}
    for at in range(16, 16 + 12 * count, 12):
        tag, kind, number, offset = struct.unpack(">HHII", note[at : at + 12])
        assert (kind, number) == (10, 1)
        found[tag] = struct.unpack(">ii", note[offset : offset + 8])
    return found


@pytest.mark.parametrize("metadata", ["strip", "copyright", "keep"])
def test_apples_numbers_stay_without_the_rest_of_the_cameras_note(
    engine: Engine, tmp_path: Path, metadata: str
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Copyright] = "Jane Doe"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = apples_note()
    data = hdr_files.apple(gradient(), plane(32, 24), xmp=APPLE_WITHOUT_HEADROOM, exif=exif)
    picture, _ = kept(engine, saved(tmp_path, data), metadata=metadata)
    if metadata != "keep":  # which may keep the note as it is
        assert note_of(picture) == {33: (151, 100), 48: (1, 50)}
        assert b"SECRET-SERIAL" not in picture.data
    assert picture.image.getexif().get(ExifTags.Base.Copyright) == (None if metadata == "strip" else "Jane Doe")


def test_a_map_of_apple_without_its_numbers_goes(engine: Engine, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = apples_note(headroom=False)
    data = hdr_files.apple(gradient(), plane(32, 24), xmp=APPLE_WITHOUT_HEADROOM, exif=exif)
    result = engine(saved(tmp_path, data), hdr="keep")
    assert result.rendering.facts.hdr == "apple"
    assert result.only.warnings == ("The HDR gain map was dropped, because the file does not say how to apply it.",)


def with_map(data: bytes) -> bytes:
    """A file whose map is `data` with the segment that makes it one."""
    the_map = data[:2] + segment(0xE1, XMP + hdr_files.MAP_XMP) + data[2:]
    claims = hdr_files.PICTURE_XMP.format(length=len(the_map)).encode()
    return together(jpeg(gradient(320, 240), segment(0xE1, XMP + claims)), the_map)


def sized(data: bytes, width: int, height: int) -> bytes:
    at = data.index(b"\xff\xc0")
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def many_scans(picture: Image.Image) -> bytes:
    data = jpeg(picture, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 200 + data[-2:]


@pytest.mark.parametrize(
    ("the_map", "warning"),
    [
        (jpeg(noise(80, 60))[:-3000], DAMAGED),
        (sized(jpeg(plane(80, 60)), 60_000, 60_000), NO_MATCH),
        (sized(jpeg(plane(80, 60)), 0, 60), NO_MATCH),
        (many_scans(noise(80, 60)), DAMAGED),
        (jpeg(Image.new("CMYK", (80, 60), (1, 2, 3, 4))), NO_MATCH),
    ],
    ids=["cut", "bomb", "empty", "many scans", "inks"],
)
def test_bad_maps_go_and_the_picture_is_made(engine: Engine, tmp_path: Path, the_map: bytes, warning: str) -> None:
    result = engine(saved(tmp_path, with_map(the_map)), hdr="keep", width=100)
    assert result.rendering.facts.hdr == "ultra-hdr"
    assert result.only.warnings == (warning,)
    assert b"MPF\0" not in result.path().read_bytes()
    assert (result.only.width, result.only.height) == (100, 75)


def test_several_results_have_a_map_each(engine: Engine, tmp_path: Path) -> None:
    orders: list[dict[str, Any]] = [{"name": f"w{width}", "width": width, "hdr": "keep"} for width in (300, 80, 20)]
    result = engine(source_of(tmp_path, plane(80, 60)), *orders, {"name": "plain", "width": 80})
    for order in orders:
        picture, gain_map = pictures(result.path(order["name"]))
        assert picture.image.width == order["width"]
        assert gain_map.image.width == order["width"] // 4
    assert b"MPF\0" not in result.path("plain").read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_mutants_do_no_harm(engine: Engine, tmp_path: Path) -> None:
    """Whatever bytes change, a picture is made or refused in words, and a map that is kept is whole."""
    chance = random.Random(21496)
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = apples_note()
    seeds = [make(gradient(), plane(32, 24), exif=exif) for make in (hdr_files.ultra_hdr, hdr_files.apple)]
    made = 0
    for number in range(300):
        data = bytearray(seeds[number % 2])
        heads = [at for at in range(2000) if at < len(data)] + list(range(len(data) // 2, len(data)))
        for _ in range(chance.choice((1, 2, 8, 40))):
            data[chance.choice(heads)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        if number % 10 == 0:
            del data[chance.randrange(len(data)) :]
        source = saved(tmp_path, bytes(data))
        try:
            result = engine(source, hdr="keep", width=30, metadata=chance.choice(("strip", "keep")))
        except QuickThumbError:
            continue
        estimate_file_bytes(source, [parse_output({"hdr": "keep"})], LIMITS)
        if b"MPF\0" in result.path().read_bytes():
            made += 1
            assert len(pictures(result.path())) == 2
    assert made > 30


@needs_proc
@pytest.mark.parametrize("progressive", [False, True])
def test_the_estimate_of_memory_counts_the_map(tmp_path: Path, progressive: bool) -> None:
    large = noise(500, 400).resize((3000, 2400), Image.Resampling.BILINEAR)
    the_map = jpeg(large, segment(0xE1, XMP + hdr_files.MAP_XMP), progressive=progressive)
    claims = hdr_files.PICTURE_XMP.format(length=len(the_map)).encode()
    source = saved(tmp_path, together(jpeg(large, segment(0xE1, XMP + claims)), the_map))
    order = {"width": "2900", "hdr": "keep", "quality": "95"}
    estimate = estimate_file_bytes(source, [parse_output(order)], LIMITS)
    grown = peak_bytes(source, tmp_path, [order])
    assert grown < estimate + CODECS_BYTES
    assert estimate < 4 * grown + CODECS_BYTES
    assert estimate > 1.5 * estimate_file_bytes(source, [parse_output({**order, "hdr": "drop"})], LIMITS)


def test_the_estimate_of_a_header_counts_a_map_only_at_its_worst() -> None:
    facts: dict[str, Any] = {"format": "jpeg", "width": 4000, "height": 3000}
    plain, keep = ([parse_output({"width": 2000, "hdr": hdr})] for hdr in ("drop", "keep"))
    assert estimate_decode_bytes(**facts, outputs=keep) == estimate_decode_bytes(**facts, outputs=plain)
    worst = [estimate_decode_bytes(**facts, outputs=outputs, worst=True) for outputs in (plain, keep)]
    assert worst[1] > worst[0] + 4000 * 3000 * 4


def test_the_cost_of_a_map_counts(tmp_path: Path) -> None:
    plain, keep = ([parse_output({"width": 2000, "hdr": hdr})] for hdr in ("drop", "keep"))
    facts: dict[str, Any] = {"format": "jpeg", "size": (4000, 3000)}
    seconds = [estimate_cost(**facts, outputs=outputs).seconds for outputs in (plain, keep)]
    assert seconds[1] > seconds[0] + 0.3
    assert estimate_cost(**facts, outputs=keep, has_gain_map=False).seconds == seconds[0]
    png = {**facts, "format": "png"}
    assert estimate_cost(**png, outputs=keep).seconds == estimate_cost(**png, outputs=plain).seconds
    _, cost = appraise(source_of(tmp_path, plane(80, 60)), keep, Limits(max_pixels=100_000_000))
    assert cost.outputs == 1
