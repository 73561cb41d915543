"""Decides what a result keeps of what its source says beside the picture, in the kinds of blocks that its format holds.

The receipt names what was kept and what was dropped.
"""

from dataclasses import dataclass

from quickthumb.imaging.formats.row import Options
from quickthumb.imaging.metadata import found
from quickthumb.imaging.metadata.found import Found
from quickthumb.imaging.metadata.provenance import Provenance, find_origin
from quickthumb.imaging.metadata.selection import Selection
from quickthumb.imaging.metadata.translating import translate
from quickthumb.imaging.rendition import Rendition
from quickthumb.imaging.source import Source

C2PA_DROPPED = "The Content Credentials (C2PA) of the source do not hold for a changed picture and were left out."


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
        selection = Selection(rendition.format.name, rendition.encoder)
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

    def _select(self, selection: Selection, source: Found, *, keeps_all: bool, keeps_colors: bool) -> None:
        if keeps_all:
            selection.take_all(source, keeps_colors)
        else:
            selection.take_rights(source, keeps_label=bool(self._label))
        translate(selection)
