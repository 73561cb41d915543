"""The metadata that a result keeps from its source: none, unless asked for, but the label of generated pictures.

EXIF tells where people live and which camera they own; XMP, comments and thumbnails may show what was cropped away.
`keeping` decides; `found` reads what a source says, with one module for each kind of block; `provenance` finds out
where a picture comes from. Everything that is read here is untrusted.
"""

from quickthumb.imaging.metadata.keeping import Keeper, Kept
from quickthumb.imaging.metadata.provenance import Provenance

__all__ = ["Keeper", "Kept", "Provenance"]
