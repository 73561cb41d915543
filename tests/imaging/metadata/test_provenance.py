"""Where a picture comes from: the label of generated pictures is kept, Content Credentials are told of and go."""

import time
from collections.abc import Callable

import pytest

from quickthumb.imaging.metadata import Provenance, provenance
from quickthumb.imaging.metadata.keeping import C2PA_DROPPED
from tests.imaging.metadata import sources
from tests.imaging.metadata.conftest import Rendered
from tests.imaging.metadata.sources import GENERATED, LABEL_ATTRIBUTE, LABEL_ELEMENT, LABEL_RESOURCE, MANIFEST
from tests.imaging.metadata.test_xmp import files, packet_of

FORMATS = ["jpeg", "png", "webp", "avif", "gif"]
LABELS = {
    "attribute": sources.xmp(attributes=LABEL_ATTRIBUTE),
    "element": sources.xmp(LABEL_ELEMENT),
    "resource": sources.xmp(LABEL_RESOURCE),
    "single quotes": sources.xmp(attributes=LABEL_ATTRIBUTE.replace('"', "'")),
    "with secrets": sources.xmp(LABEL_ELEMENT + "<xmp:Label>SECRET</xmp:Label>"),
}
UNKNOWN = sources.xmp(attributes='Iptc4xmpExt:DigitalSourceType="&quot;&gt;SECRET"')


@pytest.mark.parametrize("form", LABELS)
@pytest.mark.parametrize("name", FORMATS)
def test_the_label_is_kept_by_default(rendered: Rendered, form: str, name: str) -> None:
    result = rendered(sources.jpeg(sources.xmp_segment(LABELS[form])), format=name)
    packet = packet_of(result.path().read_bytes())
    assert GENERATED in packet
    assert "SECRET" not in packet
    assert len(packet) < 500
    assert result.only.metadata == "stripped, except the AI label"
    assert result.rendering.facts.provenance == Provenance("trainedAlgorithmicMedia")


@pytest.mark.parametrize("source", sorted(files(b"").keys() - {"late gif"}))
def test_the_label_of_every_source_is_found(rendered: Rendered, source: str) -> None:
    result = rendered(files(LABELS["element"])[source], format="webp")
    assert GENERATED in packet_of(result.path().read_bytes())
    assert result.rendering.facts.provenance == Provenance("trainedAlgorithmicMedia")


@pytest.mark.parametrize("metadata", ["copyright", "keep"])
def test_the_label_stays_beside_other_metadata(rendered: Rendered, metadata: str) -> None:
    data = sources.jpeg(sources.xmp_segment(sources.rights_xmp(LABEL_ELEMENT)))
    result = rendered(data, metadata=metadata)
    packet = packet_of(result.path().read_bytes())
    assert packet.count(GENERATED) == 1
    assert "Zoë Müller" in packet
    said = {"copyright": "kept: rights in XMP and the AI label", "keep": "kept: XMP"}
    assert result.only.metadata == said[metadata]


def test_the_label_alone_is_no_right(rendered: Rendered) -> None:
    result = rendered(sources.jpeg(sources.xmp_segment(LABELS["with secrets"])), metadata="copyright")
    assert result.only.metadata == "kept: the AI label"


def test_a_result_that_is_read_again_still_has_the_label(rendered: Rendered) -> None:
    data = sources.jpeg(sources.xmp_segment(LABELS["element"]))
    for name in [*FORMATS, "png"]:
        data = rendered(data, format=name).path().read_bytes()
        assert GENERATED in packet_of(data)


def test_what_is_no_label_is_not_copied(rendered: Rendered) -> None:
    result = rendered(sources.jpeg(sources.xmp_segment(UNKNOWN)))
    assert b"SECRET" not in result.path().read_bytes()
    assert result.only.metadata == "stripped"
    assert result.rendering.facts.provenance is None


def with_manifest(manifest: bytes) -> dict[str, bytes]:
    return {
        "jpeg": sources.jpeg(*sources.c2pa_segments(manifest)),
        "png": sources.png((b"caBX", manifest)),
        "late png": sources.png((b"caBX", manifest), late=True),
        "webp": sources.webp((b"C2PA", manifest)),
        "avif": sources.avif(manifest=b"\0\0\0\0manifest\0\0\0\0\0\0\0\0\0" + manifest),
        "gif": sources.gif(sources.gif_c2pa()),
    }


