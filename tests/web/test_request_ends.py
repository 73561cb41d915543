"""Where the bytes of a connection are cut: the parser must find every request's end at the end of a piece."""

import random

import httptools
import pytest

from quickthumb.web.request_ends import Body, ChunkedBody, Head

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
BODIES = [
    b"0\r\n\r\n",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n",
    b"8\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
    b'0000000000000000000000000003;a=b;c\r\nabc\r\n000;d="e;\\"f"\r\nX: y\r\nZ:\r\n\r\n',
    b"7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n",
]
# What some server or other takes for a chunk.
DOUBTFUL = [
    b"%b\r\nabc\r\n0\r\n\r\n" % size
    for size in (b"+3", b"-3", b" 3", b"3 ", b"0x3", b"3_0", b"\r\n3", b"", b"3\xb2", b"3;", b'3;a="\n"', b'3;a="\r\n"')
] + [
    b"3\nabc\r\n0\r\n\r\n",
    b"3\rabc\r\n0\r\n\r\n",
    b"3;a\nabc\r\n0\r\n\r\n",
    b"3\r\nabc\n0\r\n\r\n",
    b"3\r\nabc0\r\n\r\n",
    b"3\r\nabcd\r\n0\r\n\r\n",
    b"fffffffffffffffff3\r\nabc\r\n0\r\n\r\n",
    b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    b"0\n\r\n",
    b"0\r\n\n",
    b"0\r\nX: y\n\n",
    b"0\r\nX: y\r\n \r\n\r\n",
    b"0\r\n\r\r\n\r\n",
]


class Parser:
    """What the parser makes of a chunked request and of what follows it, given in pieces."""

    def __init__(self) -> None:
        self.ends = 0
        self.begun = 0
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(HEAD)

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_message_complete(self) -> None:
        self.ends += 1

    def ends_at(self, parts: list[bytes]) -> int | None:
        """How many bytes the body has; None if the parser refuses it, or if it does not end."""
        body, read = ChunkedBody(), 0
        for part in parts:
            place = 0
            while place < len(part):
                start, place = place, body.end_in(part, place)
                assert place > start
                try:
                    self._parser.feed_data(part[start:place])
                except httptools.HttpParserError:
                    return None
                assert self.begun == 1, "the next request began within a piece"
                read += place - start
                if self.ends:
                    return read
        return None


def cuts(data: bytes) -> list[list[bytes]]:
    """The data as a whole, byte by byte, and in pieces of other sizes."""
    sizes = (len(data), 1, 2, 3, 5, 11)
    return [[data[start : start + size] for start in range(0, len(data), size)] for size in sizes]


@pytest.mark.parametrize("body", BODIES)
def test_a_chunked_body_ends_where_the_parser_says(body: bytes) -> None:
    for parts in cuts(body + NEXT):
        assert Parser().ends_at(parts) == len(body), parts


@pytest.mark.parametrize("body", DOUBTFUL)
def test_the_parser_refuses_what_is_doubtful(body: bytes) -> None:
    for parts in cuts(body + NEXT):
        assert Parser().ends_at(parts) is None, parts


def test_no_request_begins_within_a_piece_whatever_is_sent() -> None:
    chance = random.Random(20)
    pieces = (b"\r\n", b"\r", b"\n", b"0", b"3", b"1f", b";", b"a=b", b'"', b"abc", b"X: y", b" ", b"0\r\n\r\n", NEXT)
    ended = 0
    for _ in range(20_000):
        body = b"".join(chance.choices(pieces, k=chance.randint(1, 12)))
        if chance.random() < 0.5:
            body = chance.choice(BODIES)[: chance.randint(0, 30)] + body
        for parts in cuts(body + NEXT)[:4:3]:
            ended += Parser().ends_at(parts) is not None
    assert ended > 100


def test_the_content_of_a_body_is_not_cut() -> None:
    content = b"\r\n\r\n" * 1000
    assert Body(len(content)).end_in(content + NEXT, 0) == len(content)
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
    assert ChunkedBody().end_in(chunked + NEXT, 0) == len(chunked)


def test_many_chunks_are_one_piece() -> None:
    chunked = b"4\r\n\r\n\r\n\r\n" * 1000 + b"0\r\n\r\n"
    assert ChunkedBody().end_in(chunked + NEXT, 0) == len(chunked)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_a_head_ends_with_an_empty_line(size: int) -> None:
    head, sent, read = Head(), NEXT + NEXT, 0
    for start in range(0, len(sent), size):
        part = sent[start : start + size]
        end = head.end_in(part, 0)
        read += end
        if end < len(part) or read == len(NEXT):
            break
    assert read == len(NEXT)
