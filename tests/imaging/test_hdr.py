"""HDR gain maps: the facts tell of them, and a receipt says when one was dropped."""

import io
import struct
import time
from pathlib import Path

import pytest
from PIL import Image

from quickthumb.imaging.formats.window import Seeking
from quickthumb.imaging.hdr import coded_maps, packet
from quickthumb.model.errors import BrokenImage
from tests.imaging import hdr_files
from tests.imaging.conftest import Engine
from tests.imaging.hdr_files import XMP, jpeg, segment, together
from tests.imaging.pictures import gradient

DROPPED = "The HDR gain map of the source was dropped."
LOST = "The file says that it has an HDR gain map, but the map is missing."
MAP = Image.linear_gradient("L").resize((16, 12))
CLAIMS = hdr_files.PICTURE_XMP.format(length=1000).encode()


def saved(folder: Path, data: bytes, name: str = "source.jpg") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (hdr_files.ultra_hdr(gradient(), MAP), "ultra-hdr"),
        (hdr_files.ultra_hdr(gradient(), MAP, indexed=False), "ultra-hdr"),
        (hdr_files.iso(gradient(), MAP), "iso-21496-1"),
        (hdr_files.apple(gradient(), MAP), "apple"),
    ],
    ids=["ultra-hdr", "ultra-hdr without an index", "iso", "apple"],
)
@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_the_facts_tell_and_the_receipt_warns(
    engine: Engine, tmp_path: Path, data: bytes, kind: str, name: str
) -> None:
    result = engine(saved(tmp_path, data), width=32, format=name)
    assert result.rendering.facts.hdr == kind
    assert result.only.warnings == (DROPPED,)
    assert b"hdr" not in result.path().read_bytes()


def test_nothing_is_told_of_ordinary_pictures(engine: Engine, tmp_path: Path) -> None:
    plain = engine(saved(tmp_path, jpeg(gradient())), hdr="keep")
    assert (plain.rendering.facts.hdr, plain.only.warnings) == (None, ())
    stereo = engine(saved(tmp_path, together(jpeg(gradient()), jpeg(gradient()))), hdr="keep")
    assert (stereo.rendering.facts.hdr, stereo.only.warnings) == (None, ())
    assert stereo.path().read_bytes() == plain.path().read_bytes()


def test_a_map_of_which_the_picture_does_not_speak_is_none(engine: Engine, tmp_path: Path) -> None:
    """An editor that changed the picture takes its XMP away; what still lies behind it no longer fits."""
    the_map = jpeg(MAP, segment(0xE1, XMP + hdr_files.MAP_XMP), segment(0xE2, hdr_files.ISO_OF_MAP))
    result = engine(saved(tmp_path, together(jpeg(gradient()), the_map)), hdr="keep")
    assert (result.rendering.facts.hdr, result.only.warnings) == (None, ())


@pytest.mark.parametrize(
    "data",
    [
        jpeg(gradient(), segment(0xE1, XMP + CLAIMS)),
        jpeg(gradient(), segment(0xE2, hdr_files.ISO_OF_PICTURE)),
        together(jpeg(gradient(), segment(0xE1, XMP + CLAIMS)), jpeg(MAP)),
        hdr_files.ultra_hdr(gradient(), MAP)[:-900],
    ],
    ids=["claims in XMP", "claims of ISO", "another picture", "cut"],
)
def test_a_map_that_is_missing_is_warned_of(engine: Engine, tmp_path: Path, data: bytes) -> None:
    result = engine(saved(tmp_path, data), hdr="keep")
    assert (result.rendering.facts.hdr, result.only.warnings) == (None, (LOST,))


def test_the_map_may_stand_anywhere_among_the_pictures(engine: Engine, tmp_path: Path) -> None:
    the_map = jpeg(MAP, segment(0xE1, XMP + hdr_files.MAP_XMP))
    base = jpeg(gradient(), segment(0xE1, XMP + CLAIMS))
    for others in ([the_map, jpeg(gradient())], [jpeg(gradient()), the_map], [jpeg(MAP)] * 5 + [the_map]):
        result = engine(saved(tmp_path, together(base, *others)), hdr="keep")
        assert (result.rendering.facts.hdr, result.only.warnings) == ("ultra-hdr", ())


