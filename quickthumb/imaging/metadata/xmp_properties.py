"""The properties of the picture in an XMP packet: named, removed, copied, added, and divided between two packets."""

import hashlib
from collections.abc import Callable, Sequence

from quickthumb.imaging.hdr.packet import RDF
from quickthumb.imaging.metadata.xmp import META, NAMESPACES, Name, Node, write, write_bare

# What the property takes that leads to an extended packet.
_NOTE_BYTES = 256


def new_packet() -> Node:
    """A packet without properties."""
    root = Node("x:xmpmeta", {"xmlns:x": META})
    rdf = Node("rdf:RDF", {"xmlns:rdf": RDF}, root)
    root.children.append(rdf)
    rdf.children.append(Node("rdf:Description", {"rdf:about": ""}, rdf))
    return root


def descriptions(root: Node) -> list[Node]:
    """The elements whose attributes and elements are the properties of the picture."""
    for node in root.walk():
        if node.full(node.name) == (RDF, "RDF"):
            return node.elements
    return []


def names(root: Node) -> set[Name]:
    """The names of all properties of the picture that a packet gives."""
    found: set[Name] = set()
    for node in descriptions(root):
        found.update(child.full(child.name) for child in node.elements)
        found.update(node.full(attribute) for attribute in node.attributes)
    return found


def has_properties(root: Node) -> bool:
    """Whether a packet says anything of the picture, beside what it is about."""
    return bool(names(root) - {(RDF, "about")})


def prune(root: Node, is_stale: Callable[[Name], bool]) -> None:
    """Removes every element and attribute whose name is stale, wherever it is in a packet."""
    for node in root.walk():
        for attribute in list(node.attributes):
            if not attribute.startswith("xmlns") and is_stale(node.full(attribute)):
                del node.attributes[attribute]
        node.children = [
            child for child in node.children if not (isinstance(child, Node) and is_stale(child.full(child.name)))
        ]


def copy_properties(root: Node, made: Node, is_wanted: Callable[[Name], bool]) -> int:
    """Copies the wanted properties of a packet to another, which lacks them; returns how many were copied."""
    present = names(made)
    target = _own_description(made)
    before = len(target.children)
    for node in descriptions(root):
        for attribute, value in node.attributes.items():
            name = node.full(attribute)
            if not attribute.startswith("xmlns") and _is_property(name) and is_wanted(name) and name not in present:
                target.children.append(Node(attribute, _declared(node, [attribute]), target, [value]))
                present.add(name)
        for child in node.elements:
            name = child.full(child.name)
            if _is_property(name) and is_wanted(name) and name not in present:
                target.children.append(_detached(child, target))
                present.add(name)
    return len(target.children) - before


def _is_property(name: Name) -> bool:
    """Whether a name can be that of a property: it is not RDF's own, and its prefix means something."""
    return name[0] not in ("", RDF)


def _own_description(root: Node) -> Node:
    """The element of a packet to which properties are added."""
    for node in descriptions(root):
        if node.full(node.name) == (RDF, "Description"):
            return node
    for node in root.walk():
        if node.full(node.name) == (RDF, "RDF"):
            made = Node("rdf:Description", {"xmlns:rdf": RDF, "rdf:about": ""}, node)
            node.children.append(made)
            return made
    made = new_packet().elements[0]
    made.parent = root
    root.children.append(made)
    return made.elements[0]


def _detached(node: Node, target: Node) -> Node:
    """A copy of an element that declares every prefix it uses, so that it means the same anywhere."""
    elements = list(node.walk())
    names = [*(each.name for each in elements), *(name for each in elements for name in each.attributes if ":" in name)]
    return Node(node.name, {**_declared(node, names), **node.attributes}, target, node.children)


def _declared(node: Node, names: Sequence[str]) -> dict[str, str]:
    """The declarations of the prefixes of some names, as they stand at an element."""
    prefixes = {name.rpartition(":")[0] for name in names if not name.startswith("xmlns:")} - {"xml"}
    meant = {prefix: node.full(f"{prefix}:" if prefix else "-")[0] for prefix in sorted(prefixes)}
    return {f"xmlns:{prefix}" if prefix else "xmlns": uri for prefix, uri in meant.items() if uri}


def add_property(root: Node, written: str, form: str, values: Sequence[str]) -> bool:
    """Adds a property such as `dc:creator` unless a packet gives it already; returns whether it did.

    `form` is that of its values: `Seq` or `Bag` (a list), `Alt` (one text for all languages), or empty for one text.
    """
    prefix, _, local = written.partition(":")
    if (NAMESPACES[prefix], local) in names(root):
        return False
    target = _own_description(root)
    made = Node(written, {f"xmlns:{prefix}": NAMESPACES[prefix]}, target)
    target.children.append(made)
    if not form:
        made.children.append(values[0])
        return True
    array = Node(f"rdf:{form}", {"xmlns:rdf": RDF}, made)
    made.children.append(array)
    language = {"xml:lang": "x-default"} if form == "Alt" else {}
    array.children.extend(Node("rdf:li", dict(language), array, [value]) for value in values)
    return True


def split(root: Node, most_bytes: int) -> tuple[bytes, bytes]:
    """A packet of at most `most_bytes`, and the extended packet for what it has no room for: its largest properties
    (XMP specification, part 3, section 1.1.3.1). Both are empty if that does not help. Changes the tree."""
    packet = write(root)
    if len(packet) <= most_bytes:
        return packet, b""
    excess, rest = len(packet) - most_bytes + _NOTE_BYTES, new_packet()
    sizes = [(len(write_bare(child)), node, child) for node in descriptions(root) for child in node.elements]
    for size, node, child in sorted(sizes, key=lambda each: -each[0]):
        if excess > 0:
            target = _own_description(rest)
            target.children.append(_detached(child, target))
            node.children.remove(child)
            excess -= size
    extended = write_bare(rest)
    digest = hashlib.md5(extended, usedforsecurity=False).hexdigest().upper()
    add_property(root, "xmpNote:HasExtendedXMP", "", [digest])
    packet = write(root)
    return (packet, extended) if len(packet) <= most_bytes else (b"", b"")
