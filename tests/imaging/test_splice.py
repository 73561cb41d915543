"""Files made of parts of another file and of other bytes read as the same bytes in one file would."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from quickthumb.imaging.formats.splice import Part, Patched, splice

DATA = bytes(range(100))
PARTS = some.lists(some.binary(max_size=9) | some.tuples(some.integers(0, 90), some.integers(0, 10)), max_size=8)
MOVES = some.lists(some.tuples(some.integers(-20, 60), some.sampled_from([0, 1, 2]), some.integers(-1, 40)))


@given(parts=PARTS, moves=MOVES)
def test_it_reads_like_a_file_of_those_bytes(parts: list[Part], moves: list[tuple[int, int, int]]) -> None:
    whole = io.BytesIO(b"".join(part if isinstance(part, bytes) else DATA[part[0] :][: part[1]] for part in parts))
    with splice(io.BytesIO(DATA), parts) as file:
        for offset, whence, count in moves:
            at = max(0, offset + (0, whole.tell(), len(whole.getbuffer()))[whence])
            assert file.seek(at) == whole.seek(at)
            assert file.read(count) == whole.read(count)
            assert file.tell() == whole.tell()
        assert file.seek(-min(3, len(whole.getvalue())), os.SEEK_END) == whole.seek(-min(3, len(whole.getvalue())), 2)


def test_a_patched_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    patched = Patched(tmp_path / "file", head=b"head", begin=90, tail=b"tail")
    for wanted, each in ((b"head" + DATA[90:] + b"tail", patched), (b"head" + DATA[90:], patched.with_tail(b""))):
        with each.open() as file:
            assert file.read() == wanted
    with Patched(tmp_path / "file", head=b"head", begin=200).open() as file:
        assert file.read() == b"head"


def test_closing_it_closes_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    inner = (tmp_path / "file").open("rb")
    with splice(inner, [(0, 10)]) as file:
        file.read(3)
    assert inner.closed
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