def test_the_map_may_stand_before_the_video_of_a_motion_photo(engine: Engine, tmp_path: Path) -> None:
    the_map, video = jpeg(MAP, segment(0xE1, XMP + hdr_files.MAP_XMP)), b"\0\0\0\x18ftypmp42" + bytes(5000)
    item = f'Item:Semantic="MotionPhoto" Item:Mime="video/mp4" Item:Length="{len(video)}"'
    item = f"<rdf:li><Container:Item {item}/></rdf:li>"
    claims = hdr_files.PICTURE_XMP.format(length=len(the_map)).replace("</rdf:Seq>", item + "</rdf:Seq>", 1)
    data = jpeg(gradient(), segment(0xE1, XMP + claims.encode())) + the_map + video
    result = engine(saved(tmp_path, data), hdr="keep")
    assert (result.rendering.facts.hdr, result.only.warnings) == ("ultra-hdr", ())
    assert len(hdr_files.pictures(result.path())) == 2


def test_what_is_appended_to_a_file_does_not_hide_the_map(engine: Engine, tmp_path: Path) -> None:
    for trailer in (b"SEFT", bytes(3_000_000)):
        data = hdr_files.ultra_hdr(gradient(), MAP, indexed=False)
        result = engine(saved(tmp_path, data + trailer), hdr="keep")
        assert (result.rendering.facts.hdr, result.only.warnings) == ("ultra-hdr", ())
        assert b"SEFT" not in result.path().read_bytes()


def test_other_prefixes_and_elements_say_the_same(engine: Engine, tmp_path: Path) -> None:
    claims = (
        CLAIMS.replace(b"hdrgm:", b"g:").replace(b":hdrgm", b":g").replace(b"Item:", b"i:").replace(b":Item=", b":i=")
    )
    of_map = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
      <r:Description r:about=""><v:Version xmlns:v="http://ns.adobe.com/hdr-gain-map/1.0/">1.0</v:Version>
      </r:Description></r:RDF></x:xmpmeta>"""
    data = together(jpeg(gradient(), segment(0xE1, XMP + claims)), jpeg(MAP, segment(0xE1, XMP + of_map)))
    assert engine(saved(tmp_path, data)).rendering.facts.hdr == "ultra-hdr"


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif"])
def test_metadata_that_is_kept_does_not_claim_a_map_that_was_dropped(engine: Engine, tmp_path: Path, name: str) -> None:
    source = saved(tmp_path, hdr_files.ultra_hdr(gradient(), MAP))
    data = engine(source, format=name, metadata="keep").path().read_bytes()
    assert b"Jane Doe" in data
    assert b"Version=" not in data
    assert b"Directory" not in data
    assert b"GainMap" not in data


def avif(picture: Image.Image, before: bytes, after: bytes, **options: object) -> bytes:
    """An AVIF with one word of its boxes exchanged: enough for what looks at nothing but boxes."""
    data = io.BytesIO()
    picture.save(data, "AVIF", **options)
    assert before in data.getvalue()
    return data.getvalue().replace(before, after.ljust(len(before), b"\0"))


def tone_mapped_avif() -> bytes:
    """Its XMP passes for a tone-mapped picture."""
    return avif(gradient(), b"mime", b"tmap", xmp=b"<x/>")


def apples_avif() -> bytes:
    """Its alpha passes for Apple's gain map."""
    picture = Image.new("RGBA", (64, 48), (200, 100, 50, 128))
    return avif(picture, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", packet.APPLE_AUXILIARY.encode())


@pytest.mark.parametrize(("data", "kind"), [(tone_mapped_avif(), "iso-21496-1"), (apples_avif(), "apple")])
def test_avif(engine: Engine, tmp_path: Path, data: bytes, kind: str) -> None:
    result = engine(saved(tmp_path, data, "source.avif"), width=20, format="jpeg", hdr="keep")
    assert result.rendering.facts.hdr == kind
    assert result.only.warnings == ("The HDR gain map was dropped, because only a JPEG made from a JPEG can keep it.",)


def box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def heif(*, item: bytes = b"hvc1", version: int = 2, auxiliary: str = "urn:mpeg:hevc:2015:auxid:1") -> bytes:
    """The boxes of a HEIC as far as they tell of maps."""
    number = struct.pack(">H" if version == 2 else ">I", 7)
    entry = box(b"infe", bytes((version, 0, 0, 0)), number, bytes(2), item, b"\0")
    first = box(b"infe", bytes((2, 0, 0, 0)), struct.pack(">H", 1), bytes(2), b"hvc1", b"\0")
    properties = box(b"ipco", box(b"ispe", bytes(12)), box(b"auxC", bytes(4), auxiliary.encode() + b"\0"))
    meta = box(b"meta", bytes(4), box(b"iinf", bytes(4), struct.pack(">H", 2), first, entry), box(b"iprp", properties))
    return box(b"ftyp", b"heic", bytes(4), b"mif1heic") + meta + box(b"mdat", bytes(99))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (heif(), ""),
        (heif(item=b"tmap"), "iso"),
        (heif(item=b"tmap", version=3), "iso"),
        (heif(auxiliary=packet.APPLE_AUXILIARY), "apple"),
        (heif(item=b"tmap", auxiliary=packet.APPLE_AUXILIARY), "iso"),
        (heif(auxiliary=packet.APPLE_AUXILIARY + "2"), ""),
        (b"", ""),
    ],
)
def test_heic(data: bytes, kind: str) -> None:
    assert coded_maps.kind_of(Seeking(io.BytesIO(data)), iso="iso", apple="apple") == kind


