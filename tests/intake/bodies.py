"""Bodies of uploads, and what comes of them when they are parsed in pieces."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from quickthumb.intake.body_parsers import choose_body_parser
from quickthumb.intake.limits import IntakeLimits
from quickthumb.intake.parts import BodyPart, ImageBytes
from quickthumb.model.errors import QuickThumbError

LIMITS = IntakeLimits(max_upload_bytes=100_000, max_fields=4, max_fields_bytes=2000, idle_seconds=5, total_seconds=5)
FORM = 'multipart/form-data; boundary="a b=c"'
JSON = "application/json; charset=utf-8"
IMAGE = bytes(range(256)) * 3 + b"\r\n--a b=\r\n--a b=cx\r\n-" + b"\xff" * 41


def part(headers: str, content: bytes, boundary: str = "a b=c") -> bytes:
    return f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n"


def file_part(content: bytes, filename: str = 'filename="cat.jpg"', name: str = "image") -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"; {filename}\r\nContent-Type: image/jpeg', content)


def field_part(name: str, value: str) -> bytes:
    return part(f'content-disposition:form-data; name="{name}"', value.encode())


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--a b=c--\r\n"


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    ends = [*sorted({place % (len(body) + 1) for place in places}), len(body)]
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def parse(content_type: str, chunks: Iterable[bytes]) -> list[BodyPart | bytes]:
    """The parts; the image's bytes are put together."""
    parser_type, parameters = choose_body_parser(content_type)
    parser = parser_type(parameters, LIMITS)
    found: list[BodyPart | bytes] = []

    def take(parsed: Iterable[BodyPart]) -> None:
        for one in parsed:
            if not isinstance(one, ImageBytes):
                found.append(one)
            elif found and isinstance(found[-1], bytes):
                found[-1] += bytes(one.data)
            else:
                found.append(bytes(one.data))

    for chunk in chunks:
        if chunk:
            take(parser.feed(chunk))
    take(parser.close())
    return found


def refusal(content_type: str, *chunks: bytes) -> QuickThumbError:
    with pytest.raises(QuickThumbError) as caught:
        parse(content_type, chunks)
    return caught.value


def json_body(**values: Any) -> bytes:
    return json.dumps(values).encode()
