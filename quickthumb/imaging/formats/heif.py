"""HEIF, the image format of Apple's phones (HEIC). The package pi-heif-decoder has the decoder: libheif with libde265.

It turns the picture upright and cuts out the part that is to be shown, and makes 8 bits of 10 and 12.
"""

from typing import Any

from quickthumb.imaging.formats.coded_items import check_coded_pictures
from quickthumb.imaging.formats.color_boxes import read_code_points
from quickthumb.imaging.formats.iso_media import SIGNATURE, read_header
from quickthumb.imaging.formats.row import Decoder, Format

BRANDS_START, BRANDS_KIND = 4, b"ftyp"


def _set_up() -> None:
    """Registers the decoder, with one thread, and without the thumbnails, depth maps and other pictures beside."""
    from pi_heif.as_plugin import HeifImageFile, register_heif_opener
    from PIL import Image

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)

    class WholeHeif(HeifImageFile):
        """Refuses a file whose picture turns out to be another one, or of another size, than was announced and
        checked."""

        def _open(self) -> None:
            super()._open()  # type: ignore[no-untyped-call]
            if not self.info["primary"]:
                raise SyntaxError("The decoder does not find the primary picture.")

        def load(self) -> Any:
            announced = self.size
            loaded = super().load()  # type: ignore[no-untyped-call]
            self._heif_file = None  # which keeps its pixels for as long as it could show other pictures
            if self.size != announced:
                raise ValueError(f"The picture has {self.size} pixels in place of {announced}.")
            return loaded

    # The package looks at the first brand only; the header reader has looked at all of them.
    Image.register_open("HEIF", WholeHeif, _accept)


def _accept(prefix: bytes) -> bool:
    return prefix[BRANDS_START:].startswith(BRANDS_KIND)


HEIF = Format(
    name="heif",
    media_type="image/heif",
    extensions=("heic", "heif"),
    signatures=(SIGNATURE,),
    read_header=read_header,
    decoder=Decoder(
        pillow=("HEIF",),
        package="pi_heif",
        set_up=_set_up,
        reads_whole=True,
        check=check_coded_pictures,
        code_points=read_code_points,
        turns_upright=True,
        has_pictures=True,
    ),
)
