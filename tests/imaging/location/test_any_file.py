"""Any file, cut, damaged, or made to take long: nothing is raised, no length changes, and time is bounded."""

import contextlib
import struct
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from quickthumb.imaging.location import TooInvolved, find_location
from tests.imaging.iso_files import box
from tests.imaging.location.files import FILES, TRACES, chunk, exif, jpeg_with, png_with, saved, segment, xmp

# Generous, because machines are busy; what is bounded here takes a second or two, and would otherwise take minutes.
MOST_SECONDS = 60.0

MADE = {name: make() for name, make in FILES.items()}
ANY_FILE = some.sampled_from(sorted(MADE))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "picture"


def cleaned(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    clean = find_location(path).apply(data)
    assert len(clean) == len(data)
    return clean


@given(name=ANY_FILE, data=some.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutant_is_patched_or_left(path: Path, name: str, data: some.DataObject) -> None:
    mutant = bytearray(MADE[name])
    for _ in range(data.draw(some.integers(1, 8))):
        at = data.draw(some.integers(0, len(mutant) - 1))
        mutant[at] = data.draw(some.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | some.integers(0, 255))
    cleaned(path, bytes(mutant))


@given(name=ANY_FILE, share=some.floats(0, 1))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_file_is_patched_as_far_as_it_goes(path: Path, name: str, share: float) -> None:
    data = MADE[name]
    cleaned(path, data[: int(len(data) * share)])


@given(data=some.binary(max_size=300), name=ANY_FILE)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_behind_any_beginning(path: Path, data: bytes, name: str) -> None:
    cleaned(path, MADE[name][: len(data) % 40] + data)


@pytest.mark.parametrize("name", ["jpeg-exif", "webp-exif", "png-exif", "png-xmp", "webp-xmp", "jpeg-xmp", "gif"])
def test_a_cut_after_the_place_leaves_no_trace(path: Path, name: str) -> None:
    """Programs show what they can of a file that was not sent to its end."""
    data = MADE[name]
    last = max(data.rfind(trace) + len(trace) for trace in TRACES if trace in data)
    for end in range(last, min(last + 400, len(data))):
        clean = cleaned(path, data[:end])
        assert [trace for trace in TRACES if trace in clean] == [], end


def far_too_many_directories() -> bytes:
    """A block in which every number is the offset of a directory of thousands of entries."""
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + (struct.pack("<HHHII", 5000, 330, 4, 16, 8) * 5000)[:65_000]


COSTLY = {
    "blocks-of-exif": lambda: saved("JPEG") + b"Exif\0\0II*\0" * 3_000_000,
    "packets": lambda: saved("JPEG") + b"<rdf:RDF " * 3_000_000,
    "boxes": lambda: saved("AVIF") + box(b"free") * 3_000_000,
    "places": lambda: saved("AVIF") + box(b"\xa9xyz", bytes(4)) * 2_000_000,
    "directories": lambda: jpeg_with(*[segment(far_too_many_directories())] * 300),
    "chunks": lambda: png_with(chunk(b"tIME", b"") * 2_000_000),
    "names": lambda: jpeg_with(*[segment(b"http://ns.adobe.com/xap/1.0/\0" + b" exif:GPS" * 7000)] * 300),
    "elements": lambda: saved("WEBP", xmp=b"<exif:GPSA>" * 1_500_000),
    "apple": lambda: saved("JPEG") + b"com.apple.quicktime.location.ISO6709" * 500_000,
    "segments": lambda: jpeg_with(*[segment(exif())] * 4000),
    "words": lambda: saved("WEBP", xmp=b" a:" + b"gpsgps.a-" * 1_500_000),
    "quotes": lambda: saved("WEBP", xmp=xmp() + b' exif:GPSX="' * 1_000_000),
    "icons": lambda: struct.pack("<HHH", 0, 1, 1024) + struct.pack("<IIII", 0, 0, 0, 16390) * 1024 + MADE["png-exif"],
}


@pytest.mark.parametrize("name", COSTLY)
def test_what_is_made_to_take_long_ends(path: Path, name: str) -> None:
    path.write_bytes(COSTLY[name]())
    begun = time.thread_time()
    with contextlib.suppress(TooInvolved):
        find_location(path)
    assert time.thread_time() - begun < MOST_SECONDS
