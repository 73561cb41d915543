"""Files with every kind of metadata, put together byte by byte."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

from tests.imaging.pictures import gradient

ARTIST, COPYRIGHT = 315, 33432
C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MANIFEST = b"\0\0\0\x40jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"
LABEL_ATTRIBUTE = f'Iptc4xmpExt:DigitalSourceType="{GENERATED}"'
LABEL_ELEMENT = f"<Iptc4xmpExt:DigitalSourceType>{GENERATED}</Iptc4xmpExt:DigitalSourceType>"
LABEL_RESOURCE = f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{GENERATED}"/>'
NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dcterms="http://purl.org/dc/terms/" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
)
RIGHTS = (
    "<dc:creator><rdf:Seq><rdf:li>Zoë Müller</rdf:li></rdf:Seq></dc:creator>"
    '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2024 Zoë &amp; Co</rdf:li></rdf:Alt></dc:rights>'
    "<plus:Licensor><rdf:Seq><rdf:li rdf:parseType='Resource'>"
    "<plus:LicensorURL>https://example.org/license</plus:LicensorURL></rdf:li></rdf:Seq></plus:Licensor>"
    '<xmpRights:UsageTerms><rdf:Alt><rdf:li xml:lang="x-default">Ask first</rdf:li></rdf:Alt></xmpRights:UsageTerms>'
)
RIGHTS_ATTRIBUTES = (
    'photoshop:Credit="Agency" xmpRights:Marked="True" xmpRights:WebStatement="https://example.org/rights"'
)
SAID_OF_RIGHTS = (
    "Zoë Müller",
    "© 2024 Zoë &amp; Co",
    "example.org/license",
    "Ask first",
    "Agency",
    "example.org/rights",
)


def xmp(content: str = "", attributes: str = "") -> bytes:
    """A packet as most programs write it."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {NAMESPACES} {attributes}>{content}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def rights_xmp(more: str = "") -> bytes:
    return xmp(RIGHTS + more, RIGHTS_ATTRIBUTES)


def iptc(*datasets: tuple[int, int, bytes]) -> bytes:
    return b"".join(
        struct.pack(">BBBH", 0x1C, record, number, len(value)) + value for record, number, value in datasets
    )


RIGHTS_IPTC = iptc(
    (1, 90, b"\x1b%G"),
    (2, 0, b"\0\4"),
    (2, 5, "Überschrift".encode()),
    (2, 80, "Zoë Müller".encode()),
    (2, 110, b"Agency"),
    (2, 116, "© 2024 Zoë".encode()),
)


def resources(data: bytes) -> bytes:
    """The content of a segment APP13: a resource that says something else, then the datasets."""
    other = b"8BIM\x03\xed\x03abc" + struct.pack(">I", 3) + b"xyz\0"
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"Photoshop 3.0\0" + other + block


def entry(tag: int, kind: int, value: bytes) -> tuple[int, int, bytes]:
    return tag, kind, value


