from datetime import UTC, datetime

from quickthumb.http.files import media_of
from quickthumb.http.urls import Urls
from quickthumb.model.job import Job
from quickthumb.model.source import Source
from quickthumb.web.presentation import present


def test_what_is_not_known_of_a_source_is_null() -> None:
    source = Source(filename="cat.jpg")
    job = Job(id="0" * 32, created_at=datetime(2026, 1, 31, tzinfo=UTC), source=source, order={"outputs": []})
    shown = present(job, Urls()).model_dump(mode="json")
    facts = ("format", "width", "height", "bytes", "sha256")
    assert shown["source"] == {"filename": "cat.jpg", **dict.fromkeys(facts)}


def test_bytes_of_an_unknown_format_are_served_as_any_bytes() -> None:
    assert media_of(None) == ("application/octet-stream", "bin")
    assert media_of("jpeg") == ("image/jpeg", "jpg")
