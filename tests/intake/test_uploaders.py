"""The forms that well-known uploaders send, and misspellings, which are no uploader's."""

import pytest

from quickthumb.intake.parts import Field
from quickthumb.intake.uploaders import without_uploaders_fields
from quickthumb.model.errors import MalformedRequest

SENT = {
    "Uppy": {"relativePath": "null", "name": "cat.jpg", "type": "image/jpeg"},
    "Uppy, a camera's file": {"relativePath": "null", "name": "image", "type": "image/png"},
    "Dropzone": {"dzuuid": "1b2", "dzchunkindex": "0", "dztotalfilesize": "9", "dztotalchunkcount": "1"},
    "Plupload": {"name": "cat.jpg"},
    "Plupload in one chunk": {"name": "o_1.jpg", "chunk": "0", "chunks": "1"},
    "FilePond": {"filepond": "{}"},
    "Fine Uploader": {"qquuid": "1b2", "qqfilename": "cat.jpg", "qqtotalfilesize": "9"},
    "Flow.js": {"flowChunkNumber": "1", "flowTotalChunks": "1", "flowFilename": "cat.jpg"},
    "Rails": {"authenticity_token": "x", "utf8": "✓", "commit": "Upload"},
    "Django": {"csrfmiddlewaretoken": "x"},
    "PHP": {"MAX_FILE_SIZE": "30000"},
}


def kept(fields: dict[str, str], filename: str | None = "cat.jpg") -> dict[str, str]:
    given = [Field(name, value) for name, value in fields.items()]
    return {field.name: field.value for field in without_uploaders_fields(given, filename)}


@pytest.mark.parametrize("uploader", SENT)
def test_what_an_uploader_sends_by_itself_is_passed_over(uploader: str) -> None:
    filename = SENT[uploader].get("name", "cat.jpg")
    assert kept({**SENT[uploader], "width": "64"}, filename) == {"width": "64"}


@pytest.mark.parametrize(
    "ours",
    [
        {"name": "hero"},
        {"name": "hero", "type": "image/jpeg"},
        {"name": "../x"},
        {"name": "Hero"},
        {"type": "webp"},
        {"dzcolor": "red"},
        {"widht": "5"},
        {"csrf": "x"},
    ],
)
def test_everything_else_is_a_field_of_ours_or_an_error(ours: dict[str, str]) -> None:
    expected = {name: value for name, value in ours.items() if value != "image/jpeg"}
    assert kept(ours) == expected


def test_a_file_named_like_a_result_does_not_take_its_name_away() -> None:
    assert kept({"name": "photo"}, filename="photo") == {"name": "photo"}


@pytest.mark.parametrize("field", ["chunks", "dztotalchunkcount", "qqtotalparts", "flowTotalChunks"])
def test_one_piece_of_a_file_is_refused(field: str) -> None:
    with pytest.raises(MalformedRequest, match="several pieces") as refused:
        kept({field: "3"})
    assert refused.value.field == field
