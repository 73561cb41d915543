"""Faults of a PNG beside its pixels: the picture is made all the same, and the receipt says what was left out."""

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from quickthumb.imaging.formats.png_chunks import read_chunks
from quickthumb.imaging.header import make_watch
from quickthumb.model.errors import BrokenImage
from tests.imaging import costly_metadata as costly
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.pictures import noise, quadrants
from tests.imaging.png_files import END, PALETTE, header, palette, pixels, png, red, spoiled
from tests.imaging.test_broken import chunk

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
PACKED = b"a\0\0" + zlib.compress(b"text" * 100)

BAD_PROFILE = "The color profile is damaged and was ignored."
BAD_TEXT = "A text of the PNG is damaged and was left out."
BAD_EXIF = "The EXIF data is damaged and was left out."
BAD_COLOR = "The color data of the PNG is damaged and was ignored."
BAD_CODE_POINTS = "The code points (CICP) of the file's color space are not supported and were ignored."
BAD_KEY = "The transparency of the PNG is damaged and was ignored."
BAD_OTHER = "Some metadata of the PNG is damaged and was left out."
TOO_MUCH = "The texts of the PNG are too large, and some were left out."
TOO_LARGE = "The color profile is too large and was ignored."
NO_END = "The PNG ends too early: its end marker is missing."
STILL = "The animation is damaged; only the picture for viewers without animation was used."


def several(name: str) -> str:
    return f"The PNG has several {name} chunks; those after the first were ignored."


def late(name: str) -> str:
    return f"The {name} chunk of the PNG comes too late and was ignored."


def profile_chunk(profile: bytes = PROFILE) -> bytes:
    return chunk(b"iCCP", b"a\0\0" + zlib.compress(profile))


SPOILED = {
    b"iCCP": (b"a\0\0" + zlib.compress(PROFILE), BAD_PROFILE),
    b"tEXt": (b"a\0text", BAD_TEXT),
    b"zTXt": (PACKED, BAD_TEXT),
    b"iTXt": (b"XML:com.adobe.xmp\0\0\0\0\0" + XMP, BAD_TEXT),
    b"eXIf": (b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\0\0\0\0", BAD_EXIF),
    b"gAMA": (struct.pack(">I", 45455), BAD_COLOR),
    b"sRGB": (b"\0", BAD_COLOR),
    b"cICP": (b"\x01\x0d\0\x01", BAD_CODE_POINTS),
    b"pHYs": (struct.pack(">IIB", 2835, 2835, 1), BAD_OTHER),
    b"tIME": (bytes((7, 224, 1, 1, 0, 0, 0)), BAD_OTHER),
    b"prIv": (b"anything", BAD_OTHER),
}
BEHIND_TOO = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"prIv")


def check(engine: Engine, path: Path, file: bytes, *warnings: str) -> None:
    """Makes the red picture of that file, with those warnings."""
    path.write_bytes(file)
    result = engine(path, width=4, format="png")
    assert result.only.warnings == warnings
    assert result.picture().convert("RGB").getcolors() == [(16, (255, 0, 0))]
    watch = make_watch(LIMITS, file[:12])
    assert watch is not None
    watch.feed(file)  # is not refused while it arrives either


@pytest.mark.parametrize("name", SPOILED, ids=bytes.decode)
def test_a_wrong_checksum(engine: Engine, tmp_path: Path, name: bytes) -> None:
    content, warning = SPOILED[name]
    path = tmp_path / "image.png"
    check(engine, path, red(chunk(name, content)))
    check(engine, path, red(spoiled(chunk(name, content))), warning)
    if name in BEHIND_TOO:
        check(engine, path, red(b"", chunk(name, content)))
        check(engine, path, red(b"", spoiled(chunk(name, content))), warning)


