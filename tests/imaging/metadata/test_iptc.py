"""IPTC-IIM: in a JPEG as it is, elsewhere as XMP."""

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from quickthumb.imaging.metadata import iptc
from tests.imaging.metadata import sources
from tests.imaging.metadata.conftest import Rendered
from tests.imaging.metadata.sources import RIGHTS_IPTC
from tests.imaging.metadata.test_xmp import packet_of


def files(data: bytes) -> dict[str, bytes]:
    """A file of every format that can hold these datasets."""
    made = {}
    swapped = data + b"\0" * (-len(data) % 4)
    swapped = struct.pack(f">{len(swapped) // 4}I", *struct.unpack(f"<{len(swapped) // 4}I", swapped))
    photoshop = sources.resources(data).removeprefix(b"Photoshop 3.0\0")
    for name, tags in (
        ("tiff", {33723: data}),
        ("swapped tiff", {33723: swapped}),
        ("Photoshop's tiff", {34377: photoshop}),
    ):
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "TIFF", tiffinfo=tags)
        made[name] = file.getvalue()
    whole = sources.resources(data)
    halves = [(0xED, whole[:60]), (0xED, b"Photoshop 3.0\0" + whole[60:])]
    return {
        **made,
        "jpeg": sources.jpeg((0xED, whole)),
        "jpeg in parts": sources.jpeg(*halves),
        "png of ImageMagick": sources.png((b"tEXt", sources.raw_profile("iptc", photoshop))),
        "late png": sources.png((b"tEXt", sources.raw_profile("8bim", photoshop)), late=True),
    }


@pytest.mark.parametrize("source", files(RIGHTS_IPTC))
@pytest.mark.parametrize("metadata", ["copyright", "keep"])
def test_rights_are_kept_in_every_format(rendered: Rendered, source: str, metadata: str) -> None:
    data = files(RIGHTS_IPTC)[source]
    made = rendered(data, metadata=metadata, format="jpeg")
    found = iptc.read(RIGHTS_IPTC)
    wanted = found if metadata == "keep" else [each for each in found if each.key != (2, 5)]
    assert iptc.write(wanted) in made.path().read_bytes()
    assert "IPTC" in made.only.metadata
    assert made.only.warnings == ()
    with Image.open(made.path()) as picture:
        from PIL import IptcImagePlugin

        told = IptcImagePlugin.getiptcinfo(picture)
        assert told is not None
        assert told[2, 116] == "© 2024 Zoë".encode()
    for name in ("png", "webp", "avif", "gif"):
        result = rendered(data, metadata=metadata, format=name, width=32)
        packet = packet_of(result.path().read_bytes())
        assert "Zoë Müller" in packet
        assert "© 2024 Zoë" in packet
        assert "photoshop:Credit" in packet
        assert ("Überschrift" in packet) == (metadata == "keep")
        assert result.only.warnings == ()


def test_xmp_counts_more_than_iptc(rendered: Rendered) -> None:
    packet = sources.xmp('<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">Newer</rdf:li></rdf:Alt></dc:rights>')
    data = sources.jpeg(sources.xmp_segment(packet), (0xED, sources.resources(RIGHTS_IPTC)))
    made = packet_of(rendered(data, metadata="copyright", format="webp").path().read_bytes())
    assert "Newer" in made
    assert "© 2024 Zoë" not in made
    assert "Zoë Müller" in made


def test_what_xmp_has_no_property_for_is_named(rendered: Rendered) -> None:
    data = sources.jpeg((0xED, sources.resources(sources.iptc((2, 15, b"ABC"), (2, 116, b"Mine")))))
    result = rendered(data, metadata="keep", format="webp")
    assert result.only.warnings == ("webp holds no IPTC; left out: 2:15.",)
    assert result.only.metadata == "kept: XMP; dropped: some IPTC"


def test_previews_and_descriptions_of_pixels_are_left_out(rendered: Rendered) -> None:
    datasets = ((2, 202, b"PREVIEW"), (3, 20, b"\1\0"), (2, 116, b"Mine"))
    data = sources.jpeg((0xED, sources.resources(sources.iptc(*datasets))))
    made = rendered(data, metadata="keep").path().read_bytes()
    assert b"PREVIEW" not in made
    assert sources.iptc((2, 116, b"Mine")) in made


@settings(deadline=None)
@given(some.binary(max_size=200), some.integers(0, 120))
def test_noise_never_fails(noise: bytes, place: int) -> None:
    for data in (noise, RIGHTS_IPTC[:place] + noise):
        iptc.texts(iptc.read(data))
        iptc.read(iptc.in_resources(data))
        iptc.read(iptc.in_resources(sources.resources(data)[14:][:place]))
