"""The texts of a PNG: kept in a PNG as they are, elsewhere as EXIF or XMP."""

import io
import struct
import zlib

import pytest

from quickthumb.imaging.formats.png import unwrapped
from quickthumb.imaging.metadata import png_texts
from tests.imaging.metadata import sources
from tests.imaging.metadata.conftest import Rendered
from tests.imaging.metadata.test_xmp import packet_of

TEXTS = (
    (b"tEXt", b"Author\0Zo\xeb"),
    (b"iTXt", sources.international("Copyright", "© Zoë 株式会社".encode())),
    (b"zTXt", b"Title\0\0" + zlib.compress("Ünïcode".encode("latin-1"))),
    (b"iTXt", sources.international("parameters", "prompt: 猫".encode(), packed=True)),
)


@pytest.mark.parametrize("late", [False, True])
def test_texts_of_every_kind_stay_in_a_png(rendered: Rendered, late: bool) -> None:
    result = rendered(sources.png(*TEXTS, late=late), metadata="keep")
    texts = {key: str(value) for key, value in result.picture().info.items() if isinstance(value, str)}
    assert texts == {"Author": "Zoë", "Copyright": "© Zoë 株式会社", "Title": "Ünïcode", "parameters": "prompt: 猫"}
    assert result.only.metadata == "kept: EXIF, texts"
    assert result.only.warnings == ()


def test_of_texts_only_the_rights_are_kept_for_copyright(rendered: Rendered) -> None:
    result = rendered(sources.png(*TEXTS), metadata="copyright")
    assert {"Author", "Copyright"} == {key for key, value in result.picture().info.items() if isinstance(value, str)}
    assert result.only.metadata == "kept: rights in EXIF, texts"


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "gif"])
def test_other_formats_get_what_they_can_hold(rendered: Rendered, name: str) -> None:
    result = rendered(sources.png(*TEXTS), metadata="keep", format=name)
    data = result.path().read_bytes()
    for text in ("Zoë", "© Zoë 株式会社", "Ünïcode"):
        assert text.encode() in data
    assert "Ünïcode" in packet_of(data)
    assert result.only.warnings == (f"{name} holds no texts; left out: parameters.",)
    assert result.only.metadata.endswith("; dropped: texts")


def test_a_block_in_hexadecimal_digits_is_one(rendered: Rendered) -> None:
    block = sources.tiff_block("<", [sources.entry(sources.COPYRIGHT, 2, "© Zoë".encode() + b"\0")])
    for kind, prefix in (("exif", b"Exif\0\0"), ("APP1", b"Exif\0\0"), ("exif", b"")):
        data = sources.png(
            (
                b"zTXt",
                sources.raw_profile(kind, prefix + block).replace(b"\0", b"\0\0", 1)[:0]
                + _packed(kind, prefix + block),
            )
        )
        made = rendered(data, metadata="copyright", format="jpeg").path().read_bytes()
        assert "© Zoë".encode() in made


def _packed(kind: str, block: bytes) -> bytes:
    keyword, _, text = sources.raw_profile(kind, block).partition(b"\0")
    return keyword + b"\0\0" + zlib.compress(text)


def test_a_chunk_with_a_wrong_checksum_is_passed_over() -> None:
    data = sources.png((b"tEXt", b"Author\0Jane"), (b"tEXt", b"Title\0Cat"))
    damaged = data.replace(b"Author\0Jane", b"Author\0Jone")
    assert png_texts.read(io.BytesIO(damaged)).texts == [("Title", "Cat")]


def test_texts_unfold_to_so_much_and_no_more() -> None:
    bomb = b"bomb\0\0" + zlib.compress(bytes(8 * 1024 * 1024))
    found = png_texts.read(io.BytesIO(sources.png((b"zTXt", bomb), (b"tEXt", b"Author\0Jane"))))
    assert found.too_large
    assert found.texts == [("Author", "Jane")]
    many = [(b"zTXt", b"a%d\0\0" % index + zlib.compress(bytes(1024 * 1024))) for index in range(9)]
    found = png_texts.read(io.BytesIO(sources.png(*many)))
    assert sum(len(text) for _, text in found.texts) <= png_texts.MOST_TEXT_BYTES


@pytest.mark.parametrize("keep", range(0, 400, 7))
def test_a_file_that_ends_early_gives_what_it_has(keep: int) -> None:
    data = sources.png(*TEXTS, (b"pHYs", struct.pack(">IIB", 11811, 11811, 1)))[:keep]
    assert len(png_texts.read(io.BytesIO(data)).texts) <= len(TEXTS)


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("\nexif\n       4\n4949\n2a00\n", b"II*\0"),
        ("exif 4 49492A00", b"II*\0"),
        ("\nexif\n4\n49492a0\n", b""),
        ("\nexif\n4\nno digits\n", b""),
        ("", b""),
        ("a 1" + " " * 1_000_000 + "x", b""),
    ],
)
def test_a_block_in_a_text_is_whole_or_nothing(text: str, block: bytes) -> None:
    assert unwrapped(text) == block
