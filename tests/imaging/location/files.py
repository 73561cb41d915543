"""Files that say where they were taken, in every way that finders know: made by Pillow, or by hand after the
specifications. The place is in Berlin; every way of writing it down is one of TRACES."""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from tests.imaging.iso_files import COLOR, Part, box, hevc, iso_file

PICTURE = Image.effect_noise((48, 30), 90).convert("RGB")
# Numbers that are nowhere else in a file, as EXIF's rationals, and as text.
DEGREES = (52, 31, 7_654_321)
PLACE = "52,31.127654N"
AREA = "Unter den Linden"
TRACES = (
    struct.pack("<I", DEGREES[2]),
    struct.pack(">I", DEGREES[2]),
    PLACE.encode(),
    PLACE.encode().hex().encode(),
    AREA.encode(),
    AREA.encode().hex().encode(),
    b"+52.5187+013.3762",
    b"52.5187013762",
)


def exif(*, software: str = "A camera", big_endian: bool = False) -> bytes:
    """A block of EXIF with a place, as Pillow writes it, with its prefix."""
    block = Image.Exif()
    block.endian = ">" if big_endian else "<"
    block[ExifTags.Base.Software] = software
    block[ExifTags.Base.Orientation] = 6
    gps = block.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSVersionID] = b"\2\3\0\0"
    gps[ExifTags.GPS.GPSLatitudeRef] = "N"
    gps[ExifTags.GPS.GPSLatitude] = DEGREES
    gps[ExifTags.GPS.GPSLongitudeRef] = "E"
    gps[ExifTags.GPS.GPSLongitude] = DEGREES
    gps[ExifTags.GPS.GPSAltitude] = 34.5
    gps[ExifTags.GPS.GPSAreaInformation] = b"ASCII\0\0\0" + AREA.encode()
    gps[ExifTags.GPS.GPSDateStamp] = "2026:01:31"
    return block.tobytes()


def xmp(*, padding: int = 0) -> bytes:
    """A packet with a place as attributes, as elements, in a structure, and in the words of drones."""
    return (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        b' xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        b' xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"'
        b' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        b' exif:GPSLatitude="%b" drone-dji:GpsLongtitude = \'%b\' GPano:FullPanoWidthPixels="4096">'
        b"<exif:GPSLongitude>%b</exif:GPSLongitude><dc:subject><rdf:Bag><rdf:li>exif:GPSLatitude</rdf:li></rdf:Bag>"
        b"</dc:subject>%b<Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li><rdf:Description><exif:GPSAltitude>"
        b"<rdf:Seq><rdf:li>%b</rdf:li></rdf:Seq></exif:GPSAltitude></rdf:Description></rdf:li></rdf:Bag>"
        b"</Iptc4xmpExt:LocationShown></rdf:Description></rdf:RDF></x:xmpmeta>"
    ) % (PLACE.encode(), PLACE.encode(), PLACE.encode(), b" " * padding, AREA.encode())


