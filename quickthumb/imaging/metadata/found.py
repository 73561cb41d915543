"""Everything that a file says beside its picture, read when a result asks for it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from quickthumb.imaging.formats.exif import is_damaged
from quickthumb.imaging.formats.gif_xmp import XMP_NAME
from quickthumb.imaging.formats.jpeg import EXTENDED_XMP, XMP
from quickthumb.imaging.formats.window import Seeking
from quickthumb.imaging.metadata import exif, gif_blocks, iptc, png_texts, xmp
from quickthumb.imaging.metadata.exif import Exif
from quickthumb.imaging.metadata.iptc import Dataset
from quickthumb.imaging.metadata.xmp import Node
from quickthumb.imaging.source import EXIF_DAMAGED, EXIF_TOO_LARGE, MOST_EXIF_BYTES, Source
from quickthumb.model.errors import BrokenImage

# Behind the name of a segment of extended XMP: the id of the whole, its length, and the offset of this part.
_EXTENDED_HEAD_BYTES = 32 + 4 + 4
# What a JPEG can say.
_MOST_DOTS_PER_INCH = 65_535


@dataclass(slots=True)
class Found:
    """What was found, as bytes. `packets` are XMP packets, the main one first; `refused` names what could not be read,
    each with a warning."""

    exif: Exif | None = None
    packets: list[bytes] = field(default_factory=list)
    datasets: list[Dataset] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    comment: bytes = b""
    resolution: tuple[float, float] | None = None
    refused: list[tuple[str, str]] = field(default_factory=list)

    def trees(self) -> tuple[list[Node], list[tuple[str, str]]]:
        """The packets that can be read, as new trees, and what could not be read, with a warning."""
        read, refused = [], []
        for packet in filter(None, self.packets):
            try:
                read.append(xmp.parse(packet))
            except xmp.BadPacket as error:
                reason = "too large" if isinstance(error, xmp.TooLarge) else "damaged"
                refused.append(("XMP", f"The XMP data is {reason} and was left out."))
        return read, refused


def read(source: Source, *, keeps_colors: bool) -> Found:
    """Reads what a source says beside its picture. Damaged blocks are left out, with a warning."""
    found = Found()
    reader = _READERS.get(source.format.name, _read_info)
    with suppress(BrokenImage):
        reader(source, found, keeps_colors)
    if found.resolution is None and found.exif is not None:
        found.resolution = found.exif.resolution
    if found.resolution is not None and not all(1 <= dots <= _MOST_DOTS_PER_INCH for dots in found.resolution):
        found.resolution = None
    if found.exif is not None and found.exif.refused:
        found.refused.append(("some EXIF", "Some of the EXIF data is not valid and was left out."))
    return found


def _read_block(found: Found, block: bytes, keeps_colors: bool) -> None:
    if len(block) > MOST_EXIF_BYTES:
        found.refused.append(("EXIF", EXIF_TOO_LARGE))
    elif is_damaged(block):
        found.refused.append(("EXIF", EXIF_DAMAGED))
    else:
        with suppress(BrokenImage):  # it is empty
            found.exif = exif.read_block(block, keeps_colors)
            _take_embedded(found, found.exif.embedded)


def _take_embedded(found: Found, blocks: dict[int, bytes]) -> None:
    """Takes the blocks of other kinds that stand in a TIFF's directory, or in a block of EXIF."""
    found.packets.append(blocks.get(exif.XMP_TAG, b""))
    photoshop = iptc.in_resources(blocks.get(exif.PHOTOSHOP_TAG, b""))
    found.datasets = found.datasets or iptc.read(_unswapped(blocks.get(exif.IPTC_TAG, b""))) or iptc.read(photoshop)


def _unswapped(data: bytes) -> bytes:
    """IPTC as it was before a program wrote it as 32-bit numbers in the other byte order."""
    if data[:1] == b"\x1c" or data[3:4] != b"\x1c":
        return data
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))