def test_a_cut_heic_is_broken() -> None:
    data = heif(auxiliary=packet.APPLE_AUXILIARY)
    for length in range(32, data.index(b"auxC") + 40, 5):
        with pytest.raises(BrokenImage):
            coded_maps.kind_of(Seeking(io.BytesIO(data[:length])), iso="iso", apple="apple")


def test_entities_are_not_expanded(engine: Engine, tmp_path: Path) -> None:
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10))
    bomb = b'<!DOCTYPE x [<!ENTITY l0 "ha">' + laughs + b"]>" + CLAIMS.replace(b"Jane Doe", b"&l9;")
    before = time.process_time()
    with pytest.raises(packet.NotReadable):
        packet.read(bomb)
    result = engine(saved(tmp_path, jpeg(gradient(), segment(0xE1, XMP + bomb))), hdr="keep", metadata="keep")
    damaged = "The XMP data is damaged and was left out."
    assert (result.rendering.facts.hdr, result.only.warnings) == (None, (damaged,))
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    "data",
    [
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b" " * 60_000,
        CLAIMS.replace(b"<Container:D", b"<Container:D" + b" " * 60_000, 1),
        CLAIMS.replace(b' hdrgm:Version="1.0"', b" a" * 30_000, 1),
        b"<a>" * 20_000,
        b"<a>" * 9_000 + b"</a>" * 9_000,
        CLAIMS.replace(b"rdf:about=", b" " * 60_000 + b"rdf:about="),
        CLAIMS + b" " * 60_000,
        "<a/>".encode("utf-16"),
    ],
)
def test_no_packet_takes_long(data: bytes) -> None:
    before = time.process_time()
    made = packet.with_gain_map(data, 1234)
    assert [item["Length"] for item in packet.read(made).items if item.get("Semantic") == "GainMap"] == ["1234"]
    assert time.process_time() - before < 2


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO file")
@pytest.mark.filterwarnings("ignore:.*EXIF")
@pytest.mark.parametrize(
    "index",
    [
        b"II*\0" + b"\xff" * 60,
        b"MM\0*\0\0\0\x08" + struct.pack(">H", 65535) + b"\xb0\x02" * 30_000,
        b"II*\0\x08\0\0\0\x03\0",
        b"",
    ],
    ids=["far offsets", "many entries", "short", "empty"],
)
def test_an_index_full_of_nonsense_is_ignored(engine: Engine, tmp_path: Path, index: bytes) -> None:
    data = jpeg(gradient(), segment(0xE1, XMP + CLAIMS), segment(0xE2, hdr_files.MPF + index))
    result = engine(saved(tmp_path, data), hdr="keep")
    assert (result.rendering.facts.hdr, result.only.warnings) == (None, (LOST,))
