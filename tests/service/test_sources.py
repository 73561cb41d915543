"""A source that was taken in has the upright size that the engine reports of it, wherever its file says how it lies."""

import io
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from quickthumb.imaging.engine import render
from quickthumb.intake import IntakeLimits
from quickthumb.intake.errors import TooManyBytes
from quickthumb.model.allowance import NO_BOUNDS, Bounds
from quickthumb.model.errors import TooManyPixels
from quickthumb.model.job import new_id
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.service.sources import SourceIntake, TakenIn
from quickthumb.storage import FileStorage
from tests.imaging.iso_files import COLOR, SIZE, clap, hevc, imir, irot, iso_file

LANDSCAPE, PORTRAIT = (48, 30), (30, 48)
# Incompressible, so that pieces and blocks end before, within and behind the pixels.
PICTURE = Image.effect_noise(LANDSCAPE, 90).convert("RGB")
LARGE = Image.effect_noise((800, 600), 90).convert("RGB")


def exif(orientation: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, ExifTags.Base.Orientation, 3, 1, orientation, 0, 0)


def xmp(orientation: int) -> bytes:
    return b'<x tiff:Orientation="%d"/>' % orientation


def saved(kind: str, picture: Image.Image = PICTURE, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def behind_the_pixels(*chunks: bytes, picture: Image.Image = PICTURE) -> bytes:
    png = saved("PNG", picture)
    return png[:-12] + b"".join(chunks) + png[-12:]


def raw_profile(orientation: int) -> bytes:
    """As ImageMagick writes it."""
    block = b"Exif\0\0" + exif(orientation)
    return b"\nexif\n%8d\n" % len(block) + block.hex().encode() + b"\n"


def noted(**texts: str) -> PngInfo:
    info = PngInfo()
    for name, text in texts.items():
        info.add_itxt({"xmp": "XML:com.adobe.xmp", "raw": "Raw profile type exif"}[name], text, zip=name == "xmp")
    return info


def itxt(packet: bytes) -> bytes:
    return chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)


# The properties of AVIF and HEIC that stand for EXIF's orientations.
TURNS = {
    1: (),
    2: (imir(1),),
    3: (irot(2),),
    4: (imir(0),),
    5: (irot(1), imir(0)),
    6: (irot(3),),
    7: (irot(1), imir(1)),
    8: (irot(1),),
}
WAYS: dict[str, Callable[[int], bytes]] = {
    "jpeg": lambda turn: saved("JPEG", exif=b"Exif\0\0" + exif(turn)),
    "tiff": lambda turn: saved("TIFF", tiffinfo={274: turn}),
    "png": lambda turn: saved("PNG", exif=exif(turn)),
    "png-late-exif": lambda turn: behind_the_pixels(chunk(b"eXIf", exif(turn))),
    "png-late-xmp": lambda turn: behind_the_pixels(itxt(xmp(turn))),
    "png-zipped-xmp": lambda turn: saved("PNG", pnginfo=noted(xmp=xmp(turn).decode())),
    "png-late-raw-profile": lambda turn: behind_the_pixels(
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(turn)))
    ),
    "png-early-xmp-late-exif": lambda turn: (
        saved("PNG", pnginfo=noted(xmp=xmp(9 - turn).decode()))[:-12] + chunk(b"eXIf", exif(turn)) + saved("PNG")[-12:]
    ),
    "png-late-behind-noise": lambda turn: behind_the_pixels(chunk(b"eXIf", exif(turn)), picture=LARGE),
    "apng-late": lambda turn: (
        saved("PNG", save_all=True, append_images=[PICTURE.rotate(180)])[:-12]
        + chunk(b"eXIf", exif(turn))
        + saved("PNG")[-12:]
    ),
    "webp": lambda turn: saved("WEBP", exif=b"Exif\0\0" + exif(turn)),
    "webp-xmp": lambda turn: saved("WEBP", xmp=xmp(turn)),
    "webp-large": lambda turn: saved("WEBP", LARGE, exif=exif(turn), quality=90),
    "webp-lossless-large": lambda turn: saved("WEBP", LARGE, exif=exif(turn), lossless=True),
    "avif": lambda turn: saved("AVIF", exif=b"Exif\0\0" + exif(turn)),
    "avif-large": lambda turn: saved("AVIF", LARGE, exif=b"Exif\0\0" + exif(turn), speed=9),
    "heic": lambda turn: iso_file([hevc(COLOR, SIZE, *TURNS[turn])]),
    "heic-part": lambda turn: iso_file([hevc(COLOR, SIZE, clap(10, 20, 90, 60, SIZE), *TURNS[turn])]),
    "gif": lambda _: saved("GIF"),
}


