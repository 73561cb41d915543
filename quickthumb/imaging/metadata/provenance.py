"""What a file says about where its picture comes from: the digital source type, which labels generated pictures, and
whether it has Content Credentials (C2PA).

Both are found without decoding and, in ordinary files, without reading anything that Pillow has not read already.
Nothing is verified: this tells what the file claims.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from quickthumb.imaging.formats.boxes import boxes
from quickthumb.imaging.formats.png import RAW_PROFILE, unwrapped
from quickthumb.imaging.formats.row import Seeking, Window
from quickthumb.imaging.formats.webp import CHUNKS_START, MOST_CHUNKS
from quickthumb.imaging.metadata import gif_blocks
from quickthumb.imaging.source import Source
from quickthumb.model.errors import BrokenImage

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# As an attribute, as an element with a text, or as an element with the attribute rdf:resource.
_LABEL = re.compile(
    rb"DigitalSourceType[^<]{0,400}?(https?://cv\.iptc\.org/newscodes/digitalsourcetype/[A-Za-z]{1,64})"
    rb"|DigitalSourceType(?:\s{0,9}=\s{0,9}[\"']|[^<>]{0,400}>)\s{0,99}([A-Za-z]{1,64})\s{0,99}[\"'<]"
)
_MENTIONED = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{1,64})")
# The types that label generated pictures; of several in one manifest, the first of these counts.
_GENERATED = (
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicMedia",
    "compositeSynthetic",
)
_BOX_KIND = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_TIFF_TAG = 0xCD41
_MOST_MANIFEST_BYTES = 4 * 1024 * 1024
_MOST_TOP_BOXES = 256


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a source says about its picture's origin.

    `digital_source_type` is a term of the IPTC's vocabulary, such as `trainedAlgorithmicMedia`; `c2pa` says that there
    are Content Credentials, in the file (`present`) or elsewhere by a link (`remote`).
    """

    digital_source_type: str | None = None
    c2pa: Literal["present", "remote"] | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The provenance, and the label as it stands in XMP (empty: there is none)."""

    provenance: Provenance | None = None
    label: str = field(default="")


def find_origin(source: Source) -> Origin:
    """Looks for the label and for Content Credentials."""
    extensions = _gif_extensions(source) if source.format.name == "gif" else {}
    packets = [*_packets(source), extensions.get(gif_blocks.XMP_NAME, b"")]
    manifest = extensions.get(gif_blocks.C2PA_NAME, _manifest(source))
    label = next((_label_of(packet) for packet in packets if b"DigitalSourceType" in packet), "")
    if not label and manifest and (term := _mentioned(manifest)):
        label = VOCABULARY + term
    c2pa: Literal["present", "remote"] | None = "present" if manifest is not None else None
    if c2pa is None and any(_links_to_manifest(packet) for packet in packets):
        c2pa = "remote"
    if not label and c2pa is None:
        return Origin()
    return Origin(Provenance(label.rpartition("/")[2] or None, c2pa), label)


def _label_of(packet: bytes) -> str:
    match = _LABEL.search(packet)
    return (match[1] or match[2]).decode() if match else ""


def _links_to_manifest(packet: bytes) -> bool:
    return b":provenance" in packet and b"http://purl.org/dc/terms/" in packet


def _mentioned(manifest: bytes) -> str:
    """The source type of a manifest: one that labels generated pictures, or else the last one."""
    terms = [match[1].decode() for match in islice(_MENTIONED.finditer(manifest), 1000)]
    return next((term for term in _GENERATED if term in terms), terms[-1] if terms else "")


def _packets(source: Source) -> Iterator[bytes]:
    """The XMP packets of a file, wherever they are."""
    info = source.image.info
    packet = info.get("xmp")
    if isinstance(packet, bytes) and source.format.name != "jpeg":
        yield packet
    for kind in ("xmp", "APP1"):
        if isinstance(raw := info.get(RAW_PROFILE + kind), str):
            yield unwrapped(raw)
    for name, content in getattr(source.image, "applist", ()):
        if name == "APP1" and content.startswith(b"http://ns.adobe.com/x"):
            yield content


def _manifest(source: Source) -> bytes | None:
    """Content Credentials as far as they are read, to look for the source type in them; None if there are none."""
    image = source.image
    if source.format.name == "jpeg":
        boxes_of_metadata = [content for name, content in image.applist if name == "APP11" and content[:2] == b"JP"]  # type: ignore[attr-defined]
        joined = b"".join(boxes_of_metadata)
        return joined if b"c2pa" in joined[:256] else None
    if source.format.name == "png":
        chunks = [chunk[1] for chunk in getattr(image, "private_chunks", ()) if chunk[0] == b"caBX"]
        return b"".join(chunks) if chunks else None
    if source.format.name == "tiff":
        return b"" if _TIFF_TAG in getattr(image, "tag_v2", {}) else None
    return _in_file(source.path, source.format.name)


def _gif_extensions(source: Source) -> dict[bytes, bytes]:
    """The content of each application's extension before the first frame, by the application's name."""
    with source.path.open("rb") as file:
        found = gif_blocks.read(Seeking(file), stops_at_frame=True)
        return {name[:8] if name.startswith(gif_blocks.C2PA_NAME) else name: content for _, name, content in found}


def _in_file(path: Path, format_name: str) -> bytes | None:
    look = {"webp": _in_webp, "avif": _in_boxes, "heif": _in_boxes}.get(format_name)
    if look is None:
        return None
    with path.open("rb") as file:
        try:
            return look(Seeking(file))
        except BrokenImage:  # decoding tells whether the file is complete
            return None


def _in_webp(window: Window) -> bytes | None:
    if window.at(CHUNKS_START, 4) != b"VP8X":
        return None
    offset = CHUNKS_START
    for _ in range(MOST_CHUNKS):
        if window.ends_before(offset + 7):
            return None
        head = window.at(offset, 8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"C2PA":
            return window.at(offset + 8, min(length, _MOST_MANIFEST_BYTES))
        offset += 8 + length + length % 2
    return None


def _in_boxes(window: Window) -> bytes | None:
    for box in islice(boxes(window, 0, None), _MOST_TOP_BOXES):
        if box.kind == b"uuid" and window.at(box.content, 16) == _BOX_KIND:
            return b"" if box.end is None else window.at(box.content, min(box.end - box.content, _MOST_MANIFEST_BYTES))
    return None