def saved(kind: str, picture: Image.Image = PICTURE, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def segment(content: bytes, marker: int = 0xE1) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", 2 + len(content)) + content


def jpeg_with(*segments: bytes) -> bytes:
    plain = saved("JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def extended_xmp() -> bytes:
    """A packet in two segments; a coordinate lies in both."""
    packet = xmp(padding=1000)
    digest = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    cut = packet.index(b"<exif:GPSLongitude>") + 22
    main = b"http://ns.adobe.com/xap/1.0/\0" + b'<x:xmpmeta xmpNote:HasExtendedXMP="%b"/>' % digest
    head = b"http://ns.adobe.com/xmp/extension/\0" + digest + struct.pack(">I", len(packet))
    parts = [head + struct.pack(">I", at) + packet[at:end] for at, end in ((cut, len(packet)), (0, cut))]
    return jpeg_with(segment(main), *map(segment, parts))


def video() -> bytes:
    """The head of a video as phones append it, with its place in three ways."""
    place = b"+52.5187+013.3762+034.5/"
    named = box(b"\xa9xyz", struct.pack(">HH", len(place), 0x15C7), place)
    loci = box(b"loci", bytes(4), AREA.encode() + b"\0", bytes(13))
    key = b"com.apple.quicktime.location.ISO6709"
    keys = box(b"keys", bytes(4), struct.pack(">I", 1), box(b"mdta", key))
    values = box(b"ilst", box(struct.pack(">I", 1), box(b"data", struct.pack(">II", 1, 0), place)))
    user = box(b"udta", named, loci)
    return box(b"ftyp", b"mp42", bytes(4)) + box(b"moov", user, box(b"meta", keys, values)) + box(b"mdat", bytes(300))


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_with(*chunks: bytes) -> bytes:
    plain = saved("PNG")
    return plain[:-12] + b"".join(chunks) + plain[-12:]


def raw_profile(block: bytes) -> bytes:
    digits = block.hex().encode()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return b"\nexif\n%8d\n" % len(block) + b"\n".join(lines) + b"\n"


def png_texts(*, packed: bool = False) -> PngInfo:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp().decode(), zip=packed)
    return info


def multi_picture() -> bytes:
    file = io.BytesIO()
    second = Image.open(io.BytesIO(saved("JPEG", exif=exif())))
    Image.open(io.BytesIO(saved("JPEG", exif=exif()))).save(
        file, "MPO", save_all=True, append_images=[second], exif=exif()
    )
    return file.getvalue() + saved("JPEG", exif=exif(big_endian=True))


def tiff(*, order: str = "<", big: bool = False) -> bytes:
    """Two gray pages, each with a place; the first with XMP too."""
    file = _Tiff(order, big)
    for packet in (xmp(), b""):
        latitude = file.add(struct.pack(order + "IIIIII", DEGREES[0], 1, DEGREES[1], 1, DEGREES[2], 1))
        area = file.add(AREA.encode())
        gps = file.directory([(0, 1, 4, 0x302), (1, 2, 2, ord("N")), (2, 5, 3, latitude), (28, 7, len(AREA), area)])
        sides = [(256, 4, 1, 48), (257, 4, 1, 30), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
        strip = [(273, 4, 1, file.add(PICTURE.convert("L").tobytes())), (278, 4, 1, 30), (279, 4, 1, 48 * 30)]
        packets = [(700, 1, len(packet), file.add(packet))] if packet else []
        file.page([*sides, *strip, *packets, (34853, 4, 1, gps)])
    return bytes(file.data)


class _Tiff:
    """Writes a TIFF."""

    def __init__(self, order: str, big: bool) -> None:
        self._order = order
        self._count, self._offset = ("Q", "Q") if big else ("H", "I")
        mark = b"II" if order == "<" else b"MM"
        self.data = bytearray(mark + (self._pack("HHHQ", 43, 8, 0, 0) if big else self._pack("HI", 42, 0)))
        self._link = 8 if big else 4

    def _pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self._order + form, *values)

    def add(self, content: bytes) -> int:
        self.data += bytes(len(self.data) % 2)
        self.data += content
        return len(self.data) - len(content)

    def directory(self, entries: list[tuple[int, int, int, int]]) -> int:
        listed = b"".join(self._entry(*entry) for entry in entries)
        return self.add(self._pack(self._count, len(entries)) + listed + self._pack(self._offset, 0))

    def page(self, entries: list[tuple[int, int, int, int]]) -> None:
        at = self.directory(entries)
        link = self._pack(self._offset, at)
        self.data[self._link : self._link + len(link)] = link
        self._link = len(self.data) - len(link)

    def _entry(self, tag: int, kind: int, count: int, value: int) -> bytes:
        width = struct.calcsize("=" + self._offset)
        short = {1: "I", 2: "B", 3: "H", 4: "I"}.get(kind, self._offset) if count <= 4 else self._offset
        return self._pack("HH" + self._offset, tag, kind, count) + self._pack(short, value).ljust(width, b"\0")


def gif() -> bytes:
    plain = saved("GIF")
    at = plain.index(b",", 13 + 768)
    magic = bytes([1, *range(255, -1, -1), 0])
    return plain[:at] + b"!\xff\x0bXMP DataXMP" + xmp() + magic + plain[at:]


def icon() -> bytes:
    """An icon whose picture is a PNG."""
    png = png_with(chunk(b"eXIf", exif()[6:]))
    entry = struct.pack("<BBBBHHII", 48, 30, 0, 0, 1, 32, len(png), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + png


def photoshop() -> bytes:
    resource = b"8BIM\x04\x22\0\0" + struct.pack(">I", len(exif()) - 6) + exif()[6:]
    return b"Photoshop 3.0\0" + resource


def iptc(*keywords: bytes) -> bytes:
    """Keywords of a caption, as Photoshop stores them (IPTC-IIM 2:25)."""
    told = b"".join(b"\x1c\2\x19" + struct.pack(">H", len(keyword)) + keyword for keyword in keywords)
    return b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + struct.pack(">I", len(told)) + told + b"\0" * (len(told) % 2)


CREDENTIALS = b'{"@context": {}, "exif:GPSLatitude": "%b", "exif:GPSVersionID": "2.3"}' % PLACE.encode()

FILES: dict[str, Callable[[], bytes]] = {
    "jpeg-exif": lambda: saved("JPEG", exif=exif()),
    "jpeg-exif-big-endian": lambda: saved("JPEG", exif=exif(big_endian=True)),
    "jpeg-two-blocks": lambda: jpeg_with(segment(exif()), segment(exif(big_endian=True))),
    "jpeg-prefix-twice": lambda: jpeg_with(segment(b"Exif\0\0" + exif())),
    "jpeg-odd-prefix": lambda: jpeg_with(segment(b"Exif\0\xff" + exif()[6:])),
    "jpeg-behind-odd-prefix": lambda: saved("JPEG") + jpeg_with(segment(b"Exif\0\xff" + exif()[6:])),
    "jpeg-xmp": lambda: saved("JPEG", xmp=xmp()),
    "jpeg-extended-xmp": extended_xmp,
    "jpeg-xmp-utf-16": lambda: jpeg_with(segment(b"http://ns.adobe.com/xap/1.0/\0" + xmp().decode().encode("utf-16"))),
    "jpeg-photoshop": lambda: jpeg_with(segment(photoshop(), 0xED)),
    "jpeg-credentials": lambda: jpeg_with(segment(b"JP\0\1" + CREDENTIALS, 0xEB)),
    "jpeg-damaged-exif": lambda: jpeg_with(segment(exif().replace(b"II*\0", b"IIII"))),
    "jpeg-motion": lambda: saved("JPEG", exif=exif()) + video(),
    "jpeg-motion-samsung": lambda: saved("JPEG") + b"\0\0\x30\x0aMotionPhoto_Data" + video() + b"SEFHSEFT",
    "mpo": multi_picture,
    "jpeg-keywords": lambda: jpeg_with(
        segment(iptc(b"geo:lat=52.5187013762", b"geo:lon=52.5187013762", b"a geo:lat"), 0xED)
    ),
    "webp-keywords": lambda: saved("WEBP", xmp=b"<rdf:li>geo:lat=52.5187013762</rdf:li><rdf:li>Geo:Long=52.5187013762"),
    "webp-xmp-zeros": lambda: saved("WEBP", xmp=xmp() + bytes(3)),
    "png-exif": lambda: saved("PNG", exif=exif()),
    "png-late-exif": lambda: png_with(chunk(b"eXIf", exif()[6:])),
    "png-xmp": lambda: saved("PNG", pnginfo=png_texts()),
    "png-xmp-packed": lambda: saved("PNG", pnginfo=png_texts(packed=True)),
    "png-raw-exif": lambda: png_with(chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(exif()))),
    "png-raw-app1-packed": lambda: png_with(
        chunk(b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(raw_profile(exif())))
    ),
    "png-raw-exif-spaced": lambda: png_with(
        chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(exif()).replace(b"00", b"0 0").upper() + b" \0behind")
    ),
    "png-raw-xmp-packed": lambda: png_with(
        chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(raw_profile(xmp())))
    ),
    "png-raw-exif-lowercase": lambda: png_with(chunk(b"tEXt", b"raw profile type exif\0" + raw_profile(exif()))),
    "png-xmp-in-comment": lambda: png_with(chunk(b"tEXt", b"Comment\0" + xmp())),
    "png-draft": lambda: png_with(chunk(b"zxIf", exif()[6:])),
    "png-property": lambda: png_with(chunk(b"tEXt", b"exif:GPSLatitude\0" + PLACE.encode())),
    "png-credentials": lambda: png_with(chunk(b"caBX", CREDENTIALS)),
    "png-behind": lambda: saved("PNG") + saved("JPEG", exif=exif()),
    "webp-exif": lambda: saved("WEBP", exif=exif()),
    "webp-exif-bare": lambda: saved("WEBP", exif=exif()[6:]),
    "webp-xmp": lambda: saved("WEBP", xmp=xmp(), exif=exif()),
    "webp-animated": lambda: saved("WEBP", save_all=True, append_images=[PICTURE.rotate(180)], exif=exif(), xmp=xmp()),
    "tiff": tiff,
    "tiff-big-endian": lambda: tiff(order=">"),
    "tiff-big": lambda: tiff(big=True),
    "tiff-big-big-endian": lambda: tiff(order=">", big=True),
    "avif": lambda: saved("AVIF", exif=exif(), xmp=xmp()),
    "avif-video": lambda: saved("AVIF", exif=exif()) + box(b"mpvd", video()),
    "heic": lambda: iso_file(
        [
            hevc(COLOR),
            Part(b"Exif", struct.pack(">I", 6) + exif(), describes=(1,)),
            Part(b"mime\0application/rdf+xml", xmp(), describes=(1,)),
        ]
    ),
    "gif": gif,
    "ico": icon,
}