async def in_pieces(data: bytes, piece_bytes: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), piece_bytes):
        yield data[start : start + piece_bytes]


@pytest.fixture
def sources(storage: FileStorage) -> SourceIntake:
    return SourceIntake(storage, IntakeLimits(), Limits())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("way", WAYS)
async def test_the_size_is_the_upright_one_however_the_bytes_arrive(
    sources: SourceIntake, tmp_path: Path, way: str, orientation: int
) -> None:
    data = WAYS[way](orientation)
    path = tmp_path / "picture"
    path.write_bytes(data)
    facts = render(path, [Output(width=8, format="png")], tmp_path, Limits()).facts
    for piece_bytes in (37, 4096, 1 << 20) if len(data) < 1 << 16 else (50_000, 1 << 20):
        body = in_pieces(data, piece_bytes)
        async with sources.take_in(new_id(), body, "application/octet-stream") as taken:
            assert isinstance(taken, TakenIn)
            told = (taken.source.width, taken.source.height)
            assert told == taken.header.upright == (facts.width, facts.height), piece_bytes
    if way not in ("gif", "apng-late"):
        assert (facts.width < facts.height) == (orientation >= 5)


async def then_nothing(data: bytes) -> AsyncIterator[bytes]:
    """A body of which these bytes must be enough to refuse it."""
    yield data
    raise AssertionError("read on")


@pytest.mark.parametrize(
    ("bounds", "sent", "refusal"),
    [
        (Bounds(max_pixels=800 * 600 - 1), 200, TooManyPixels),
        (Bounds(max_bytes=5000), 5001, TooManyBytes),
        (Bounds(max_bytes=5000, max_pixels=1), 200, TooManyPixels),
    ],
)
async def test_bounds_refuse_as_soon_as_the_bytes_allow(
    sources: SourceIntake, bounds: Bounds, sent: int, refusal: type[Exception]
) -> None:
    body = then_nothing(saved("PNG", LARGE)[:sent])
    with pytest.raises(refusal, match="the API key or upload policy allows at most"):
        async with sources.take_in(new_id(), body, "application/octet-stream", bounds=bounds):
            pass


async def test_an_image_just_within_its_bounds_is_taken_in(sources: SourceIntake) -> None:
    data = saved("PNG", LARGE)
    bounds = Bounds(max_bytes=len(data), max_pixels=800 * 600)
    async with sources.take_in(new_id(), in_pieces(data, 4096), "application/octet-stream", bounds=bounds) as taken:
        assert taken.source.bytes == len(data)


def test_the_stricter_of_setting_and_bound_limits_an_upload(sources: SourceIntake) -> None:
    most = IntakeLimits().max_upload_bytes
    for bounds in (NO_BOUNDS, Bounds(max_bytes=most), Bounds(max_bytes=most + 1)):
        assert sources.limits_within(bounds) == IntakeLimits()
    assert sources.limits_within(Bounds(max_bytes=most - 1)).max_upload_bytes == most - 1
    sources.refuse_early("image/png", 5000, Bounds(max_bytes=5000))
    with pytest.raises(TooManyBytes, match="allows at most 4999 bytes"):
        sources.refuse_early("image/png", 5000, Bounds(max_bytes=4999))