@pytest.mark.parametrize("source", with_manifest(b""))
@pytest.mark.parametrize("metadata", ["strip", "copyright", "keep"])
def test_content_credentials_are_told_of_and_go(rendered: Rendered, source: str, metadata: str) -> None:
    result = rendered(with_manifest(MANIFEST)[source], metadata=metadata)
    assert result.rendering.facts.provenance == Provenance(c2pa="present")
    assert result.only.warnings == (C2PA_DROPPED,)
    data = result.path().read_bytes()
    assert not [word for word in (b"jumb", b"jumd", b"C2PA", b"caBX", b"c2pa") if word in data]


def cbor(*terms: str) -> bytes:
    """A manifest with actions, each with a source type and something behind it that begins with a letter."""
    urls = [f"http://cv.iptc.org/newscodes/digitalsourcetype/{term}".encode() for term in terms]
    values = (b"\x71digitalSourceType\x78" + bytes((len(url),)) + url + b"\x72allActionsIncluded\xf5" for url in urls)
    return MANIFEST + b"".join(values)


def json(*terms: str) -> bytes:
    urls = (f'"digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/{term}", ' for term in terms)
    return MANIFEST + "".join(urls).encode()


@pytest.mark.parametrize("write", [cbor, json])
@pytest.mark.parametrize("source", ["jpeg", "png", "webp", "avif"])
def test_the_source_type_in_content_credentials_is_kept_as_a_label(
    rendered: Rendered, write: Callable[..., bytes], source: str
) -> None:
    result = rendered(with_manifest(write("digitalCapture", "trainedAlgorithmicMedia", "humanEdits"))[source])
    assert result.rendering.facts.provenance == Provenance("trainedAlgorithmicMedia", "present")
    assert GENERATED in packet_of(result.path().read_bytes())
    assert result.only.metadata == "stripped, except the AI label; dropped: Content Credentials"


def test_a_photo_with_content_credentials_gets_no_label(rendered: Rendered) -> None:
    result = rendered(sources.jpeg(*sources.c2pa_segments(cbor("digitalCapture"))))
    assert result.rendering.facts.provenance == Provenance("digitalCapture", "present")
    assert packet_of(result.path().read_bytes()) == ""
    assert result.only.metadata == "stripped; dropped: Content Credentials"


def test_a_label_of_another_kind_is_called_by_its_name(rendered: Rendered) -> None:
    packet = sources.xmp(attributes=LABEL_ATTRIBUTE.replace("trainedAlgorithmicMedia", "digitalCapture"))
    result = rendered(sources.jpeg(sources.xmp_segment(packet)))
    assert "digitalsourcetype/digitalCapture" in packet_of(result.path().read_bytes())
    assert result.only.metadata == "stripped, except the digital source type"


def test_a_packet_that_names_the_property_a_million_times_takes_no_time() -> None:
    packet = sources.xmp("DigitalSourceType " * 100_000)
    started = time.process_time()
    assert provenance._label_of(packet) == ""
    assert time.process_time() - started < 5


def test_a_link_to_content_credentials_is_told_of(rendered: Rendered) -> None:
    packet = sources.xmp(attributes='dcterms:provenance="https://example.org/manifest"')
    result = rendered(sources.jpeg(sources.xmp_segment(packet)), metadata="keep")
    assert result.rendering.facts.provenance == Provenance(c2pa="remote")
    assert b"example.org" not in result.path().read_bytes()
    assert result.only.warnings == (C2PA_DROPPED,)


@pytest.mark.parametrize(
    "data",
    [
        sources.jpeg((0xEB, b"JP\0\1\0\0\0\1\0\0\0\x08free")),
        sources.png((b"caBY", MANIFEST)),
        sources.webp((b"C2PB", MANIFEST)),
        sources.avif(),
        sources.gif(),
        sources.jpeg(sources.xmp_segment(sources.xmp())),
    ],
    ids=["jpeg", "png", "webp", "avif", "gif", "xmp"],
)
def test_ordinary_files_say_nothing(rendered: Rendered, data: bytes) -> None:
    result = rendered(data)
    assert result.rendering.facts.provenance is None
    assert result.only.warnings == ()
    assert result.only.metadata == "stripped"


@pytest.mark.parametrize("cut", [4, 30, 200])
def test_a_container_that_lies_about_its_parts_is_made_all_the_same(rendered: Rendered, cut: int) -> None:
    data = sources.webp((b"ABCD", bytes(300)))
    lying = data[:-cut] + b"\xff\xff\xff\xff" + data[len(data) - cut + 4 :]
    assert rendered(lying).only.width == 64
