"""Which parts of a file a Range header asks for."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quickthumb.http.errors import RangeNotSatisfiable
from quickthumb.http.ranges import MAX_RANGES, ByteRanges, Span, spans_of

LENGTH = 1_000


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=10-", [(10, 1_000)]),
        ("bytes=-10", [(990, 1_000)]),
        ("bytes=-5000", [(0, 1_000)]),
        ("bytes=990-999999999999999999", [(990, 1_000)]),
        (" BYTES=1-2\t", [(1, 3)]),
        ("bytes=20-29, 0-9", [(0, 10), (20, 30)]),
        ("bytes=0-9,10-19", [(0, 20)]),
        ("bytes=0-9,5-19,19-20,-1", [(0, 21), (999, 1_000)]),
        ("bytes=0-99,10-20", [(0, 100)]),
        # Those that lie within the file are served (RFC 9110, section 14.2).
        ("bytes=0-9,1000-1009", [(0, 10)]),
        ("bytes=5000-, 0-1, -0, 4-5", [(0, 2), (4, 6)]),
    ],
)
def test_what_is_asked_for(text: str, spans: list[Span]) -> None:
    assert spans_of(text, LENGTH) == spans


@pytest.mark.parametrize("text", ["bytes=1000-", "bytes=-0", "bytes=1000-1001,5000-", "bytes=999999999999999999-"])
def test_what_lies_beyond_the_end_is_refused(text: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        spans_of(text, LENGTH)


@pytest.mark.parametrize("text", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_an_empty_file_has_no_ranges(text: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        spans_of(text, 0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "0-1", "bytes", "bytes=", "bytes=-", "bytes=,", "bytes=0-1,", "bytes=a-b", "bytes=0-1-2", "bytes=2-1"),
        *("bytes=0-1,2-1", "bytes=-1-2", "pages=0-1", "bytes=0-" + "9" * 19, "bytes=٣-٤", "bytes=0-1;2-3"),
        "bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)),
    ],
)
def test_what_makes_no_sense_is_ignored(text: str) -> None:
    assert spans_of(text, LENGTH) is None


numbers = st.integers(0, 40)
one_range = st.one_of(
    st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}"),
    numbers.map(lambda first: f"{first}-"),
    numbers.map(lambda last: f"-{last}"),
)


@given(st.lists(one_range, min_size=1, max_size=6), st.integers(0, 30))
def test_exactly_the_bytes_that_are_asked_for(ranges: list[str], length: int) -> None:
    wanted: set[int] = set()
    for first, last in (text.split("-") for text in ranges):
        start = int(first) if first else max(length - int(last), 0)
        stop = int(last) + 1 if first and last else length
        wanted |= set(range(start, min(stop, length)))
    try:
        spans = spans_of("bytes=" + ",".join(ranges), length)
    except RangeNotSatisfiable:
        assert not wanted
        return
    assert spans is not None
    assert [byte for start, end in spans for byte in range(start, end)] == sorted(wanted)
    assert all(end < start for (_, end), (start, _) in pairwise(spans))


def test_several_parts_have_the_length_that_is_told() -> None:
    data = bytes(range(100))
    several = ByteRanges([(0, 1), (10, 20)], "image/png", 100)
    body = b"".join(head + data[start:end] for head, (start, end) in several.parts) + several.tail
    assert len(body) == several.length
    boundary = several.media_type.rpartition("=")[2].encode()
    heads = [b"Content-Type: image/png\r\nContent-Range: bytes %s/100\r\n\r\n" % text for text in (b"0-0", b"10-19")]
    assert body == b"--%s\r\n%s\x00\r\n--%s\r\n%s%s\r\n--%s--" % (
        boundary,
        heads[0],
        boundary,
        heads[1],
        data[10:20],
        boundary,
    )