@pytest.mark.parametrize(
    ("before", "warning"),
    [
        (chunk(b"iCCP", b"a\0\0" + zlib.compress(PROFILE)[:-20]), BAD_PROFILE),
        (chunk(b"iCCP", b"a\0\0not packed"), BAD_PROFILE),
        (chunk(b"iCCP", b"a\0\1" + zlib.compress(PROFILE)), BAD_PROFILE),
        (chunk(b"iCCP", b""), BAD_PROFILE),
        (chunk(b"zTXt", b"a\0\0not packed"), BAD_TEXT),
        (chunk(b"zTXt", b"a\0\1" + zlib.compress(b"text")), BAD_TEXT),
        (chunk(b"zTXt", PACKED[:-6]), BAD_TEXT),
        (chunk(b"iTXt", b"a\0\1\0\0\0not packed"), BAD_TEXT),
        (chunk(b"gAMA", b"\0"), BAD_COLOR),
        (chunk(b"cHRM", bytes(31)), BAD_COLOR),
        (chunk(b"sRGB", b""), BAD_COLOR),
        (chunk(b"pHYs", bytes(8)), BAD_OTHER),
        (chunk(b"tRNS", bytes(5)), BAD_KEY),
        (chunk(b"tRNS", bytes(256)), BAD_KEY),
        (chunk(b"fcTL", bytes(25)), STILL),
        (chunk(b"acTL", bytes(7)), STILL),
        (chunk(b"acTL", bytes(8)), STILL),
        (profile_chunk() * 2, several("iCCP")),
        (chunk(b"gAMA", struct.pack(">I", 45455)) * 3, several("gAMA")),
    ],
)
def test_contents_that_cannot_be(engine: Engine, tmp_path: Path, before: bytes, warning: str) -> None:
    check(engine, tmp_path / "image.png", red(before), warning)


@pytest.mark.parametrize("name", [b"iCCP", b"gAMA", b"sRGB", b"pHYs"], ids=bytes.decode)
def test_a_chunk_behind_the_pixels_that_must_come_before_them(engine: Engine, tmp_path: Path, name: bytes) -> None:
    content, _ = SPOILED[name]
    check(engine, tmp_path / "image.png", red(b"", chunk(name, content)), late(name.decode()))


def test_several_faults_are_all_told(engine: Engine, tmp_path: Path) -> None:
    file = red(spoiled(profile_chunk()) + spoiled(chunk(b"tEXt", b"a\0b")) * 2, spoiled(chunk(b"tIME", bytes(7))))
    check(engine, tmp_path / "image.png", file, BAD_PROFILE, BAD_TEXT, BAD_OTHER)


def test_critical_chunks_must_be_sound(engine: Engine, tmp_path: Path) -> None:
    colors = palette((255, 0, 0), (0, 255, 0))
    head, rows = header(8, 8, PALETTE), pixels([bytes(8)] * 8)
    check(engine, tmp_path / "image.png", png(head, colors, rows, END))
    spoils = (spoiled(head), colors, rows), (head, spoiled(colors), rows), (head, colors, spoiled(rows))
    for file in (png(*parts, END) for parts in spoils):
        (tmp_path / "image.png").write_bytes(file)
        with pytest.raises(BrokenImage):
            engine(tmp_path / "image.png", width=4)


def test_a_profile_up_to_the_limit_is_applied(engine: Engine, tmp_path: Path) -> None:
    profile = costly.profile(junk=b"data" + bytes(1_300_000))
    for suffix in ("png", "webp"):
        quadrants().save(tmp_path / f"image.{suffix}", icc_profile=profile, lossless=True)
    result = engine(tmp_path / "image.png", {"name": "png", "format": "png"})
    twin = engine(tmp_path / "image.webp", {"name": "webp", "format": "png"})
    assert result.only.color.startswith("converted from")
    assert result.only.warnings == ()
    assert result.picture("png").tobytes() == twin.picture("webp").tobytes()


@pytest.mark.parametrize(("bytes_unfolded", "warning"), [(2_500_000, TOO_LARGE), (20_000_000, TOO_LARGE)])
def test_a_larger_profile_is_ignored(engine: Engine, tmp_path: Path, bytes_unfolded: int, warning: str) -> None:
    check(engine, tmp_path / "image.png", red(profile_chunk(PROFILE + bytes(bytes_unfolded))), warning)


@pytest.mark.parametrize("behind", [False, True])
def test_texts_are_read_up_to_a_limit(engine: Engine, tmp_path: Path, behind: bool) -> None:
    def file(*texts: bytes) -> bytes:
        return red(b"", b"".join(texts)) if behind else red(b"".join(texts))

    million = zlib.compress(bytes(1_500_000))
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP + b" " * 1_500_000))
    large = chunk(b"zTXt", b"a\0\0" + million)
    international = chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"\xff" * 1_500_000))  # is not UTF-8
    cut = chunk(b"zTXt", b"a\0\0" + million[:-10])
    path = tmp_path / "image.png"
    check(engine, path, file(xmp, large))
    check(engine, path, file(*[large] * 20), TOO_MUCH)
    check(engine, path, file(*[international] * 20), TOO_MUCH)
    check(engine, path, file(*[cut] * 20), BAD_TEXT, TOO_MUCH)
    check(engine, path, file(chunk(b"tEXt", b"a\0" + b"b" * 17_000_000)), TOO_MUCH)


