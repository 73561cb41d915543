"""What a file says about where its picture comes from: the digital source type, which labels generated pictures, and
whether it has Content Credentials (C2PA).

Both are found without decoding and, in ordinary files, without reading anything that Pillow has not read already.
Nothing is verified: this tells what the file claims.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from quickthumb.imaging.formats.boxes import boxes
from quickthumb.imaging.formats.gif_xmp import XMP_NAME
from quickthumb.imaging.formats.png import RAW_PROFILE
from quickthumb.imaging.formats.png_orientation import unwrapped
from quickthumb.imaging.formats.webp import CHUNKS_START, MOST_CHUNKS
from quickthumb.imaging.formats.window import Seeking, Window
from quickthumb.imaging.metadata import gif_blocks
from quickthumb.imaging.source import Source
from quickthumb.model.errors import BrokenImage

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_PROPERTY = b"DigitalSourceType"
# As an attribute, as an element with a text, or as an element with the attribute rdf:resource.
_VALUE = re.compile(
    rb"[^<]{0,400}?(https?://cv\.iptc\.org/newscodes/digitalsourcetype/[A-Za-z]{1,64})"
    rb"|(?:\s{0,9}=\s{0,9}[\"']|[^<>]{0,400}>)\s{0,99}([A-Za-z]{1,64})\s{0,99}[\"'<]"
)
_MENTIONED = re.compile(rb"(..)https?://cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{1,64})", re.DOTALL)
# How often the property, or the vocabulary in a manifest, is looked for.
_MOST_MENTIONS = 64
# In CBOR, this byte and a length of one byte stand before a text.
_CBOR_TEXT = 0x78
# The types that label generated pictures; of several in one manifest, the first of these counts.
GENERATED = (
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicMedia",
    "compositeSynthetic",
    "algorithmicallyEnhanced",
)
_BOX_KIND = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_TIFF_TAG = 0xCD41
_MOST_MANIFEST_BYTES = 4 * 1024 * 1024
_MOST_TOP_BOXES = 256
# The first box and the description in it, with its label, lie within so many bytes of a segment.
_HEAD_BYTES = 128


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
    """The provenance, and the digital source type as results keep it in XMP (empty: they do not)."""

    provenance: Provenance | None = None
    label: str = ""


def find_origin(source: Source) -> Origin:
    """Looks for the label and for Content Credentials."""
    extensions = _gif_extensions(source) if source.format.name == "gif" else {}
    packets = [*_packets(source), extensions.get(XMP_NAME, b"")]
    manifest = extensions.get(gif_blocks.C2PA_NAME, _manifest(source))
    label = next(filter(None, map(_label_of, packets)), "")
    term = label.rpartition("/")[2] or _mentioned(manifest or b"")
    if term in GENERATED:
        label = label or VOCABULARY + term
    c2pa: Literal["present", "remote"] | None = "present" if manifest is not None else None
    if c2pa is None and any(_links_to_manifest(packet) for packet in packets):
        c2pa = "remote"
    if not term and c2pa is None:
        return Origin()
    return Origin(Provenance(term or None, c2pa), label)


def _label_of(packet: bytes) -> str:
    """The value of the property in a packet; empty if there is none."""
    place = -1
    for _ in range(_MOST_MENTIONS):
        place = packet.find(_PROPERTY, place + 1)
        if place < 0:
            break
        if match := _VALUE.match(packet, place + len(_PROPERTY)):
            return (match[1] or match[2]).decode()
    return ""


def _links_to_manifest(packet: bytes) -> bool:
    return b":provenance" in packet and b"http://purl.org/dc/terms/" in packet


def _mentioned(manifest: bytes) -> str:
    """The source type of a manifest: one that labels generated pictures, or else the last one; empty without any."""
    terms = [_term(match) for match in islice(_MENTIONED.finditer(manifest), _MOST_MENTIONS)]
    return next((term for term in GENERATED if term in terms), terms[-1] if terms else "")


def _term(match: re.Match[bytes]) -> str:
    """A term of the vocabulary in CBOR or JSON. In CBOR, letters that follow may belong to what comes next."""
    before, term = match[1], match[2]
    length = len(match[0]) - len(before)
    excess = max(0, length - before[1]) if before[0] == _CBOR_TEXT else 0
    return term[: len(term) - excess].decode()


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
        return _in_segments(getattr(image, "applist", []))
    if source.format.name == "png":
        chunks = [chunk[1] for chunk in getattr(image, "private_chunks", ()) if chunk[0] == b"caBX"]
        return b"".join(chunks) if chunks else None
    if source.format.name == "tiff":
        return b"" if _TIFF_TAG in getattr(image, "tag_v2", {}) else None
    return _in_file(source.path, source.format.name)


def _in_segments(segments: list[tuple[str, bytes]]) -> bytes | None:
    """The boxes in the segments APP11 of a JPEG (ISO 19566-5, annex D): behind a name, an instance and the number of
    the part, of which each after the first repeats the head of the box."""
    parts = [content for name, content in segments if name == "APP11" and content[:2] == b"JP"]
    if not any(b"c2pa" in part[:_HEAD_BYTES] for part in parts):
        return None
    return b"".join(part[8:] if part[4:8] == b"\0\0\0\1" else part[16:] for part in parts)


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
