"""A field that comes before the image."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from quickthumb.intake import leading_fields
from quickthumb.intake.errors import UploadTimedOut
from quickthumb.intake.leading_fields import MOST_BYTES, leading_field
from tests.intake.bodies import FORM, IMAGE, cut, field_part, file_part, form

BODY = form(field_part("a", "1"), field_part("policy", "the policy"), file_part(IMAGE))


async def look(chunks: Iterable[bytes], content_type: str = FORM) -> tuple[str | None, int]:
    """What is found, and how many chunks were read."""
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for chunk in chunks:
            read += 1
            yield chunk

    return await leading_field(body(), content_type, "policy"), read


@pytest.mark.parametrize("step", [1, 7, 100, 100_000])
async def test_it_is_found_however_the_body_is_cut(step: int) -> None:
    chunks = cut(BODY, range(0, len(BODY), step))
    found, read = await look(chunks)
    assert found == "the policy"
    assert sum(map(len, chunks[:read])) <= BODY.index(b"filename") + step


@pytest.mark.parametrize(
    "parts",
    [
        (file_part(IMAGE), field_part("policy", "late")),
        (field_part("a", "1"), file_part(IMAGE)),
        (field_part("a", "x" * MOST_BYTES), field_part("policy", "far"), file_part(IMAGE)),
        (*(field_part(f"a{number}", "") for number in range(65)), field_part("policy", "late"), file_part(IMAGE)),
        (file_part(IMAGE, name="policy"),),
        (),
    ],
)
async def test_there_is_none(parts: tuple[bytes, ...]) -> None:
    assert (await look(cut(form(*parts), range(0, 200_000, 1000))))[0] is None


async def test_no_more_is_read_than_it_takes() -> None:
    chunks = cut(form(file_part(b"x" * 1_000_000)), range(0, 1_000_000, 1000))
    assert (await look(chunks))[1] <= 2
    chunks = cut(form(field_part("a", "x" * 1_000_000)), range(0, 1_000_000, 1000))
    assert (await look(chunks))[1] <= MOST_BYTES // 1000 + 2


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data", FORM])
async def test_what_is_no_form_has_none(content_type: str) -> None:
    assert await look([b"--a b=c\r\n\r\n\r\nno form"], content_type) == (None, 1 if content_type == FORM else 0)


async def test_who_sends_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading_fields, "MOST_SECONDS", 0.05)

    async def body() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    with pytest.raises(UploadTimedOut):
        await leading_field(body(), FORM, "policy")
