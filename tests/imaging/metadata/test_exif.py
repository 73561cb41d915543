"""EXIF: bytes stay bytes, and what is not true any more goes."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from quickthumb.imaging.metadata import exif
from quickthumb.imaging.metadata.exif import Exif
from quickthumb.imaging.source import EXIF_DAMAGED
from quickthumb.model.errors import BrokenImage
from tests.imaging.metadata import sources
from tests.imaging.metadata.conftest import Rendered
from tests.imaging.metadata.sources import ARTIST, COPYRIGHT, entry, tiff_block

UTF8 = "© 2024 Zoë Müller".encode() + b"\0"
LATIN1 = "© 2024 Zoë Müller".encode("latin-1") + b"\0"
MAKER_NOTE = b"MAKER-SECRET-MAKER-SECRET"
LATITUDE = struct.pack("<6I", 47, 1, 22, 1, 8, 1)
NO_MAKER_NOTES = "The maker notes in the EXIF data could not be kept."
NOT_VALID = "Some of the EXIF data is not valid and was left out."


def read_back(data: bytes) -> Exif:
    """The EXIF of a result, read by its bytes: from a JPEG, PNG, WebP or AVIF."""
    starts = [data.find(mark) for mark in (b"II*\0", b"MM\0*")]
    return exif.read_block(data[min(start for start in starts if start >= 0) :], keeps_colors=True)


def text_of(block: Exif, tag: int) -> bytes:
    return next(each.value for each in block.main if each.tag == tag)


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("metadata", ["copyright", "keep"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("text", [UTF8, LATIN1, b"Photographer\0Editor\0", b"\xff\xfe\x80\0"])
def test_text_is_copied_byte_for_byte(rendered: Rendered, name: str, metadata: str, order: str, text: bytes) -> None:
    block = tiff_block(order, [entry(ARTIST, 2, text), entry(COPYRIGHT, 2, text)])
    result = rendered(sources.jpeg(sources.exif_segment(block)), format=name, metadata=metadata)
    made = read_back(result.path().read_bytes())
    assert (text_of(made, ARTIST), text_of(made, COPYRIGHT)) == (text, text)
    assert "EXIF" in result.only.metadata
    assert result.only.warnings == ()


@pytest.mark.parametrize("source", ["png", "webp", "avif"])
def test_text_of_every_format_is_copied(rendered: Rendered, source: str) -> None:
    block = tiff_block("<", [entry(COPYRIGHT, 2, UTF8)])
    data = {
        "png": lambda: sources.png((b"eXIf", block)),
        "webp": lambda: sources.webp(exif=block),
        "avif": lambda: sources.avif(exif=block),
    }[source]()
    made = read_back(rendered(data, metadata="copyright").path().read_bytes())
    assert text_of(made, COPYRIGHT) == UTF8


def test_text_of_a_turned_avif_is_copied(rendered: Rendered) -> None:
    """Pillow writes the EXIF of such a file anew."""
    plain = b"x" * (len(UTF8) - 1) + b"\0"
    block = tiff_block("<", [entry(274, 3, b"\6\0"), entry(COPYRIGHT, 2, plain)])
    data = sources.avif(exif=block)
    assert plain in data
    data = data.replace(plain, UTF8)
    assert text_of(read_back(rendered(data, metadata="keep").path().read_bytes()), COPYRIGHT) == UTF8


def test_an_avif_that_is_turned_and_has_damaged_exif_is_made(rendered: Rendered) -> None:
    """Pillow fails to write the orientation into such EXIF, and with that to open the file."""
    wide = struct.pack("<HHI", 282, 5, 1)
    dots = entry(282, 5, struct.pack("<2I", 72, 1))
    data = sources.avif(exif=tiff_block("<", [entry(274, 3, b"\6\0"), entry(271, 2, b"Maker\0"), dots]))
    assert wide in data
    result = rendered(data.replace(wide, struct.pack("<HHI", 282, 2, 8)), metadata="keep", format="jpeg")
    assert (result.only.width, result.only.height) == (48, 64)
    assert result.only.warnings == (NOT_VALID,)
    assert [each.tag for each in read_back(result.path().read_bytes()).main] == [271]


def full_block(order: str = "<") -> bytes:
    camera = [
        entry(0x829A, 5, struct.pack(order + "2I", 1, 250)),
        entry(0x927C, 7, MAKER_NOTE),
        entry(0xA001, 3, struct.pack(order + "H", 0xFFFF)),
        entry(0xA002, 4, struct.pack(order + "I", 4000)),
        entry(0xA003, 4, struct.pack(order + "I", 3000)),
    ]
    location = [entry(1, 2, b"N\0"), entry(2, 5, LATITUDE)]
    main = [
        entry(256, 4, struct.pack(order + "I", 4000)),
        entry(271, 2, b"Maker\0"),
        entry(274, 3, struct.pack(order + "H", 1)),
        entry(282, 5, struct.pack(order + "2I", 300, 1)),
        entry(283, 5, struct.pack(order + "2I", 300, 1)),
        entry(296, 3, struct.pack(order + "H", 2)),
    ]
    return tiff_block(order, main, camera, location, pointers={34665: 1, 34853: 2})


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_not_true_any_more_is_left_out(rendered: Rendered, order: str) -> None:
    result = rendered(sources.jpeg(sources.exif_segment(full_block(order))), metadata="keep")
    made = read_back(result.path().read_bytes())
    assert [each.tag for each in made.main] == [271, 282, 283, 296]
    assert [each.tag for each in made.parts[34665]] == [0x829A, 0xA001]
    assert [each.value for each in made.parts[34853]] == [b"N\0", LATITUDE]
    assert MAKER_NOTE not in result.path().read_bytes()
    assert result.only.metadata == "kept: EXIF, resolution; dropped: maker notes"
    assert result.only.warnings == (NO_MAKER_NOTES,)
    assert result.picture().info["dpi"] == (300, 300)


@pytest.mark.parametrize("metadata", ["strip", "copyright"])
def test_no_location_survives_anything_but_keep(rendered: Rendered, metadata: str) -> None:
    data = sources.jpeg(
        sources.exif_segment(full_block()),
        sources.xmp_segment(sources.rights_xmp("<exif:GPSLatitude>47,22N</exif:GPSLatitude>")),
    )
    for name in ("jpeg", "png", "webp", "avif", "gif"):
        made = rendered(data, metadata=metadata, format=name).path().read_bytes()
        assert not [secret for secret in (LATITUDE, b"GPS", b"47,22N") if secret in made]


def test_a_thumbnail_is_left_out(rendered: Rendered) -> None:
    thumbnail = [entry(513, 4, struct.pack("<I", 8)), entry(514, 4, struct.pack("<I", 40))]
    block = tiff_block("<", [entry(271, 2, b"Maker\0")], thumbnail)
    result = rendered(sources.jpeg(sources.exif_segment(block)), metadata="keep")
    assert result.only.metadata == "kept: EXIF; dropped: thumbnail"
    assert [each.tag for each in read_back(result.path().read_bytes()).main] == [271]


@pytest.mark.parametrize(
    "wrong",
    [
        entry(282, 2, b"72\0"),
        entry(283, 3, b"\x48\0"),
        entry(296, 5, struct.pack("<2I", 2, 1)),
    ],
)
def test_entries_that_cannot_be_right_are_left_out_with_a_warning(
    rendered: Rendered, wrong: tuple[int, int, bytes]
) -> None:
    block = tiff_block("<", [entry(271, 2, b"Maker\0"), wrong])
    for name in ("jpeg", "png", "webp", "avif"):
        result = rendered(sources.jpeg(sources.exif_segment(block)), metadata="keep", format=name)
        assert result.only.warnings == (NOT_VALID,)
        assert [each.tag for each in read_back(result.path().read_bytes()).main] == [271]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize(
    ("block", "warnings"),
    [
        (tiff_block("<", []), ()),  # as sharp writes it
        (b"", ()),
        (tiff_block("<", [])[:9], (EXIF_DAMAGED,)),
        (tiff_block("<", [entry(271, 2, b"Maker\0")])[:20], (EXIF_DAMAGED,)),
        (b"XX*\0" + bytes(20), (EXIF_DAMAGED,)),
    ],
)
def test_a_block_that_holds_nothing_is_not_damaged(rendered: Rendered, block: bytes, warnings: tuple[str, ...]) -> None:
    for metadata in ("strip", "copyright", "keep"):
        result = rendered(sources.jpeg(sources.exif_segment(block)), metadata=metadata)
        assert result.only.warnings == warnings


def test_offsets_that_lead_nowhere_leave_out_one_entry() -> None:
    block = tiff_block("<", [entry(271, 2, b"A maker\0"), entry(COPYRIGHT, 2, UTF8)])
    lost = block.replace(struct.pack("<HHII", 271, 2, 8, 38), struct.pack("<HHII", 271, 2, 8, 1 << 31))
    assert lost != block
    made = exif.read_block(lost, keeps_colors=True)
    assert ([each.tag for each in made.main], made.refused) == ([COPYRIGHT], 1)


def test_values_that_overlap_are_not_multiplied() -> None:
    """A block of 64 KiB whose entries all have the same 60,000 bytes would take 320 MB."""
    entries = b"".join(struct.pack("<HHII", 40000 + index, 7, 60_000, 0) for index in range(5000))
    block = (b"II*\0" + struct.pack("<IH", 8, 5000) + entries + bytes(4)).ljust(65_000, b"\0")
    made = exif.read_block(block, keeps_colors=True)
    assert sum(len(each.value) for each in made.main) <= exif.MOST_BLOCK_BYTES
    assert made.refused > 4000


def test_entries_that_are_too_many_are_left_out_with_a_warning(rendered: Rendered) -> None:
    block = tiff_block("<", [entry(tag, 3, b"\1\0") for tag in range(42000, 47000)])
    result = rendered(sources.png((b"eXIf", block)), metadata="keep")
    assert result.only.warnings == (NOT_VALID,)
    assert len(read_back(result.path().read_bytes()).main) == 4096


def test_a_directory_that_points_to_itself_is_read_once() -> None:
    block = tiff_block("<", [entry(271, 2, b"Maker\0")], pointers={34665: 0})
    made = exif.read_block(block, keeps_colors=True)
    assert len(made.main) == 1


def test_a_location_that_points_to_the_camera_is_read_like_it() -> None:
    camera = [entry(0x829A, 5, struct.pack("<2I", 1, 250)), entry(0x927C, 7, MAKER_NOTE)]
    made = exif.read_block(tiff_block("<", [], camera, pointers={34665: 1, 34853: 1}), keeps_colors=True)
    assert MAKER_NOTE not in made.tobytes()


def test_a_block_that_is_too_large_for_a_jpeg_leaves_the_rights(rendered: Rendered) -> None:
    block = tiff_block("<", [entry(COPYRIGHT, 2, UTF8), entry(0x9C9C, 1, b"x" * 80_000)])
    result = rendered(sources.png((b"eXIf", block)), metadata="keep", format="jpeg")
    assert result.only.warnings == ("The EXIF data is too large for jpeg; only artist and copyright were kept.",)
    assert result.only.metadata == "kept: EXIF; dropped: other EXIF"
    assert [each.tag for each in read_back(result.path().read_bytes()).main] == [COPYRIGHT]
    assert len(read_back(rendered(sources.png((b"eXIf", block)), metadata="keep").path().read_bytes()).main) == 2


def test_a_bigtiff_gives_what_it_says(rendered: Rendered) -> None:
    """BigTIFF has wider offsets, and numbers of 64 bits."""
    import io

    from tests.imaging.pictures import gradient

    for big in (False, True):
        file = io.BytesIO()
        gradient().save(
            file,
            "TIFF",
            big_tiff=big,
            tiffinfo={COPYRIGHT: "Jane", 700: sources.rights_xmp(), 33723: sources.RIGHTS_IPTC},
        )
        result = rendered(file.getvalue(), metadata="copyright", format="jpeg")
        assert result.only.metadata == "kept: rights in EXIF, XMP, IPTC"
        assert text_of(read_back(result.path().read_bytes()), COPYRIGHT) == b"Jane\0"


@settings(deadline=None)
@given(some.binary(max_size=300), some.binary(max_size=60), some.integers(0, 300))
def test_no_block_fails_in_any_other_way(noise: bytes, patch: bytes, place: int) -> None:
    block = bytearray(full_block()[: len(noise) + 200])
    block[place : place + len(patch)] = patch
    for data in (bytes(block), noise, b"II*\0" + noise, b"MM\0+" + noise):
        try:
            made = exif.read_block(data, keeps_colors=False)
        except BrokenImage:
            continue
        written = made.tobytes()
        assert not written or exif.read_block(written, keeps_colors=True).refused == 0
