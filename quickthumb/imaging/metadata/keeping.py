"""Decides what a result keeps of what its source says beside the picture, in the kinds of blocks that its format holds.

What the format cannot hold as it is, is translated if another kind says the same: IPTC becomes XMP, authors and
copyrights move between EXIF, XMP and the texts of a PNG. The receipt names what was kept and what was dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from quickthumb.imaging.formats.blocks import COMMENT, EXIF, IPTC, RESOLUTION, TEXTS, XMP, Blocks
from quickthumb.imaging.formats.row import Encoder, Options
from quickthumb.imaging.metadata import found, iptc, png_texts, properties, xmp
from quickthumb.imaging.metadata.exif import ARTIST, COPYRIGHT, Exif
from quickthumb.imaging.metadata.found import Found
from quickthumb.imaging.metadata.iptc import Dataset
from quickthumb.imaging.metadata.provenance import GENERATED, Provenance, find_origin
from quickthumb.imaging.metadata.xmp import Name, Node
from quickthumb.imaging.rendition import Rendition
from quickthumb.imaging.source import Source

C2PA_DROPPED = "The Content Credentials (C2PA) of the source do not hold for a changed picture and were left out."
_LABEL = "Iptc4xmpExt:DigitalSourceType"
# Texts of a PNG, the tag of EXIF, and the property of XMP that say the same.
_TEXT_TAGS = {png_texts.AUTHOR: ARTIST, png_texts.COPYRIGHT: COPYRIGHT}
_TEXT_PROPERTIES = {
    png_texts.AUTHOR: ("dc:creator", "Seq"),
    png_texts.COPYRIGHT: ("dc:rights", "Alt"),
    "Title": ("dc:title", "Alt"),
    "Description": ("dc:description", "Alt"),
    "Software": ("xmp:CreatorTool", ""),
    "Source": ("dc:source", ""),
}
_COMMENT_TEXT = "Comment"
_SHOWN_NAMES, _SHOWN_LETTERS = 8, 40


@dataclass(frozen=True, slots=True)
class Kept:
    """The encoder's options, the words for the receipt, and warnings."""

    options: Options
    words: str
    warnings: list[str]


class Keeper:
    """Decides for all results of one source. Reads the source's metadata when the first result asks for it."""

    def __init__(self, source: Source, *, keeps_label: bool) -> None:
        self._source = source
        self._origin = find_origin(source)
        self._label = self._origin.label if keeps_label else ""
        self._found: dict[bool, Found] = {}

    @property
    def provenance(self) -> Provenance | None:
        """What the source says about its picture's origin; None if it says nothing."""
        return self._origin.provenance

    def keep(self, rendition: Rendition) -> Kept:
        """What a result keeps."""
        wanted = rendition.output.metadata
        if wanted == "strip" and self._origin.provenance is None:
            return Kept({}, "stripped", [])
        selection = _Selection(rendition.format.name, rendition.encoder)
        if wanted != "strip":
            keeps_colors = rendition.keeps_profile or rendition.color.is_srgb
            self._select(selection, self._read(keeps_colors), keeps_all=wanted == "keep", keeps_colors=keeps_colors)
        if self._label:
            selection.add_label(self._label)
        blocks = selection.blocks()
        if self._origin.provenance and self._origin.provenance.c2pa:
            selection.drop("Content Credentials", C2PA_DROPPED)
        return Kept(rendition.encoder.embed(blocks), selection.words(blocks, wanted), selection.warnings)

    def _read(self, keeps_colors: bool) -> Found:
        if keeps_colors not in self._found:
            self._found[keeps_colors] = found.read(self._source, keeps_colors=keeps_colors)
        return self._found[keeps_colors]

    def _select(self, selection: "_Selection", source: Found, *, keeps_all: bool, keeps_colors: bool) -> None:
        if keeps_all:
            selection.take_all(source, keeps_colors)
        else:
            selection.take_rights(source, keeps_label=bool(self._label))
        selection.translate()


