"""AVIF: pictures and animations encoded with AV1, in ISO media boxes."""

from quickthumb.imaging.formats.coded_items import check_coded_pictures
from quickthumb.imaging.formats.color_boxes import read_code_points
from quickthumb.imaging.formats.exif import ORIENTATION_TAG
from quickthumb.imaging.formats.iso_media import SIGNATURE, read_header
from quickthumb.imaging.formats.row import Asked, Decoder, Encoder, Format, Options, count_with_pillow


def _set_up() -> None:
    """Limits the decoder to one thread: more would only take cores from other jobs. Opens files whose EXIF is damaged:
    Pillow fails where it would have to write the orientation into it."""
    from PIL import AvifImagePlugin, Image

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1

    class Tolerant(AvifImagePlugin.AvifImageFile):
        def _open(self) -> None:
            try:
                super()._open()
            except Exception:
                if getattr(self, "_decoder", None) is None:
                    raise
                self.info["exif"] = _turned(self._decoder.get_info()[5])
                self.seek(0)

    Image.register_open("AVIF", Tolerant, AvifImagePlugin._accept)


def _turned(orientation: int) -> bytes:
    """A block of EXIF with an orientation alone."""
    entry = ORIENTATION_TAG.to_bytes(2, "little") + b"\3\0\1\0\0\0" + orientation.to_bytes(4, "little")
    return b"II*\0\x08\0\0\0\1\0" + entry + bytes(4)


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
        turned_by_boxes=True,
        check=check_coded_pictures,
        code_points=read_code_points,
        count_frames=count_with_pillow,
    ),
    encoder=Encoder("AVIF", _options, quality=60, loop=None),
)
