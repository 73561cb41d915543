"""XMP: untrusted XML, read within bounds and written so that it means the same."""

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from quickthumb.imaging.metadata import xmp, xmp_properties
from quickthumb.imaging.metadata.xmp import NAMESPACES, BadPacket, Node
from tests.imaging.metadata import sources
from tests.imaging.metadata.conftest import Rendered
from tests.imaging.metadata.sources import SAID_OF_RIGHTS

DAMAGED = "The XMP data is damaged and was left out."


def packet_of(data: bytes) -> str:
    """The XMP of a result, by its bytes; empty if there is none."""
    start, end = data.find(b"<x:xmpmeta"), data.rfind(b"</x:xmpmeta>")
    return data[start : end + 12].decode() if start >= 0 else ""


def files(packet: bytes) -> dict[str, bytes]:
    """A file of every format with that packet."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "TIFF", tiffinfo={700: packet})
    return {
        "jpeg": sources.jpeg(sources.xmp_segment(packet)),
        "png": sources.png((b"iTXt", sources.international("XML:com.adobe.xmp", packet))),
        "packed png": sources.png((b"iTXt", sources.international("XML:com.adobe.xmp", packet, packed=True))),
        "late png": sources.png((b"iTXt", sources.international("XML:com.adobe.xmp", packet)), late=True),
        "png of ImageMagick": sources.png((b"tEXt", sources.raw_profile("xmp", packet))),
        "png of libvips": sources.png(
            (b"tEXt", sources.raw_profile("APP1", b"http://ns.adobe.com/xap/1.0/\0" + packet))
        ),
        "webp": sources.webp(xmp=packet),
        "avif": sources.avif(xmp=packet),
        "gif": sources.gif(sources.gif_xmp(packet)),
        "late gif": sources.gif(sources.gif_xmp(packet), late=True),
        "tiff": file.getvalue(),
    }


@pytest.mark.parametrize("source", files(b""))
@pytest.mark.parametrize("metadata", ["copyright", "keep"])
def test_rights_of_every_source_are_kept(rendered: Rendered, source: str, metadata: str) -> None:
    data = files(sources.rights_xmp("<xmp:Label>SECRET</xmp:Label>"))[source]
    for name in ("jpeg", "png", "webp", "avif", "gif"):
        result = rendered(data, metadata=metadata, format=name)
        packet = packet_of(result.path().read_bytes())
        assert not [said for said in SAID_OF_RIGHTS if said not in packet]
        assert ("SECRET" in packet) == (metadata == "keep")
        assert result.only.metadata.startswith("kept: rights in XMP" if metadata == "copyright" else "kept: XMP")
        assert xmp.parse(packet.encode()).name == "x:xmpmeta"


def test_what_is_not_true_any_more_is_left_out(rendered: Rendered) -> None:
    packet = sources.xmp(
        "<tiff:Orientation>6</tiff:Orientation><exif:PixelXDimension>4000</exif:PixelXDimension>"
        "<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType='Resource'><xmpGImg:image xmlns:xmpGImg='urn:g'>AAAA"
        "</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>"
        '<hdrgm:Version xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/">1.0</hdrgm:Version>'
        '<my:Container xmlns:my="http://ns.google.com/photos/1.0/container/"><x/></my:Container>'
        "<xmp:Rating>5</xmp:Rating>",
        'tiff:ImageWidth="4000" exif:PixelYDimension="3000" dcterms:provenance="https://example.org/manifest" '
        'xmp:CreatorTool="Editor"',
    )
    made = packet_of(rendered(sources.jpeg(sources.xmp_segment(packet)), metadata="keep").path().read_bytes())
    assert "<xmp:Rating>5</xmp:Rating>" in made
    assert 'xmp:CreatorTool="Editor"' in made
    gone = ("Orientation", "4000", "3000", "Thumbnails", "AAAA", "hdrgm:Version", "my:Container", "manifest")
    assert not [word for word in gone if word in made]


def test_names_mean_what_their_prefixes_were_declared_to_mean() -> None:
    packet = (
        b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description>'
        b'<d:rights xmlns:d="http://purl.org/dc/elements/1.1/">Mine</d:rights>'
        b'<dc:rights xmlns:dc="urn:something-else">Other</dc:rights></r:Description></r:RDF>'
    )
    made = xmp_properties.new_packet()
    assert (
        xmp_properties.copy_properties(xmp.parse(packet), made, lambda name: name == (NAMESPACES["dc"], "rights")) == 1
    )
    assert (NAMESPACES["dc"], "rights") in xmp_properties.names(xmp.parse(xmp.write(made)))
    assert b"Other" not in xmp.write(made)


def test_a_default_namespace_stays_with_a_property() -> None:
    packet = (
        b'<RDF xmlns="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><Description>'
        b'<rights xmlns="http://purl.org/dc/elements/1.1/" lang="de"><a xmlns="urn:a"/></rights>'
        b"<unknown:prefix/></Description></RDF>"
    )
    made = xmp_properties.new_packet()
    assert xmp_properties.copy_properties(xmp.parse(packet), made, lambda _: True) == 1
    again = xmp.parse(xmp.write(made))
    assert (NAMESPACES["dc"], "rights") in xmp_properties.names(again)
    assert ("urn:a", "a") in [each.full(each.name) for each in again.walk()]


def test_what_only_rdf_says_is_no_property() -> None:
    packet = xmp.parse(b'<rdf:RDF><rdf:Description rdf:about="a" xml:lang="de" rdf:ID="x"/></rdf:RDF>')
    assert xmp_properties.copy_properties(packet, xmp_properties.new_packet(), lambda _: True) == 0


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b"<a>" * 40 + b"</a>" * 40,
        b"<x>" + b"<a/>" * 10_001 + b"</x>",
        b"<x>" + b" " * (2 * 1024 * 1024) + b"</x>",
        b"<x><y></x>",
        b"",
        b"\0\0\0",
        b"no XML",
    ],
    ids=["entities", "external", "deep", "many", "large", "unclosed", "empty", "zeros", "text"],
)
def test_what_cannot_be_read_is_refused(packet: bytes) -> None:
    with pytest.raises(BadPacket):
        xmp.parse(packet)


def test_a_damaged_packet_is_left_out_with_a_warning(rendered: Rendered) -> None:
    for metadata in ("copyright", "keep"):
        result = rendered(sources.jpeg(sources.xmp_segment(b"<x:xmpmeta><rdf:RDF>")), metadata=metadata)
        assert result.only.warnings == (DAMAGED,)
        assert result.only.metadata == "dropped: XMP"


def test_junk_behind_the_packet_and_latin_1_in_it_are_read() -> None:
    assert xmp.parse(b"<x>a</x>\n\0\0junk").text() == "a"
    assert xmp.parse("<x>Zoë</x>".encode("latin-1")).text() == "Zoë"
    assert xmp.parse("<x>Zoë</x>".encode("utf-16")).text() == "Zoë"


def extended(packet: bytes) -> list[tuple[int, bytes]]:
    """Segments of an extended packet, the last one first."""
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">I", len(packet))
    parts = [(at, packet[at : at + 60_000]) for at in range(0, len(packet), 60_000)]
    return [(0xE1, head + struct.pack(">I", at) + part) for at, part in reversed(parts)]


def test_a_packet_that_is_too_large_for_a_segment_is_continued(rendered: Rendered) -> None:
    large = sources.rights_xmp(f"<xmp:History>{'long ' * 30_000}</xmp:History>")
    source = sources.png((b"iTXt", sources.international("XML:com.adobe.xmp", large)))
    result = rendered(source, metadata="keep", format="jpeg", width=100, enlarge=True)  # so it may have more bytes
    data = result.path().read_bytes()
    assert result.only.metadata == "kept: XMP"
    packet = packet_of(data[: data.find(b"http://ns.adobe.com/xmp/extension/")])
    assert "Zoë Müller" in packet
    assert "xmpNote:HasExtendedXMP" in packet
    again = rendered(data, metadata="keep", format="webp")
    assert packet_of(again.path().read_bytes()).count("long ") == 30_000


def test_rights_in_an_extended_packet_are_kept(rendered: Rendered) -> None:
    segments = [sources.xmp_segment(sources.xmp()), *extended(sources.rights_xmp(f"<xmp:A>{'x' * 70_000}</xmp:A>"))]
    packet = packet_of(rendered(sources.jpeg(*segments), metadata="copyright").path().read_bytes())
    assert "Zoë Müller" in packet
    assert "xxxx" not in packet


def test_one_property_too_large_for_any_segment_leaves_the_others(rendered: Rendered) -> None:
    attributes = f'xmp:Label="{"x" * 70_000}"'
    source = sources.png((b"iTXt", sources.international("XML:com.adobe.xmp", sources.xmp(sources.RIGHTS, attributes))))
    result = rendered(source, metadata="keep", format="jpeg")
    assert result.only.warnings == ("The XMP data is too large for jpeg; only the rights in it were kept.",)
    assert result.only.metadata == "kept: XMP; dropped: other XMP"
    assert "Zoë Müller" in packet_of(result.path().read_bytes())


def test_one_property_too_large_for_any_segment_is_left_out(rendered: Rendered) -> None:
    packet = sources.xmp("", f'xmp:Label="{"x" * 70_000}"')
    source = sources.png((b"iTXt", sources.international("XML:com.adobe.xmp", packet)))
    result = rendered(source, metadata="keep", format="jpeg")
    assert result.only.warnings == ("The XMP data is too large for jpeg and was left out.",)
    assert result.only.metadata == "dropped: XMP"
    assert b"<x:xmpmeta" not in result.path().read_bytes()


@pytest.mark.parametrize("encoding", ["shift_jis", "utf-7", "rot13", "hex", "undefined", "iso-8859-1", "none such"])
def test_a_packet_is_read_whatever_encoding_it_declares(rendered: Rendered, encoding: str) -> None:
    packet = f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + xmp.write_bare(xmp.parse(sources.rights_xmp()))
    result = rendered(sources.jpeg(sources.xmp_segment(packet)), metadata="copyright")
    if encoding == "none such":  # which is not XML
        assert result.only.warnings == ("The XMP data is damaged and was left out.",)
    else:
        assert result.only.warnings == ()
        assert "Zoë Müller" in packet_of(result.path().read_bytes())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_packets_of_wide_characters_are_read(encoding: str) -> None:
    assert xmp.parse(sources.rights_xmp().decode().encode(encoding)).text().startswith("Zoë Müller")


_NAMES = some.sampled_from(["dc:rights", "rdf:RDF", "rdf:Description", "x:xmpmeta", "tiff:Orientation", "a"])


def _node(name: str, children: list[Node | str]) -> Node:
    node = Node(name, {"b": 'q"<&\n'})
    node.children = children
    return node


def _larger(inner: some.SearchStrategy[Node | str]) -> some.SearchStrategy[Node | str]:
    return some.builds(_node, _NAMES, some.lists(inner, max_size=3))


@settings(deadline=None)
@given(some.recursive(some.text(max_size=8), _larger, max_leaves=20))
def test_what_is_written_reads_the_same(tree: Node | str) -> None:
    written = xmp.write(_node("x", [tree]))
    assert xmp.write(xmp.parse(written)) == written
