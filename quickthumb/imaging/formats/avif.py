"""AVIF: pictures and animations encoded with AV1, in ISO media boxes."""

from quickthumb.imaging.formats.coded_items import check_coded_pictures
from quickthumb.imaging.formats.color_boxes import read_code_points
from quickthumb.imaging.formats.iso_media import SIGNATURE, read_header
from quickthumb.imaging.formats.row import Asked, Decoder, Encoder, Format, Options, count_with_pillow


def _set_up() -> None:
    """Limits the decoder to one thread: more would only take cores from other jobs."""
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def _options(asked: Asked) -> Options:
    return {"quality": asked.quality, "speed": 8, "max_threads": 1}


AVIF = Format(
    name="avif",
    media_type="image/avif",
    extensions=("avif", "avifs"),
    signatures=(SIGNATURE,),
    read_header=read_header,
    decoder=Decoder(
        pillow=("AVIF",),
        set_up=_set_up,
        reads_whole=True,
        check=check_coded_pictures,
        code_points=read_code_points,
        count_frames=count_with_pillow,
    ),
    encoder=Encoder("AVIF", _options, quality=60, loop=None),
)
