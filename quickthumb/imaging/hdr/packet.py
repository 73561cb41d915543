"""What an XMP packet says of a gain map, and packets that say it for a new file (ISO 16684-1, RDF/XML).

Packets come from uploads. A packet with a document type is not read, so there are no entities to expand; a JPEG segment
holds less than 64 KiB of one, so a packet cannot be deep enough to do harm.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

GAIN_MAP = "http://ns.adobe.com/hdr-gain-map/1.0/"
CONTAINER = "http://ns.google.com/photos/1.0/container/"
ITEM = "http://ns.google.com/photos/1.0/container/item/"
APPLE_PIXELS = "http://ns.apple.com/pixeldatainfo/1.0/"
APPLE_GAIN_MAP = "http://ns.apple.com/HDRGainMap/1.0/"
APPLE_AUXILIARY = "urn:com:apple:photo:2020:aux:hdrgainmap"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

# The namespaces that a map's own packet needs.
OF_MAPS = frozenset({GAIN_MAP, APPLE_PIXELS, APPLE_GAIN_MAP, RDF})

# Those that any packet uses.
_META, _XML = "adobe:ns:meta/", "http://www.w3.org/XML/1998/namespace"
_DESCRIPTION, _RDF = f"{RDF} Description", f"{RDF} RDF"
# In these stand elements, and no text.
_WITHOUT_TEXT = frozenset({_DESCRIPTION, _RDF, f"{_META} xmpmeta"})
# What surrounds a packet in a file.
_AROUND = "xpacket"
# A start tag up to its end, and the attributes in one. Values may contain ">".
# Both are possessive, so that they take no longer for a tag that does not match.
_TAG = re.compile(rb"<[^<>\"']*+(?:(?:\"[^\"]*+\"|'[^']*+')[^<>\"']*+)*+>")
_ATTRIBUTE = re.compile(rb"(?<!\s)\s++([\w.-]++):[\w.-]++\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+')")
# Writers leave spaces before this, for others to fill.
_TRAILER = b"<?xpacket end="

_CLAIMS = """<rdf:Description rdf:about="{about}"
   xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
   xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"
   xmlns:Container="http://ns.google.com/photos/1.0/container/"
   xmlns:Item="http://ns.google.com/photos/1.0/container/item/"
   hdrgm:Version="1.0">
   <Container:Directory>
    <rdf:Seq>
     <rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>
     <rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg"
      Item:Length="{map_bytes}"/></rdf:li>
    </rdf:Seq>
   </Container:Directory>
  </rdf:Description>
"""
_EMPTY = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""

Unwanted = Callable[[str], bool]


class NotReadable(ValueError):
    """The packet is not XMP, or not of a kind that is read."""


@dataclass(slots=True)
class Packet:
    """What a packet says: the value of each of its properties by "namespace name", wherever it stands (empty if it is
    not a text), and the items of its lists, in order, each by the names of a directory of files."""

    properties: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, str]] = field(default_factory=list)

    def value(self, namespace: str, name: str) -> str | None:
        return self.properties.get(f"{namespace} {name}")


def read(data: bytes) -> Packet:
    """Reads a packet. Raises NotReadable."""
    return _Reading(data, lambda _: False).packet


def without(data: bytes, unwanted: Unwanted) -> bytes:
    """The packet without the properties of `unwanted` namespaces; all other bytes stay. Raises NotReadable."""
    reading = _Reading(data, unwanted)
    kept, at = bytearray(), 0
    for start, end in sorted(reading.cuts):
        kept += data[at:start]
        at = max(at, end)
    return bytes(kept) + data[at:]


def tells_only_of_maps(data: bytes) -> bool:
    """Whether nothing is in a packet, in whatever place, but what a map's own packet needs. Raises NotReadable."""
    reading = _Reading(data, lambda _: False)
    namespaces = set(map(_namespace, reading.packet.properties))
    return reading.is_plain and namespaces <= OF_MAPS | {_META, _XML}


def claims_gain_map(namespace: str) -> bool:
    """Whether the properties of a namespace say that a file has a gain map, and where."""
    return namespace in (GAIN_MAP, CONTAINER)