def tiff_block(order: str, *directories: list[tuple[int, int, bytes]], pointers: dict[int, int] | None = None) -> bytes:
    """A block of EXIF. `pointers` leads from tags of the first directory to the numbers of others; the second is a
    thumbnail's if it has no pointer."""
    widths = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8}
    pointers = pointers or {}
    sizes = [
        2
        + 12 * (len(entries) + (len(pointers) if index == 0 else 0))
        + 4
        + sum(_even(len(each[2])) for each in entries if len(each[2]) > 4)
        for index, entries in enumerate(directories)
    ]
    starts = [8 + sum(sizes[:index]) for index in range(len(sizes))]
    made = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    for index, entries in enumerate(directories):
        listed = list(entries)
        if index == 0:
            listed += [(tag, 4, struct.pack(order + "I", starts[number])) for tag, number in pointers.items()]
        behind = starts[index] + 2 + 12 * len(listed) + 4
        table, values = struct.pack(order + "H", len(listed)), b""
        for tag, kind, value in listed:
            table += struct.pack(order + "HHI", tag, kind, len(value) // widths[kind])
            if len(value) <= 4:
                table += value.ljust(4, b"\0")
            else:
                table += struct.pack(order + "I", behind + len(values))
                values += value.ljust(_even(len(value)), b"\0")
        following = starts[1] if index == 0 and len(directories) > 1 and 1 not in pointers.values() else 0
        made += table + struct.pack(order + "I", following) + values
    return made


def _even(size: int) -> int:
    return size + size % 2


def jpeg(*segments: tuple[int, bytes], picture: Image.Image | None = None, **options: Any) -> bytes:
    """A JPEG with these segments before all others."""
    file = io.BytesIO()
    (picture or gradient()).save(file, "JPEG", **options)
    plain = file.getvalue()
    written = (bytes((0xFF, kind)) + struct.pack(">H", 2 + len(content)) + content for kind, content in segments)
    return plain[:2] + b"".join(written) + plain[2:]


def exif_segment(block: bytes) -> tuple[int, bytes]:
    return 0xE1, b"Exif\0\0" + block


def xmp_segment(packet: bytes) -> tuple[int, bytes]:
    return 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet


def c2pa_segments(manifest: bytes = MANIFEST) -> list[tuple[int, bytes]]:
    half = len(manifest) // 2 + 8
    return [
        (0xEB, b"JP\0\1" + struct.pack(">I", 1) + manifest[:half]),
        (0xEB, b"JP\0\1" + struct.pack(">I", 2) + manifest[:8] + manifest[half:]),
    ]


def png(*chunks: tuple[bytes, bytes], late: bool = False) -> bytes:
    """A PNG with these chunks before its pixels, or behind them."""
    file = io.BytesIO()
    gradient().save(file, "PNG")
    plain = file.getvalue()
    place = len(plain) - 12 if late else 33
    return plain[:place] + b"".join(chunk(name, content) for name, content in chunks) + plain[place:]


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def raw_profile(kind: str, block: bytes) -> bytes:
    """A text chunk as ImageMagick writes it."""
    return f"Raw profile type {kind}".encode() + b"\0" + f"\n{kind}\n{len(block):8}\n{block.hex()}\n".encode()


def international(keyword: str, text: bytes, *, packed: bool = False) -> bytes:
    content = zlib.compress(text) if packed else text
    return keyword.encode() + (b"\0\1\0\0\0" if packed else b"\0\0\0\0\0") + content


def webp(*chunks: tuple[bytes, bytes], **options: Any) -> bytes:
    """A WebP with EXIF or XMP, and these chunks behind them."""
    file = io.BytesIO()
    gradient().save(file, "WEBP", **(options or {"exif": tiff_block("<", [entry(271, 2, b"Maker\0")])}))
    content = file.getvalue()[8:]
    for name, data in chunks:
        content += name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def avif(*, manifest: bytes | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    gradient().save(file, "AVIF", speed=10, **options)
    box = b"" if manifest is None else struct.pack(">I", 24 + len(manifest)) + b"uuid" + C2PA_BOX + manifest
    return file.getvalue() + box


def gif(*extensions: bytes, late: bool = False, **options: Any) -> bytes:
    """A GIF with these extensions before its frame, or behind it."""
    file = io.BytesIO()
    gradient().convert("P").save(file, "GIF", **options)
    plain = file.getvalue()
    place = len(plain) - 1 if late else 13 + 3 * 2 ** ((plain[10] & 7) + 1)
    return plain[:place] + b"".join(extensions) + plain[place:]


def gif_xmp(packet: bytes) -> bytes:
    return b"!\xff\x0bXMP DataXMP" + packet + bytes((1, *range(255, -1, -1), 0))


def gif_c2pa() -> bytes:
    return b"!\xff\x0bC2PA_GIF\1\0\0" + bytes((len(MANIFEST),)) + MANIFEST + b"\0"
