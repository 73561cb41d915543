"""What one result keeps of its source's metadata, kind by kind, and what it lacks."""

from dataclasses import dataclass, field

from quickthumb.imaging.formats.blocks import COMMENT, EXIF, IPTC, RESOLUTION, TEXTS, XMP, Blocks
from quickthumb.imaging.formats.row import Encoder
from quickthumb.imaging.hdr.packet import RDF
from quickthumb.imaging.metadata import iptc, png_texts, properties, xmp_properties
from quickthumb.imaging.metadata.exif import Exif
from quickthumb.imaging.metadata.found import Found
from quickthumb.imaging.metadata.iptc import Dataset
from quickthumb.imaging.metadata.provenance import GENERATED
from quickthumb.imaging.metadata.xmp import Name, Node

_LABEL = "Iptc4xmpExt:DigitalSourceType"


@dataclass(slots=True)
class Selection:
    """What one result keeps, in the kinds of the source until it is translated to those of the format."""

    format_name: str
    encoder: Encoder
    exif: Exif = field(default_factory=Exif)
    tree: Node = field(default_factory=xmp_properties.new_packet)
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
            xmp_properties.copy_properties(tree, self.tree, is_wanted)
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
            xmp_properties.prune(tree, is_stale)
            if index == 0:
                self.tree = tree
            else:
                xmp_properties.copy_properties(tree, self.tree, lambda _: True)
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
            xmp_properties.add_property(self.tree, _LABEL, "", [label])
            generated = label.rpartition("/")[2] in GENERATED
            self.label = "the AI label" if generated else "the digital source type"

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
        if not xmp_properties.has_properties(self.tree) and not self.tree.text().strip():
            return b"", b""
        rights = xmp_properties.new_packet()
        xmp_properties.copy_properties(
            self.tree, rights, lambda name: properties.tells_rights(name) or properties.is_label(name)
        )
        packet, extended = xmp_properties.split(self.tree, most)
        if packet:
            return packet, extended
        packet, extended = xmp_properties.split(rights, most) if xmp_properties.has_properties(rights) else (b"", b"")
        if packet:
            self.drop(
                "other XMP", f"The XMP data is too large for {self.format_name}; only the rights in it were kept."
            )
        else:
            self.drop("XMP", f"The XMP data is too large for {self.format_name} and was left out.")
        return packet, extended

    def _exif_block(self, most: int) -> bytes:
        block = self.exif.tobytes()
        if len(block) <= most:
            return block
        block = self.exif.rights().tobytes()
        if 0 < len(block) <= most:
            what, rest = "other EXIF", "; only artist and copyright were kept."
        else:
            what, rest, block = "EXIF", " and was left out.", b""
        self.drop(what, f"The EXIF data is too large for {self.format_name}{rest}")
        return block

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
        if self.label and xmp_properties.names(self.tree) <= {(RDF, "about"), properties.LABEL}:
            kinds = [kind for kind in kinds if kind != XMP]
        rights = [f"rights in {', '.join(kinds)}"] if kinds else []
        return " and ".join(rights + ([self.label] if self.label else []))
