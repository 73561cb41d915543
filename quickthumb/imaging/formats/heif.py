"""HEIF, the image format of Apple's phones. Reading it needs the extra `heif`: pillow-heif brings the decoder."""

from quickthumb.imaging.formats.coded_items import check_coded_pictures
from quickthumb.imaging.formats.color_boxes import read_code_points
from quickthumb.imaging.formats.iso_media import SIGNATURE, read_header
from quickthumb.imaging.formats.row import Decoder, Format


def _set_up() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


HEIF = Format(
    name="heif",
    media_type="image/heif",
    extensions=("heif", "heic"),
    signatures=(SIGNATURE,),
    read_header=read_header,
    decoder=Decoder(
        pillow=("HEIF",),
        package="pillow_heif",
        set_up=_set_up,
        reads_whole=True,
        check=check_coded_pictures,
        code_points=read_code_points,
    ),
)
