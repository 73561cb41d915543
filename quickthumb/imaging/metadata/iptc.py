"""IPTC-IIM (version 4.2), in the resource 0x0404 of Photoshop's image resources: datasets of a record, number and text.

Photo agencies wrote it before XMP, and still do beside it. The mapping to XMP is that of the IPTC Photo Metadata
Standard, section "Mapped properties".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quickthumb.imaging.metadata.exif import readable

PHOTOSHOP = b"Photoshop 3.0\0"
_RESOURCE = 0x0404
_SIGNATURES = (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR")
_MARKER = 0x1C
MOST_RESOURCES, MOST_DATASETS = 4096, 2048
_CHARSET = (1, 90)
_UTF8 = b"\x1b%G"
BYLINE, CREDIT, NOTICE = (2, 80), (2, 110), (2, 116)
RIGHTS = frozenset({_CHARSET, (2, 0), BYLINE, CREDIT, NOTICE})
# The records that describe the picture. Others describe how its pixels are stored, or hold previews, as do 2:200 to
# 2:202.
_DESCRIBING = (1, 2)
_PREVIEWS = frozenset({(2, 200), (2, 201), (2, 202)})
# Properties of XMP, and the form of their values.
TO_XMP = {
    (2, 5): ("dc:title", "Alt"),
    (2, 25): ("dc:subject", "Bag"),
    (2, 40): ("photoshop:Instructions", ""),
    BYLINE: ("dc:creator", "Seq"),
    (2, 85): ("photoshop:AuthorsPosition", ""),
    (2, 90): ("photoshop:City", ""),
    (2, 92): ("Iptc4xmpCore:Location", ""),
    (2, 95): ("photoshop:State", ""),
    (2, 100): ("Iptc4xmpCore:CountryCode", ""),
    (2, 101): ("photoshop:Country", ""),
    (2, 103): ("photoshop:TransmissionReference", ""),
    (2, 105): ("photoshop:Headline", ""),
    CREDIT: ("photoshop:Credit", ""),
    (2, 115): ("photoshop:Source", ""),
    NOTICE: ("dc:rights", "Alt"),
    (2, 120): ("dc:description", "Alt"),
    (2, 122): ("photoshop:CaptionWriter", ""),
}
# Says nothing about the picture, so nothing is lost without it.
_SILENT = frozenset({(2, 0), *((1, number) for number in range(256))})


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset: its record and number, and its bytes."""

    key: tuple[int, int]
    value: bytes


def in_resources(resources: bytes) -> bytes:
    """The datasets within Photoshop's image resources; empty if there are none."""
    found, offset = [], 0
    for _ in range(MOST_RESOURCES):
        if resources[offset : offset + 4] not in _SIGNATURES or offset + 12 > len(resources):
            break
        number = int.from_bytes(resources[offset + 4 : offset + 6], "big")
        offset += 6 + _even(1 + resources[offset + 6])
        size = int.from_bytes(resources[offset : offset + 4], "big")
        if number == _RESOURCE:
            found.append(resources[offset + 4 : offset + 4 + size])
        offset += 4 + _even(size)
    return b"".join(found)


def read(data: bytes) -> list[Dataset]:
    """The datasets that describe the picture, up to the first that is damaged."""
    return [each for each in _read(data) if each.key[0] in _DESCRIBING and each.key not in _PREVIEWS]


def _read(data: bytes) -> Iterator[Dataset]:
    offset = 0
    for _ in range(MOST_DATASETS):
        if offset + 5 > len(data) or data[offset] != _MARKER:
            return
        key = data[offset + 1], data[offset + 2]
        size = int.from_bytes(data[offset + 3 : offset + 5], "big")
        offset += 5
        if size & 0x8000:  # the size itself has that many bytes
            width = size & 0x7FFF
            size, offset = int.from_bytes(data[offset : offset + width][:4], "big"), offset + width
        if offset + size > len(data):
            return
        yield Dataset(key, data[offset : offset + size])
        offset += size


def select_rights(datasets: Iterable[Dataset]) -> list[Dataset]:
    """By-line, credit and copyright notice, and what says how they are encoded; empty if there are none of them."""
    chosen = [each for each in datasets if each.key in RIGHTS]
    return chosen if any(each.key not in _SILENT for each in chosen) else []


def write(datasets: Iterable[Dataset]) -> bytes:
    """The datasets as bytes; those of more than 32,767 bytes are left out."""
    parts = (
        bytes((_MARKER, *each.key)) + len(each.value).to_bytes(2, "big") + each.value
        for each in datasets
        if len(each.value) < 0x8000
    )
    return b"".join(parts)


def wrap(datasets: list[Dataset]) -> bytes:
    """Photoshop's image resources with these datasets, as a segment APP13 of a JPEG holds them; empty without any."""
    if not datasets:
        return b""
    data = write(datasets)
    resource = b"8BIM" + _RESOURCE.to_bytes(2, "big") + b"\0\0" + len(data).to_bytes(4, "big")
    return PHOTOSHOP + resource + data + b"\0" * (len(data) % 2)


def texts(datasets: Iterable[Dataset]) -> dict[tuple[int, int], list[str]]:
    """The texts of the datasets that XMP has a property for."""
    datasets = list(datasets)
    found: dict[tuple[int, int], list[str]] = {}
    for each in datasets:
        if each.key in TO_XMP and (text := readable(each.value).strip(" \0")):
            found.setdefault(each.key, []).append(text)
    return found


def untranslatable(datasets: Iterable[Dataset]) -> list[str]:
    """The datasets that XMP has no property for, in the usual notation, such as 2:15."""
    lost = {each.key for each in datasets if each.key not in TO_XMP and each.key not in _SILENT}
    return [f"{record}:{number}" for record, number in sorted(lost)]


def _even(size: int) -> int:
    return size + size % 2