def _read_info(source: Source, found: Found, keeps_colors: bool) -> None:
    """Takes what Pillow found: all that WebP, AVIF and HEIF can hold."""
    info = source.image.info
    _read_block(found, _untouched_exif(source), keeps_colors)
    if isinstance(packet := info.get("xmp"), bytes):
        found.packets.insert(0, packet)
    dots = info.get("dpi")
    if source.format.name == "bmp" and isinstance(dots, tuple) and min(dots) > 0:
        found.resolution = dots


def _untouched_exif(source: Source) -> bytes:
    """EXIF as it is in the file. Of an AVIF with an orientation, Pillow gives EXIF that it has written anew, in which
    text that is not ASCII is destroyed."""
    decoder = getattr(source.image, "_decoder", None)
    block = source.image.info.get("exif") or b""
    if source.format.name == "avif" and decoder is not None:
        block = next((part for part in decoder.get_info()[4:5] if isinstance(part, bytes)), block)
    return bytes(block)


def _read_jpeg(source: Source, found: Found, keeps_colors: bool) -> None:
    segments: list[tuple[str, bytes]] = getattr(source.image, "applist", [])
    info = source.image.info
    packets = [content for name, content in segments if name == "APP1" and content.startswith(XMP)]
    found.packets = [packet.removeprefix(XMP) for packet in packets[:1]]
    found.packets.append(_extended(segments))
    resources = [content.removeprefix(iptc.PHOTOSHOP) for name, content in segments if name == "APP13"]
    found.datasets = iptc.read(iptc.in_resources(b"".join(resources)))
    found.comment = next((content for name, content in segments if name == "COM"), b"")
    if info.get("jfif_unit") in (1, 2) and min(info["jfif_density"]) > 0:
        found.resolution = info.get("dpi")
    _read_block(found, info.get("exif") or b"", keeps_colors)


def _extended(segments: list[tuple[str, bytes]]) -> bytes:
    """The further packet of a JPEG, which one segment could not hold (XMP specification, part 3); empty if there is
    none, or it is not whole."""
    heads = [content[len(EXTENDED_XMP) :] for name, content in segments if content.startswith(EXTENDED_XMP)]
    if not heads:
        return b""
    identity, length = heads[0][:32], int.from_bytes(heads[0][32:36], "big")
    parts = {int.from_bytes(head[36:40], "big"): head[_EXTENDED_HEAD_BYTES:] for head in heads if head[:32] == identity}
    whole = b"".join(part for _, part in sorted(parts.items()))
    return whole if len(whole) == length else b""


def _read_png(source: Source, found: Found, keeps_colors: bool) -> None:
    with source.path.open("rb", buffering=0) as file:
        texts = png_texts.read(file)
    block = texts.exif or texts.raw.get("exif", b"") or texts.raw.get("app1", b"")
    packets = [texts.xmp, texts.raw.get("xmp", b"")]
    if block.startswith(XMP):
        packets, block = [*packets, block.removeprefix(XMP)], b""
    found.packets = [packet for packet in packets if packet][:1]
    resources = texts.raw.get("iptc", b"") or texts.raw.get("8bim", b"")
    found.datasets = iptc.read(iptc.in_resources(resources) or resources)
    found.texts, found.resolution = texts.texts, texts.resolution
    if texts.too_large:
        found.refused.append(("some texts", "The texts are too large; some were left out."))
    _read_block(found, block, keeps_colors)


def _read_tiff(source: Source, found: Found, keeps_colors: bool) -> None:
    with source.path.open("rb") as file:
        found.exif = exif.read(Seeking(file), keeps_colors=keeps_colors, is_file=True)
    _take_embedded(found, found.exif.embedded)


def _read_gif(source: Source, found: Found, _: bool) -> None:
    with source.path.open("rb") as file:
        for kind, name, content in gif_blocks.read(Seeking(file), stops_at_frame=False):
            if name == XMP_NAME and not found.packets:
                found.packets.append(content)
            elif kind == gif_blocks.COMMENT and not found.comment:
                found.comment = content


_READERS: dict[str, Callable[[Source, Found, bool], None]] = {
    "jpeg": _read_jpeg,
    "png": _read_png,
    "tiff": _read_tiff,
    "gif": _read_gif,
}
