"""ZIP archives as they arrive: from real tools, and from those who mean harm."""

import contextlib
import io
import random
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable

import pytest

from quickthumb.intake.errors import BatchTooLarge
from quickthumb.intake.zip_stream import ZipLimits, ZipStream
from quickthumb.model.errors import MalformedRequest

MEBIBYTE = 1024 * 1024
LIMITS = ZipLimits(most_images=10, most_bytes=64 * MEBIBYTE)
NOISE = random.Random(0).randbytes(300_000)
FILES = {"a.jpg": NOISE, "folder/b.png": b"small", "leer.gif": b"", "grün.webp": NOISE[:1000]}


class Unseekable(io.RawIOBase):
    """A sink like a pipe, for which `zipfile` puts the sizes behind the data."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += data  # type: ignore[arg-type]
        return len(data)  # type: ignore[arg-type]


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, piped: bool = False) -> bytes:
    sink, file = Unseekable(), io.BytesIO()
    with zipfile.ZipFile(sink if piped else file, "w", method) as written:
        for name, data in files.items():
            written.writestr(name, data)
    return bytes(sink.data) if piped else file.getvalue()


async def chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def unpacked(data: bytes, size: int = 4096, limits: ZipLimits = LIMITS) -> dict[str | None, bytes]:
    return await all_of(chunks(data, size), limits)


async def all_of(source: AsyncIterator[bytes], limits: ZipLimits = LIMITS) -> dict[str | None, bytes]:
    return {
        entry.name: b"".join([piece async for piece in entry.body])
        async for entry in ZipStream(source, limits).entries()
    }


@pytest.mark.parametrize("size", [1, 7, 4096, 10 * MEBIBYTE])
@pytest.mark.parametrize(
    ("method", "piped"), [(zipfile.ZIP_DEFLATED, False), (zipfile.ZIP_DEFLATED, True), (zipfile.ZIP_STORED, False)]
)
async def test_what_was_packed_is_unpacked(method: int, size: int, piped: bool) -> None:
    packed = archive({name: data[:20_000] for name, data in FILES.items()}, method, piped=piped)
    found = await unpacked(packed, size)
    assert found == {name.rpartition("/")[2]: data[:20_000] for name, data in FILES.items()}


async def test_entries_with_zip64_sizes_are_read() -> None:
    for file in (io.BytesIO(), Unseekable()):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
            for name, data in FILES.items():
                with written.open(name, "w", force_zip64=True) as entry:
                    entry.write(data)
        packed = file.getvalue() if isinstance(file, io.BytesIO) else bytes(file.data)
        assert (await unpacked(packed))["a.jpg"] == NOISE


async def test_a_comment_may_follow_and_an_archive_may_be_empty() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        written.comment = b"made by hand"
    assert await unpacked(file.getvalue()) == {}


async def test_folders_and_notes_of_systems_are_passed_over() -> None:
    notes = {"a/": b"", "__MACOSX/a/._b.jpg": b"x", "a/.DS_Store": b"x", "Thumbs.db": b"x", "a\\b.jpg": b"image"}
    assert await unpacked(archive(notes)) == {"b.jpg": b"image"}


async def test_names_cannot_lead_elsewhere() -> None:
    found = await unpacked(archive({"../../etc/passwd": b"1", "/absolute": b"2", "C:\\x.jpg": b"3", "a/..": b"4"}))
    assert set(found) == {"passwd", "absolute", "x.jpg"}


async def test_an_entry_that_is_not_read_is_passed_over() -> None:
    names = [entry.name async for entry in ZipStream(chunks(archive(FILES), 999), LIMITS).entries()]
    assert names == ["a.jpg", "b.png", "leer.gif", "grün.webp"]


async def test_an_archive_cut_off_anywhere_is_refused() -> None:
    packed = archive({"a.jpg": NOISE[:3000], "b.jpg": b"b" * 3000})
    for end in range(0, len(packed), 13):
        with pytest.raises(MalformedRequest):
            await unpacked(packed[:end])


async def test_a_bit_that_changed_is_found() -> None:
    packed = archive(FILES, zipfile.ZIP_STORED)
    place = packed.index(NOISE) + 5
    changed = packed[:place] + bytes([packed[place] ^ 1]) + packed[place + 1 :]
    with pytest.raises(MalformedRequest, match="damaged"):
        await unpacked(changed)


async def test_the_last_bytes_come_only_if_the_checksum_is_right() -> None:
    packed = archive({"a.jpg": b"short"}, zipfile.ZIP_STORED).replace(b"short", b"shurt")
    async for entry in ZipStream(chunks(packed, 10), LIMITS).entries():
        with pytest.raises(MalformedRequest):
            await anext(entry.body)
        break


async def test_bombs_are_refused_early() -> None:
    read = 0

    async def counted(data: bytes) -> AsyncIterator[bytes]:
        nonlocal read
        async for chunk in chunks(data, 4096):
            read += len(chunk)
            yield chunk

    for piped in (False, True):
        bomb, read = archive({"bomb.bmp": bytes(400 * MEBIBYTE)}, piped=piped), 0
        with pytest.raises(BatchTooLarge, match="100 times"):
            await all_of(counted(bomb))
        assert read < len(bomb) / 10


async def test_all_entries_together_are_bounded() -> None:
    limits = ZipLimits(most_images=10, most_bytes=500_000)
    with pytest.raises(BatchTooLarge, match="500000 bytes"):
        await unpacked(archive({"a": NOISE, "b": NOISE[1:]}), limits=limits)


async def test_the_number_of_entries_is_bounded_also_of_those_passed_over() -> None:
    with pytest.raises(BatchTooLarge, match="too many entries"):
        await unpacked(archive({f"{number}/": b"" for number in range(101)}))


def hidden(packed: bytes) -> bytes:
    """Takes the first entry out of the directory."""
    end = packed.rindex(b"PK\x05\x06")
    (start,) = struct.unpack_from("<I", packed, end + 16)
    second = packed.index(b"PK\x01\x02", start + 4)
    count, size = 1, end - second
    changed = struct.pack("<HHII", count, count, size, start) + packed[end + 20 :]
    return packed[:start] + packed[second:end] + packed[end : end + 8] + changed


def renamed(packed: bytes) -> bytes:
    """Gives the first entry another name in the directory."""
    directory = packed.index(b"PK\x01\x02")
    return packed[:directory] + packed[directory:].replace(b"a.jpg", b"a.exe", 1)


def overlapping(packed: bytes) -> bytes:
    """Has both entries of the directory begin at the same place."""
    second = packed.index(b"PK\x01\x02", packed.index(b"PK\x01\x02") + 4)
    return packed[: second + 42] + bytes(4) + packed[second + 46 :]


def encrypted(packed: bytes) -> bytes:
    return packed[:6] + bytes([packed[6] | 1]) + packed[7:]


def other_compression(packed: bytes) -> bytes:
    return packed[:8] + struct.pack("<H", zipfile.ZIP_LZMA) + packed[10:]


def longer(packed: bytes) -> bytes:
    return packed + b"\0"


def twice(packed: bytes) -> bytes:
    return packed + packed


@pytest.mark.parametrize(
    "evil", [hidden, renamed, overlapping, encrypted, other_compression, longer, twice], ids=lambda evil: evil.__name__
)
async def test_archives_that_are_not_what_they_seem_are_refused(evil: Callable[[bytes], bytes]) -> None:
    packed = archive({"a.jpg": NOISE[:500], "b.jpg": NOISE[500:900]})
    assert len(await unpacked(packed)) == 2
    with pytest.raises(MalformedRequest):
        await unpacked(evil(packed))


async def test_a_stored_entry_without_its_size_is_refused() -> None:
    with pytest.raises(MalformedRequest, match="without its size"):
        await unpacked(archive(FILES, zipfile.ZIP_STORED, piped=True))


async def test_sizes_that_lie_are_found() -> None:
    data = zlib.compress(NOISE[:900], wbits=-15)
    for size, packed_size in ((899, len(data)), (900, len(data) - 1), (900, len(data) + 1), (0xFFFFFFFF, 5)):
        crc = zlib.crc32(NOISE[:900])
        head = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, packed_size, size, 1, 0)
        with pytest.raises(MalformedRequest):
            await unpacked(head + b"a" + data + bytes(100))


async def test_noise_is_refused() -> None:
    chance = random.Random(1)
    packed = archive({"a.jpg": NOISE[:500], "b.jpg": NOISE[500:900]})
    for _ in range(500):
        place = chance.randrange(len(packed))
        changed = packed[:place] + chance.randbytes(3) + packed[place + 3 :]
        with contextlib.suppress(MalformedRequest, BatchTooLarge):
            await unpacked(changed, chance.choice([1, 50, 5000]))