@dataclass(slots=True)
class _Selection:
    """What one result keeps, in the kinds of the source until `translate` changes it to those of the format."""

    format_name: str
    encoder: Encoder
    exif: Exif = field(default_factory=Exif)
    tree: Node = field(default_factory=xmp.new_packet)
    datasets: list[Dataset] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    comment: bytes = b""
    resolution: tuple[float, float] | None = None
    label: str = ""
    dropped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take_rights(self, source: Found, *, keeps_label: bool) -> None:
        """Takes what tells about rights, and the label of generated pictures if it is kept."""

        def is_wanted(name: Name) -> bool:
            return properties.tells_rights(name) or (keeps_label and properties.is_label(name))

        trees, refused = source.trees()
        for tree in trees:
            xmp.copy_properties(tree, self.tree, is_wanted)
        if source.exif is not None:
            self.exif = source.exif.rights()
        self.datasets = iptc.select_rights(source.datasets)
        self.texts = [text for text in source.texts if text[0] in png_texts.RIGHTS]
        for what, warning in (*source.refused, *refused):
            self.drop(what, warning)

    def take_all(self, source: Found, keeps_colors: bool) -> None:
        """Takes everything that is still true."""

        def is_stale(name: Name) -> bool:
            return properties.is_stale(name, keeps_colors=keeps_colors)

        trees, refused = source.trees()
        for index, tree in enumerate(trees):
            xmp.prune(tree, is_stale)
            if index == 0:
                self.tree = tree
            else:
                xmp.copy_properties(tree, self.tree, lambda _: True)
        if source.exif is not None:
            self.exif = source.exif.copy()
            self.dropped += source.exif.dropped
            if "maker notes" in source.exif.dropped:
                self.warnings.append("The maker notes in the EXIF data could not be kept.")
        self.datasets, self.texts = source.datasets, source.texts
        self.comment, self.resolution = source.comment, source.resolution
        for what, warning in (*source.refused, *refused):
            self.drop(what, warning)

    def drop(self, what: str, warning: str) -> None:
        """Notes what the result lacks, for the receipt."""
        self.dropped.append(what)
        self.warnings.append(warning)

    def add_label(self, label: str) -> None:
        """Adds the label of generated pictures, if the format holds XMP."""
        if XMP in self.encoder.holds:
            xmp.add_property(self.tree, _LABEL, "", [label])
            generated = label.rpartition("/")[2] in GENERATED
            self.label = "the AI label" if generated else "the digital source type"

    def translate(self) -> None:
        """Says what the format cannot hold in a way that it can."""
        holds = self.encoder.holds
        self._translate_texts()
        if IPTC not in holds and self.datasets:
            for key, texts in iptc.texts(self.datasets).items():
                xmp.add_property(self.tree, *iptc.TO_XMP[key], texts)
            if lost := iptc.untranslatable(self.datasets):
                self.drop("some IPTC", f"{self.format_name} holds no IPTC; left out: {_listed(lost)}.")
        if EXIF not in holds and self.exif.main:
            self._translate_exif()
        if self.comment and COMMENT not in holds:
            self._translate_comment()
        if self.resolution is not None and RESOLUTION not in holds:
            if EXIF in holds:
                self.exif.add_resolution(self.resolution)
            else:
                self.drop("resolution", f"{self.format_name} holds no resolution; it was left out.")

    def _translate_texts(self) -> None:
        holds, lost = self.encoder.holds, []
        for keyword, text in self.texts:
            if EXIF in holds and keyword in _TEXT_TAGS:
                self.exif.add_text(_TEXT_TAGS[keyword], text)
            elif TEXTS in holds:
                continue
            elif keyword in _TEXT_PROPERTIES:
                xmp.add_property(self.tree, *_TEXT_PROPERTIES[keyword], [text])
            elif keyword == _COMMENT_TEXT and COMMENT in holds:
                self.comment = self.comment or text.encode()
            else:
                lost.append(keyword)
        if lost:
            self.drop("texts", f"{self.format_name} holds no texts; left out: {_listed(lost)}.")

    def _translate_exif(self) -> None:
        for keyword, tag in _TEXT_TAGS.items():
            if text := self.exif.text(tag):
                xmp.add_property(self.tree, *_TEXT_PROPERTIES[keyword], [text])
        if self.exif.says_more():
            self.drop("EXIF", f"{self.format_name} holds no EXIF; only artist and copyright were kept, as XMP.")

    def _translate_comment(self) -> None:
        if TEXTS in self.encoder.holds:
            self.texts = [*self.texts, (_COMMENT_TEXT, self.comment.decode("latin-1"))]
        else:
            self.drop("comment", f"{self.format_name} holds no comment; it was left out.")

    def blocks(self) -> Blocks:
        """The blocks to write; what is too large for the format is left out, with a warning."""
        holds, most = self.encoder.holds, self.encoder.most_block_bytes
        packet, extended = self._packet(most)
        return Blocks(
            exif=self._exif_block(most) if EXIF in holds else b"",
            xmp=packet if XMP in holds else b"",
            extended_xmp=extended if XMP in holds else b"",
            iptc=self._fitting("IPTC", iptc.wrap(self.datasets), most) if IPTC in holds else b"",
            texts=tuple(self.texts) if TEXTS in holds else (),
            comment=self._fitting("comment", self.comment, most) if COMMENT in holds else b"",
            resolution=self.resolution if RESOLUTION in holds else None,
        )

    def _packet(self, most: int) -> tuple[bytes, bytes]:
        if not xmp.names(self.tree) - {(xmp.RDF, "about")} and not self.tree.text().strip():
            return b"", b""
        rights = xmp.new_packet()
        xmp.copy_properties(self.tree, rights, lambda name: properties.tells_rights(name) or properties.is_label(name))
        packet, extended = xmp.split(self.tree, most)
        if packet:
            return packet, extended
        self.drop("XMP", "The XMP data is too large; only the rights in it were kept.")
        return xmp.split(rights, most)

    def _exif_block(self, most: int) -> bytes:
        block = self.exif.tobytes()
        if len(block) <= most:
            return block
        self.drop("EXIF", f"The EXIF data is too large for {self.format_name}; only artist and copyright were kept.")
        block = self.exif.rights().tobytes()
        return block if len(block) <= most else b""

    def _fitting(self, what: str, block: bytes, most: int) -> bytes:
        if len(block) <= most:
            return block
        self.drop(what, f"The {what} is too large for {self.format_name} and was left out.")
        return b""

    def words(self, blocks: Blocks, wanted: str) -> str:
        """The receipt's words."""
        held = {
            EXIF: blocks.exif,
            XMP: blocks.xmp,
            IPTC: blocks.iptc,
            TEXTS: blocks.texts,
            COMMENT: blocks.comment,
            RESOLUTION: blocks.resolution,
        }
        kinds = [kind for kind, content in held.items() if content]
        kept = ", ".join(kinds)
        if wanted == "copyright":
            kept = self._words_of_rights(kinds)
        parts = [f"kept: {kept}"] if kept else []
        if wanted == "strip":
            parts = [f"stripped, except {self.label}" if self.label else "stripped"]
        if self.dropped:
            parts.append(f"dropped: {', '.join(dict.fromkeys(self.dropped))}")
        return "; ".join(parts) or "none found"

    def _words_of_rights(self, kinds: list[str]) -> str:
        if self.label and xmp.names(self.tree) <= {(xmp.RDF, "about"), properties.LABEL}:
            kinds = [kind for kind in kinds if kind != XMP]
        rights = [f"rights in {', '.join(kinds)}"] if kinds else []
        return " and ".join(rights + ([self.label] if self.label else []))


def _listed(names: Sequence[str]) -> str:
    """The first of some names that a file gives; those that cannot be shown count as others."""
    shown = [name for name in dict.fromkeys(names) if name.isprintable() and 0 < len(name) <= _SHOWN_LETTERS]
    others = ["others"] if len(shown) < len(set(names)) or len(shown) > _SHOWN_NAMES else []
    return ", ".join(shown[:_SHOWN_NAMES] + others)