def test_the_orientation_of_a_sound_chunk_counts(engine: Engine, tmp_path: Path) -> None:
    turned = chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0")
    path = tmp_path / "image.png"
    for spare in (b"", spoiled(chunk(b"tEXt", b"a\0b"))):
        for before, behind in ((spare + turned, b""), (spare, turned)):
            path.write_bytes(png(header(8, 4, 2), before, pixels([b"\xff\0\0" * 8] * 4), behind, END))
            made = engine(path, format="png").only
            assert (made.width, made.height) == (4, 8)


@pytest.mark.parametrize("end", [b"", END[:3], END[:10], b"\0\0\0\4???\xff", chunk(b"tEXt", b"a\0text")[:-7]])
def test_a_missing_end_marker(engine: Engine, tmp_path: Path, end: bytes) -> None:
    warnings = (BAD_TEXT, NO_END) if b"tEXt" in end else () if end == END[:10] else (NO_END,)
    check(engine, tmp_path / "image.png", red(b"", b"", end), *warnings)


def test_the_head_of_more_pixels_at_the_end(engine: Engine, tmp_path: Path) -> None:
    """There are no pixels in it, and none are missing."""
    head = (1000).to_bytes(4, "big") + b"IDAT"
    check(engine, tmp_path / "image.png", red(b"", b"", head), NO_END)
    whole = red(b"", b"", b"")
    (tmp_path / "image.png").write_bytes(whole[:-14] + head)
    with pytest.raises(BrokenImage):
        engine(tmp_path / "image.png", format="png")


def test_pixels_that_are_cut_off_are_damage(engine: Engine, tmp_path: Path) -> None:
    noise(64, 48).save(tmp_path / "image.png")
    whole = (tmp_path / "image.png").read_bytes()
    for end in (len(whole) - 40, len(whole) // 2, len(whole) // 8):
        (tmp_path / "image.png").write_bytes(whole[:end])
        with pytest.raises(BrokenImage):
            engine(tmp_path / "image.png", width=8)


@pytest.fixture
def animation(tmp_path: Path) -> Path:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "animation.png", save_all=True, append_images=frames[1:], duration=50)
    return tmp_path / "animation.png"


def chunks_of(path: Path) -> list[tuple[bytes, bytes]]:
    """The names of a file's chunks, and the chunks."""
    whole = path.read_bytes()
    with path.open("rb", buffering=0) as file:
        return [(found.name, whole[found.start : found.end]) for found in read_chunks(file)]


def test_the_frames_of_an_animation_with_damaged_texts(engine: Engine, animation: Path) -> None:
    text = spoiled(chunk(b"zTXt", b"a\0\1b"))
    parts = [text + part if name in (b"fcTL", b"IEND") else part for name, part in chunks_of(animation)]
    animation.write_bytes(png(*parts))
    made = engine(animation, format="webp", lossless="yes").only
    assert (made.frames, made.warnings) == (3, (BAD_TEXT,))


def numbered(part: bytes, number: int) -> bytes:
    """A chunk of an animation with that number."""
    return chunk(part[4:8], number.to_bytes(4, "big") + part[12:-4])


def test_an_animation_that_cannot_be_played_is_shown_as_a_still(engine: Engine, animation: Path) -> None:
    sound = chunks_of(animation)
    order = [index for index, (name, _) in enumerate(sound) if name in (b"fcTL", b"fdAT")]
    spoils = [[spoiled(part) if name == kind else part for name, part in sound] for kind in (b"acTL", b"fcTL")]
    missing = [part for index, (_, part) in enumerate(sound) if index != order[1]]
    outside = [
        chunk(name, part[8:12] + struct.pack(">4I", 8, 8, 1, 0) + part[28:-4]) if name == b"fcTL" else part
        for name, part in sound
    ]
    fewer = [chunk(name, struct.pack(">II", 9, 0)) if name == b"acTL" else part for name, part in sound]
    empty = [part for name, part in sound if name != b"fdAT"]
    controls = [part for name, part in sound if name == b"fcTL"]
    twice = [part for name, part in sound if name not in (b"fcTL", b"fdAT", b"IEND")]
    twice += [controls[0], numbered(controls[1], 1), numbered(sound[order[2]][1], 2), END]
    for parts in (*spoils, missing, outside, fewer, empty, twice):
        check(engine, animation, png(*parts), STILL)
