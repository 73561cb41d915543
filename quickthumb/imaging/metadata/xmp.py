"""XMP packets as trees of elements (XMP specification, part 1; RDF/XML), read and written.

A packet is untrusted XML. It is read without a DTD, so there are no entities to expand, and its size, depth and number
of elements and attributes are bounded. Names keep the prefixes of the source; a prefix that is not declared means what
it usually means. This reads all of a packet, to write a new one; `hdr.packet` cuts properties out of a packet whose
other bytes stay as they are, and `location.xmp` blanks them in what need not be XML.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from quickthumb.imaging.hdr.packet import GAIN_MAP, RDF

MOST_PACKET_BYTES = 2 * 1024 * 1024
MOST_NODES = 10_000  # elements and attributes
MOST_DEPTH = 32

META = "adobe:ns:meta/"
# The namespaces that this package names, by their usual prefixes.
NAMESPACES = {
    "x": META,
    "rdf": RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "cc": "http://creativecommons.org/ns#",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "hdrgm": GAIN_MAP,
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xap": "http://ns.adobe.com/xap/1.0/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
}
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_TAIL = '<?xpacket end="w"?>'

# How a packet begins that is not in UTF-8.
_WIDE = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
# Characters that XML cannot hold.
_NOT_XML = {code: None for code in (*range(0x20), 0xFFFE, 0xFFFF) if chr(code) not in "\t\n\r"}

# The namespace and the local name of an element or attribute.
Name = tuple[str, str]


class BadPacket(ValueError):
    """The packet is not XML that can be read."""


@dataclass(eq=False, slots=True)
class Node:
    """An element: its name and attributes as they are written, and its elements and texts in order."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    parent: Node | None = field(default=None, repr=False)
    children: list[Node | str] = field(default_factory=list)

    @property
    def elements(self) -> list[Node]:
        return [child for child in self.children if isinstance(child, Node)]

    def full(self, name: str) -> Name:
        """What a written name means here."""
        prefix, _, local = name.rpartition(":")
        node: Node | None = self
        declaration = f"xmlns:{prefix}" if prefix else "xmlns"
        while node is not None:
            if declaration in node.attributes:
                return node.attributes[declaration], local
            node = node.parent
        return NAMESPACES.get(prefix, ""), local

    def text(self) -> str:
        """All text within the element."""
        return "".join(child.text() if isinstance(child, Node) else child for child in self.children)

    def walk(self) -> Iterator[Node]:
        """The element and all elements within it."""
        yield self
        for child in self.elements:
            yield from child.walk()


class _Builder:
    """Builds the tree of one packet from the events of the parser."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.is_complete = False
        self._open: list[Node] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1 + len(attributes)
        if self._count > MOST_NODES or len(self._open) >= MOST_DEPTH:
            raise BadPacket("too many elements")
        node = Node(name, dict(attributes), self._open[-1] if self._open else None)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, _: str) -> None:
        self._open.pop()
        self.is_complete = not self._open

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1].children.append(text)

    def refuse(self, *_: object) -> None:
        raise BadPacket("a document type")


def parse(packet: bytes) -> Node:
    """The root of a packet's tree. Raises BadPacket."""
    if len(packet) > MOST_PACKET_BYTES:
        raise BadPacket("too large")
    encoding = next((encoding for start, encoding in _WIDE.items() if packet.startswith(start)), "")
    packet = packet.decode(encoding, "replace").encode() if encoding else packet.strip(b"\0\t\r\n ")
    try:
        return _parse(packet)
    except BadPacket:
        if _is_utf8(packet):
            raise
        return _parse(packet.decode("latin-1").encode())


def _parse(packet: bytes) -> Node:
    """Whatever encoding the packet declares, it counts as UTF-8: Python raises all sorts of errors at some."""
    builder, parser = _Builder(), expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    try:
        parser.Parse(packet, True)
    except expat.ExpatError as error:
        if not builder.is_complete:  # programs leave junk behind the packet
            raise BadPacket(str(error)) from None
    if builder.root is None or not builder.is_complete:
        raise BadPacket("no element")
    return builder.root


def _is_utf8(packet: bytes) -> bool:
    try:
        packet.decode()
    except UnicodeDecodeError:
        return False
    return True


def write(root: Node) -> bytes:
    """A packet in UTF-8."""
    return f"{_HEAD}\n".encode() + write_bare(root) + f"\n{_TAIL}".encode()


def write_bare(root: Node) -> bytes:
    """A packet in UTF-8, without what marks its beginning and end in a file."""
    return _written(root).encode("utf-8", "replace")


def _written(node: Node) -> str:
    attributes = "".join(f' {name}="{_escaped(value)}"' for name, value in node.attributes.items())
    content = "".join(
        _written(child) if isinstance(child, Node) else html.escape(child.translate(_NOT_XML)).replace("\r", "&#13;")
        for child in node.children
    )
    return f"<{node.name}{attributes}>{content}</{node.name}>" if content else f"<{node.name}{attributes}/>"


def _escaped(value: str) -> str:
    return html.escape(value.translate(_NOT_XML)).replace("\n", "&#10;").replace("\t", "&#9;").replace("\r", "&#13;")