def with_gain_map(data: bytes, map_bytes: int) -> bytes:
    """A packet for a picture with a gain map of `map_bytes` right behind it; what else `data` says, stays.

    A packet that is not readable is replaced. The claims come first: Chrome looks only at the first description that
    knows their namespaces, which an older one may still declare.
    """
    try:
        data = without(data or _EMPTY, claims_gain_map)
        reading = _Reading(data, lambda _: False)
    except NotReadable:
        data = _EMPTY
        reading = _Reading(data, lambda _: False)
    claims = _CLAIMS.format(about=html.escape(reading.about), map_bytes=map_bytes).encode()
    return _unpadded(data[: reading.start] + b"\n  " + claims + data[reading.start :])


def _unpadded(data: bytes) -> bytes:
    end, trailer, rest = data.rpartition(_TRAILER)
    return end.rstrip() + b"\n" + trailer + rest if trailer else data


class _Reading:
    """Reads a packet from its start to its end. `cuts` are where its unwanted properties stand, `about` is what it is
    about, and `start` is where a description may be added. `is_plain` says that there are no comments in it, and no
    texts but values."""

    def __init__(self, data: bytes, unwanted: Unwanted) -> None:
        self.packet = Packet()
        self.cuts: list[tuple[int, int]] = []
        self.about = ""
        self.start = 0
        self.is_plain = True
        self._data = data.rstrip(b"\0")
        self._unwanted = unwanted
        self._prefixes: dict[bytes, str] = {}
        self._open: list[str] = []
        self._text = ""
        self._cut_from: tuple[int, int] | None = None  # how deep, and where
        self._parse()

    def _parse(self) -> None:
        if b"\0" in self._data:  # UTF-16: offsets in it would not be those of its tags
            raise NotReadable("not in UTF-8")
        parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler = lambda name, attributes: self._start(name, attributes, parser.CurrentByteIndex)
        parser.EndElementHandler = lambda name: self._finish(name, parser.CurrentByteIndex)
        parser.CharacterDataHandler = self._add_text
        parser.CommentHandler = self._doubt
        parser.ProcessingInstructionHandler = self._doubt
        try:
            parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise NotReadable(str(error)) from None
        if not self.start:
            raise NotReadable("without descriptions")

    def _refuse(self, *_: object) -> NoReturn:
        raise NotReadable("with a document type")

    def _declare(self, prefix: str | None, namespace: str | None) -> None:
        self._prefixes[(prefix or "").encode()] = namespace or ""

    def _doubt(self, name: str, *_: object) -> None:
        self.is_plain = self.is_plain and name == _AROUND

    def _add_text(self, text: str) -> None:
        self._text += text
        if self._open[-1] in _WITHOUT_TEXT and not text.isspace():
            self.is_plain = False

    def _start(self, name: str, attributes: dict[str, str], index: int) -> None:
        is_property = bool(self._open) and self._open[-1] == _DESCRIPTION
        if self._cut_from is None and is_property and self._unwanted(_namespace(name)):
            self._cut_from = len(self._open), index
        if name == _DESCRIPTION:
            self.about = self.about or attributes.get(f"{RDF} about", "")
            self._cut_attributes(index)
        if name == _RDF and not self.start:
            tag = self._data[index : self._end_of_tag(index)]
            self.start = 0 if tag.endswith(b"/>") else index + len(tag)
        if name in (f"{CONTAINER} Item", f"{RDF} li"):
            self.packet.items.append({})
        self._open.append(name)
        self._text = ""
        for attribute, value in {name: "", **attributes}.items():
            self._note(attribute, value)

    def _finish(self, name: str, index: int) -> None:
        self._open.pop()
        self._note(name, self._text.strip())
        self._text = ""
        if self._cut_from and self._cut_from[0] == len(self._open):
            self.cuts.append((self._cut_from[1], self._end_of_tag(index)))
            self._cut_from = None

    def _note(self, name: str, value: str) -> None:
        self.packet.properties[name] = value or self.packet.properties.get(name, "")
        if _namespace(name) == ITEM and self.packet.items:
            self.packet.items[-1][name.rpartition(" ")[2]] = value

    def _end_of_tag(self, index: int) -> int:
        match = _TAG.match(self._data, index)
        return match.end() if match else index

    def _cut_attributes(self, index: int) -> None:
        tag = self._data[index : self._end_of_tag(index)]
        for match in _ATTRIBUTE.finditer(tag):
            if match[1] != b"xmlns" and self._unwanted(self._prefixes.get(match[1], "")):
                self.cuts.append((index + match.start(), index + match.end()))


def _namespace(name: str) -> str:
    return name.rpartition(" ")[0]
